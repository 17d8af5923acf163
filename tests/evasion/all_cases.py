"""The table of cases as a whole."""

from evasion.conversations import CONVERSATIONS
from evasion.hellos import HELLOS
from evasion.requests import HTTP1
from evasion.targets import TARGETS

ALL = (*HELLOS, *HTTP1, *CONVERSATIONS, *TARGETS)
CASES = {case.name: case for case in ALL}
assert len(CASES) == len(ALL), "two cases of one name"
