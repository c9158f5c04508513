"""The doctor: finds in any PyTorch recurrent model the states that are misread."""

from ._convention import Convention as Convention
from ._diagnose import diagnose as diagnose
from ._finding import Evidence as Evidence
from ._finding import Finding as Finding
from ._finding import UnrunCheck as UnrunCheck
from ._report import Report as Report
from ._which_convention import ConventionMatch as ConventionMatch
from ._which_convention import which_convention as which_convention
