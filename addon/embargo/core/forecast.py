"""What a policy will say otherwise on dates that are known today: an order that ends, an exemption that runs out.

What recurs every week is no news and is not told: a date's verdicts are compared while the same schedules hold. Only
rules of the apps themselves are asked, as in `situations`.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from embargo.core.horizon import causes_at, dates_of, schedules_of, spelled
from embargo.core.rules import Policy
from embargo.core.shifts import Changed, Shift, shifts, together
from embargo.core.situations import Situations, alike, judge, situations
from embargo.core.week import WEEK, course_of, hours_words, zone_of

AHEAD = timedelta(days=90)
MOST = 20  # announcements
_MOST_TREATMENTS = 500  # sets of apps that the rules treat alike, of one date; some 1 to 60 ms each
_ALL_WEEK = WEEK + timedelta(days=1)  # a clock that goes back makes a week longer by an hour


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """A date on which verdicts change, why, and which."""

    time: datetime  # UTC; the first instant that counts
    causes: tuple[str, ...]  # `rule counsel-exemption ends`
    shifts: tuple[Shift, ...]
    unasked: int = 0  # apps beyond a number that were not asked about, in a catalogue whose apps are all treated apart

    def __str__(self) -> str:
        told = [*map(str, self.shifts), *([f"{self.unasked} more apps were not asked about"] if self.unasked else [])]
        return f"on {spelled(self.time)} {', '.join(self.causes)}: {'; '.join(told)}"

    def document(self) -> dict[str, Any]:
        """The object that `status --json` and `check --json` have for it."""
        return {
            "time": self.time.isoformat(),
            "causes": list(self.causes),
            "changes": [
                {
                    "apps": list(shift.apps),
                    "what": shift.what or None,
                    "who": shift.who or None,
                    "hours": shift.hours or None,
                    "from": str(shift.before),
                    "to": str(shift.after),
                }
                for shift in self.shifts
            ],
            "unasked": self.unasked,
            "text": str(self),
        }


def announcement_lines(text: str) -> list[str]:
    """*text* of an announcement for people: a line, or one a change where there are several."""
    head, _, changes = text.partition(": ")
    each = changes.split("; ")
    return [f"{head}:", *(f"  {change}" for change in each)] if len(each) > 1 else [text]


def forecast(
    policy: Policy,
    now: datetime,
    ahead: timedelta = AHEAD,
    most: int = MOST,
    *,
    breathe: Callable[[], None] = lambda: None,
) -> tuple[Announcement, ...]:
    """The changes of verdicts within *ahead* after *now* (aware, UTC), the nearest first, at most *most* of them.

    *breathe* is called between one app and the next, for a caller whose other threads wait.
    """
    until = now + ahead
    coming: dict[datetime, list[tuple[str, ...]]] = {}
    for apps in alike([policy], sorted(policy.apps)):
        for date in dates_of(policy, apps[0]):
            if now < date <= until:
                coming.setdefault(date, []).append(apps)
    known: dict[str, Situations] = {}
    found: list[Announcement] = []
    for date in sorted(coming):
        announced = _announcement(policy, date, coming[date], known, breathe)
        if announced is not None:
            found.append(announced)
        if len(found) == most:
            break
    return tuple(found)


def _announcement(
    policy: Policy,
    date: datetime,
    coming: Sequence[tuple[str, ...]],
    known: dict[str, Situations],
    breathe: Callable[[], None],
) -> Announcement | None:
    told: list[Shift] = []
    causes: dict[str, None] = {}
    for apps in coming[:_MOST_TREATMENTS]:
        breathe()
        app = apps[0]  # what is said of it, is said of all
        if app not in known:
            known[app] = situations([policy], app)
        if found := list(_shifts(policy, app, known[app], date)):
            told += [replace(shift, apps=apps) for shift in found]
            causes.update(dict.fromkeys(causes_at(policy, app, date)))
    if not told:
        return None
    unasked = sum(map(len, coming[_MOST_TREATMENTS:]))
    return Announcement(time=date, causes=tuple(causes), shifts=together(told), unasked=unasked)


def _shifts(policy: Policy, app: str, whole: Situations, date: datetime) -> Iterator[Shift]:
    dates, schedules = dates_of(policy, app), schedules_of(policy, app)
    start = max([date - _ALL_WEEK, *(each for each in dates if each < date)])
    end = min([date + _ALL_WEEK, *(each for each in dates if each > date)])
    course = course_of(schedules, date, end)
    before = {span.held: span.start for span in reversed(course_of(schedules, start, date))}
    after = {span.held: span.start for span in reversed(course)}
    both = before.keys() & after.keys()
    changed = [
        Changed(situation, held, was, will)
        for situation in whole.each
        for held in both
        if (was := judge(policy, situation, before[held]).verdict)
        is not (will := judge(policy, situation, after[held]).verdict)
    ]
    week = [span._replace(end=min(span.end, date + WEEK)) for span in course if span.start < date + WEEK]
    zone = zone_of(schedules)
    return iter(
        shifts(changed, whole, lambda held: hours_words(held, (each for each in week if each.held in both), zone))
    )
