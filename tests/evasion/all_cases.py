"""The table of cases as a whole."""

from evasion.hellos import HELLOS
from evasion.requests import HTTP1
from evasion.targets import TARGETS

CASES = {case.name: case for case in (*HELLOS, *HTTP1, *TARGETS)}
assert len(CASES) == len(HELLOS) + len(HTTP1) + len(TARGETS), "two cases of one name"
