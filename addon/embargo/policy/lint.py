"""Warnings: what a policy that loads whole should still not hold. For `check` and the console, never for a load.

What is judged is the policy in effect, each warning at the place in a file that would mend it. Each subject has a
module of its own; what they look at is the `Survey`.
"""

from datetime import datetime

from embargo.policy import (
    answering,
    blindness,
    exemption,
    lapse,
    overlap,
    ownership,
    precedence,
    reach,
    sinks,
    untested,
)
from embargo.policy.load import Loaded
from embargo.policy.problem import Problem
from embargo.policy.survey import Survey
from embargo.policy.unwarranted import unwarranted

_SUBJECTS = (ownership, overlap, reach, precedence, exemption, lapse, answering, blindness, untested, sinks)


def lint(loaded: Loaded, now: datetime) -> tuple[Problem, ...]:
    """The warnings on a policy as of *now* (aware, UTC), by file, line and column."""
    survey = Survey(loaded, now)
    found = {problem for subject in _SUBJECTS for problem in subject.warnings(survey)}
    return tuple(sorted(found.union(unwarranted(loaded, now))))
