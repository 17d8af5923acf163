"""A difference as tables of text, the most urgent first: for a terminal, and in Markdown for a pull request."""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from embargo.core.horizon import spelled
from embargo.core.shifts import listed
from embargo.review.collateral import Effect, HostEffect, TrafficEffect
from embargo.review.difference import Difference, PlacedEndpoint
from embargo.review.endpoint_changes import Standing

MOST_ROWS = 100  # of a table; `--json` has all
_BELOW = "  "  # before what belongs to the line above
_SAME = "same"  # an endpoint that itself is what it was
_LINK = re.compile(r"(https?|ftp|www)(:(?=//)|\.)", re.IGNORECASE)  # what GitHub's Markdown links by itself
_TITLES = {
    Effect.COLLATERAL: "Collateral: hosts that no app owned, or only shared ones, and that are hit now",
    Effect.BLOCKED: "Newly blocked",
    Effect.FREED: "Newly free",
    Effect.LOGGED: "Newly logged",
    Effect.RELEASED: "No longer logged",
}


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under a title."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    more: int = 0  # rows that are left out

    @property
    def note(self) -> str:
        """What stands below; empty where all rows are there."""
        return f"and {self.more} more (--json has them)" if self.more else ""


def tables(found: Difference) -> Iterator[Table]:
    """The tables of *found* that have rows; that of the collateral is there with any traffic, even if empty."""
    if found.traffic is not None:
        yield _hosts(found.traffic, Effect.COLLATERAL)
    made = [
        _table("Verdicts", ("from", "to", "what", "before", "after"), _verdicts(found)),
        _table("Endpoints", ("change", "app", "endpoint", "role", "before", "after", "place"), _endpoints(found)),
        _table("Lists", ("app", "list", "added", "removed", "verdicts"), _lists(found)),
        _table("Rules", ("change", "rule", "what", "place"), _rules(found)),
        _table("Catalogue and settings", ("what", "before", "after"), _rest(found)),
        *(
            [_hosts(found.traffic, effect) for effect in Effect if effect is not Effect.COLLATERAL]
            if found.traffic is not None
            else []
        ),
    ]
    yield from (table for table in made if table.rows)


def summary(found: Difference) -> list[str]:
    """What was compared, and what of the traffic, in a few lines."""
    lines = [
        f"{found.old.label} ({found.old.loaded.digest[:12]}) -> {found.new.label} ({found.new.loaded.digest[:12]}), "
        f"as of {spelled(found.at)}"
    ]
    if found.is_empty:
        lines.append("no difference in effect")
    elif not found.changes_verdicts:
        lines.append("no verdict changes")
    if found.verdicts.incomplete:
        apps = listed(found.verdicts.incomplete)
        lines.append(f"of {apps} not every combination of groups was asked for: there are too many")
    if (traffic := found.traffic) is not None:
        counts = ", ".join(f"{traffic.changed[effect]} {effect}" for effect in Effect if traffic.changed[effect])
        beyond = "" if traffic.complete else ", of more that were not read"
        lines.append(f"{traffic.requests} requests of the past{beyond}: {counts or 'no verdict changes'}")
        if traffic.unread:
            whole = len(traffic.unread_told) == traffic.unread
            lines.append(f"{traffic.unread} could not be read{'' if whole else ', among them'}:")
            lines += [f"{_BELOW}{each.where}: {each.why}" for each in traffic.unread_told]
    return lines


def markdown(found: Difference) -> Iterator[str]:
    """The lines of a comment on a pull request."""
    verdict = "changes verdicts" if found.changes_verdicts else "changes no verdict"
    yield f"## Policy: {verdict}"
    yield ""
    for line in summary(found):
        below = _BELOW if line.startswith(_BELOW) else ""
        yield f"{below}- {escaped(line.removeprefix(_BELOW))}"
    for table in tables(found):
        yield ""
        yield f"### {escaped(table.title)}"
        yield ""
        if not table.rows:
            yield "None."
            continue
        yield f"| {' | '.join(table.columns)} |"
        yield f"|{' --- |' * len(table.columns)}"
        for row in table.rows:
            yield f"| {' | '.join(map(escaped, row))} |"
        if table.note:
            yield ""
            yield escaped(table.note)


def _table(title: str, columns: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Table:
    every = list(rows)
    return Table(title, columns, tuple(every[:MOST_ROWS]), max(0, len(every) - MOST_ROWS))


def _hosts(traffic: TrafficEffect, effect: Effect) -> Table:
    every = traffic.of(effect)
    beyond = traffic.beyond[effect]
    title = _TITLES[effect]
    if beyond:
        title += f" (and {beyond} requests to hosts beyond the first)"
    columns = ("host", "before", "after", "app", "endpoint", "rule", "clients", "requests")
    return _table(title, columns, map(_host, every))


def _host(each: HostEffect) -> tuple[str, ...]:
    after = str(each.after) if each.would is None else f"{each.after}, would {each.would}"
    return (
        each.host,
        f"{each.before} (shared)" if each.shared else str(each.before),
        after,
        ", ".join(each.apps) or "-",
        each.endpoint or "-",
        each.rule or "-",
        str(each.clients) if each.clients is not None else "?",
        str(each.requests),
    )


def _verdicts(found: Difference) -> Iterator[tuple[str, ...]]:
    for period in found.verdicts.periods:
        for shift in period.shifts:
            subject = shift.subject.removesuffix(",")
            yield spelled(period.start), spelled(period.end), subject, str(shift.before), str(shift.after)


def _endpoints(found: Difference) -> Iterator[tuple[str, ...]]:
    """Removed, changed and added ones; then, together, those that are the same and get another verdict by rules."""
    same: dict[tuple[str, ...], list[PlacedEndpoint]] = defaultdict(list)
    rows = []
    for each in found.endpoints:
        row = _endpoint(each)
        if row[0] == _SAME:
            same[(*row[:2], *row[3:6])].append(each)
        else:
            rows.append(row)
    order = {"removed": 0, "changed": 1, "added": 2}
    yield from sorted(rows, key=lambda row: (row[4] == row[5], order[row[0]], row[1], row[2]))
    for exclude in found.excludes:
        fate = "excluded" if exclude.added else "included"
        yield fate, exclude.app, exclude.exclude, "-", str(exclude.before), str(exclude.after), "-"
    for (fate, app, role, before, after), those in same.items():
        name = those[0].change.endpoint
        text = name if len(those) == 1 else f"{len(those)}, the first {name}"
        yield fate, app, text, role, before, after, those[0].place or "-"


def _endpoint(placed: PlacedEndpoint) -> tuple[str, ...]:
    change = placed.change
    role = _role(change.new or change.old)
    if change.old is None or change.new is None:
        fate = "added" if change.old is None else "removed"
    elif change.old != change.new:
        fate, role = "changed", f"{_role(change.old)} -> {_role(change.new)}"
    else:
        fate = _SAME
    after = str(change.after) if change.would is None else f"{change.after}, would {change.would}"
    return fate, change.app, change.endpoint, role, str(change.before), after, placed.place or "-"


def _role(standing: Standing | None) -> str:
    if standing is None:
        return "-"
    return f"{standing.role}{' shared' if standing.shared else ''}{' shadow' if standing.on_trial else ''}"


def _lists(found: Difference) -> Iterator[tuple[str, ...]]:
    for each in found.lists:
        verdicts = [f"{count} {before} -> {after}" for before, after, count in each.verdicts]
        if each.judged < each.added + each.removed:
            verdicts.append(f"of the first {each.judged} names")
        added, removed = _some(each.added, each.some_added), _some(each.removed, each.some_removed)
        yield each.app, each.source, added, removed, ", ".join(verdicts) or "-"


def _some(number: int, names: Sequence[str]) -> str:
    return f"{number}: {listed(names)}" if number else "0"


def _rules(found: Difference) -> Iterator[tuple[str, ...]]:
    for each in found.rules:
        yield each.fate.value, each.rule, "; ".join(each.what) or "-", each.after or each.before or "-"


def _rest(found: Difference) -> Iterator[tuple[str, ...]]:
    comparison = found.comparison
    for app in comparison.apps_removed:
        yield f"app {app}", "there", "-"
    for app in comparison.apps_added:
        yield f"app {app}", "-", "there"
    for each in comparison.authorities:
        yield f"authority {each}", *_authority(found, each)
    for setting in found.settings:
        yield f"settings.{setting.key}", setting.before, setting.after


def _authority(found: Difference, identifier: str) -> tuple[str, str]:
    told = []
    for side in (found.old, found.new):
        known = side.policy.authorities.get(identifier)
        changes = [f"{spelled(when)} {state}" for when, state in known.timeline.changes] if known is not None else []
        told.append(", ".join(changes) or ("-" if known is None else "no date"))
    return (told[0], told[1]) if told[0] != told[1] else (told[0], "the same, otherwise described")


def escaped(text: str) -> str:
    """*text* so that Markdown takes nothing in it for its own, and code hosts make no link or mention of it."""
    for character in "\\`*_{}[]<>|#~&":
        text = text.replace(character, f"\\{character}")
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    text = _LINK.sub(r"\1\\\2", text)
    return text.replace("@", "@\N{ZERO WIDTH SPACE}")  # a mention is looked for after escapes are gone
