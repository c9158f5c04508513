"""Ready recipes: each writes its data as TSVs and brings settings that train well on them."""

from ._cmudict import PHONES as PHONES
from ._cmudict import parse_cmudict as parse_cmudict
from ._cmudict import read_cmudict as read_cmudict
from ._g2p import G2P as G2P
from ._parts import Parts as Parts
from ._parts import part_of as part_of
from ._parts import split_by_source as split_by_source
from ._parts import write_parts as write_parts
from ._registry import TASKS as TASKS
from ._registry import find_task as find_task
from ._task import Task as Task
