"""The doctor: finds in any PyTorch recurrent model the states that are misread."""

from ._catalogue import MISTAKES as MISTAKES
from ._catalogue import mistake as mistake
from ._finding import Evidence as Evidence
from ._finding import Finding as Finding
from ._finding import UnrunCheck as UnrunCheck
from ._mistake import Mistake as Mistake
from ._mistake import Reading as Reading
from ._report import Report as Report
