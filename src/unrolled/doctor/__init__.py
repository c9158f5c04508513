"""The doctor: finds in any PyTorch recurrent model the states that are misread.

What needs PyTorch comes when it is first used, so that a mistake can be explained without it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ._catalogue import MISTAKES as MISTAKES
from ._catalogue import mistake as mistake
from ._finding import Evidence as Evidence
from ._finding import Finding as Finding
from ._finding import UnrunCheck as UnrunCheck
from ._mistake import Mistake as Mistake
from ._mistake import Reading as Reading
from ._report import Report as Report

if TYPE_CHECKING:
    from ._convention import Convention as Convention
    from ._diagnose import diagnose as diagnose
    from ._which_convention import ConventionMatch as ConventionMatch
    from ._which_convention import which_convention as which_convention

_LATER = {
    "Convention": "._convention",
    "ConventionMatch": "._which_convention",
    "diagnose": "._diagnose",
    "which_convention": "._which_convention",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name], __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
