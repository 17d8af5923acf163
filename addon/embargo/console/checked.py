"""The policy of the files, checked beside the pages that show it: warnings, failed tests, dated changes."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import current_app

from embargo.console.background import Background, Told
from embargo.console.context import loaded, settings
from embargo.core.forecast import Announcement, forecast
from embargo.policy.cases import cases_of, run
from embargo.policy.lint import lint
from embargo.policy.problem import Problem

if TYPE_CHECKING:
    from embargo.console.settings import ConsoleSettings
    from embargo.policy.load import Loaded

_KEY = "embargo-checked"
_FRESH = 600.0  # seconds: dates pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What `embargo check` says of it."""

    warnings: tuple[Problem, ...]
    tests: int
    failed: tuple[str, ...]
    announced: tuple[Announcement, ...]


def checked() -> Told[Checked]:
    """What is known of the policy of the files as they are now. Raises PolicyError where none ever loaded."""
    known, chosen = loaded(), settings()
    kept: tuple[str, Background[Checked]] | None = current_app.extensions.get(_KEY)
    if kept is None or kept[0] != known.digest:  # that of another policy is forgotten
        kept = known.digest, Background(lambda: _found(known, chosen), chosen.now, _FRESH)
        current_app.extensions[_KEY] = kept
    return kept[1].told()


def _found(known: "Loaded", chosen: "ConsoleSettings") -> Checked:
    moment = chosen.now()
    results = run(known, list(cases_of(known)), moment)
    return Checked(
        warnings=tuple(lint(known, moment)),
        tests=len(results),
        failed=tuple(str(result) for result in results if not result.passed),
        announced=forecast(known.policy, moment),
    )
