"""How `embargo catalogue` words what a change of the catalogue does: for people in lines, for machines as JSON."""

from collections.abc import Iterable, Mapping, Sequence

import click

from embargo.cli.findings import counted, problem_object, result_object
from embargo.cli.output import Json, aligned, colourful, printable
from embargo.policy.problem import Problem
from embargo.review.catalogue_trials import Entry
from embargo.review.catalogue_update import Proposal
from embargo.review.endpoint_changes import Comparison, EndpointChange
from embargo.review.trial_hits import Hits

_MOST_SHOWN = 60  # endpoints of one heading that are printed for people; --json has them all


def show(proposal: Proposal) -> None:
    """Print what *proposal* changes in effect, the worst first."""
    was, now = proposal.released
    comparison = proposal.comparison
    if was != now:
        day = f"released {was or 'on no known day'}, becomes {now or 'one of no known day'}"
        click.echo(printable(f"{proposal.target}: {day}"))
    for app in comparison.lost:
        gone = " and leaves the catalogue" if app in comparison.apps_removed else ""
        alarm(f"WARNING: {app} was blocked and would no longer be blocked anywhere{gone}")
    if not comparison:
        click.echo("no change in effect")
        return
    _apps("apps added", comparison.apps_added)
    _apps("apps removed", comparison.apps_removed)
    changes = (*comparison.endpoints, *comparison.excluded)
    _endpoints("milder", [each for each in changes if each.milder], alarming=True)
    _by_rules("milder by rules", _shifts(proposal, stricter=False), alarming=True)
    _endpoints("stricter", [each for each in changes if each.stricter])
    _by_rules("stricter by rules", _shifts(proposal, stricter=True))
    _endpoints("no other verdict", [each for each in changes if each.before is each.after])
    _pairs("excludes added", comparison.excludes_added)
    _pairs("excludes removed", comparison.excludes_removed)
    for words, names in _named(comparison):
        _apps(words, names)
    for app, file, before, after in comparison.lists:
        click.echo(printable(f"list {file} of {app}: {before} names, becomes {after}"))
    if proposal.on_trial:
        click.echo(
            f"{counted(len(proposal.on_trial), 'endpoint')} on trial: recorded, not enforced, until "
            "`embargo catalogue enforce`"
        )
    for each in proposal.kept:
        click.echo(printable(f"kept meanwhile: {each.app} {each.endpoint}, a part of {each.wider.endpoint}"))
    for entry in proposal.at_once:
        click.echo(printable(f"enforced at once: {entry.app} {entry.endpoint} takes over what is blocked today"))


def _named(comparison: Comparison) -> Iterable[tuple[str, tuple[str, ...]]]:
    return (
        ("rules added", comparison.rules_added),
        ("rules removed", comparison.rules_removed),
        ("rules changed", comparison.rules_changed),
        ("settings changed", comparison.settings),
        ("authorities changed", comparison.authorities),
    )


def _apps(words: str, names: Sequence[str]) -> None:
    if names:
        click.echo(printable(f"{words}: {', '.join(names)}"))


def _pairs(words: str, pairs: Sequence[tuple[str, str]]) -> None:
    if pairs:
        click.echo(f"{words}:")
        _rows([[f"  {app}", text] for app, text in pairs])


def _endpoints(words: str, changes: Sequence[EndpointChange], *, alarming: bool = False) -> None:
    if not changes:
        return
    heading = f"{words}: {counted(len(changes), 'endpoint')}"
    alarm(heading) if alarming else click.echo(heading)
    _rows([[f"  {each.app}", each.endpoint, _verdicts(each), _what(each)] for each in changes])


def _shifts(proposal: Proposal, *, stricter: bool) -> list[str]:
    """What rules, groups, settings and authorities change, for whom and when."""
    return [
        f"{period.start:%Y-%m-%d} to {period.end:%Y-%m-%d}: {shift}"
        for period in proposal.verdicts
        for shift in period.shifts
        if (shift.after > shift.before) is stricter
    ]


def _by_rules(words: str, lines: Sequence[str], *, alarming: bool = False) -> None:
    if not lines:
        return
    alarm(f"{words}:") if alarming else click.echo(f"{words}:")
    _rows([[f"  {line}"] for line in lines])


def _rows(rows: Sequence[Sequence[str]]) -> None:
    for line in aligned([[printable(cell) for cell in row] for row in rows[:_MOST_SHOWN]]):
        click.echo(line)
    if len(rows) > _MOST_SHOWN:
        click.echo(f"  and {len(rows) - _MOST_SHOWN} more; --json lists them")


def _verdicts(change: EndpointChange) -> str:
    becomes = f" ({change.would} once enforced)" if change.would is not None else ""
    if change.before is change.after:
        return f"{change.after}{becomes}"
    return f"{change.before} to {change.after}{becomes}"


def _what(change: EndpointChange) -> str:
    old, new = change.old, change.new
    if old is None and new is None:
        return "by an exclude"
    if old is None or new is None:
        return ("new, on trial" if new is not None and new.on_trial else "new") if old is None else "removed"
    said = []
    if old.role is not new.role:
        said.append(f"role {old.role} to {new.role}")
    if old.shared is not new.shared:
        said.append("shared now" if new.shared else "no longer shared")
    if old.on_trial is not new.on_trial:
        said.append("on trial now" if new.on_trial else "enforced now")
    return ", ".join(said) or "by other rules or endpoints"


def alarm(text: str) -> None:
    """Print *text* so that nobody overlooks it."""
    click.echo(click.style(printable(text), fg="red", bold=True) if colourful() else printable(text))


def show_hits(entries: Sequence[Entry], hits: Mapping[tuple[str, str], Hits] | None) -> None:
    """Print what is on trial and, where there is a log, how often each was met."""
    rows = [["app", "endpoint", "met", "clients", "last", "hosts"]] if hits is not None else []
    for entry in entries:
        row = [entry.app, str(entry.endpoint)]
        if hits is not None:
            found = hits.get((entry.app, str(entry.endpoint)), Hits())
            last = f"{found.last:%Y-%m-%d}" if found.last is not None else "-"
            row += [str(found.count), str(len(found.clients)), last, " ".join(found.top)]
        rows.append([printable(cell) for cell in row])
    for line in aligned(rows):
        click.echo(line)


def document(
    proposal: Proposal, *, written: bool, refused: str | None = None, hits: Sequence[Json] | None = None
) -> dict[str, Json]:
    """What `update`, `restore` and `enforce` print under --json."""
    was, now = proposal.released
    comparison = proposal.comparison
    return {
        "file": str(proposal.target),
        "released": {"old": was.isoformat() if was else None, "new": now.isoformat() if now else None},
        "written": written,
        "refused": refused,
        "lost": list(comparison.lost),
        "apps": {"added": list(comparison.apps_added), "removed": list(comparison.apps_removed)},
        "endpoints": [_change(each) for each in comparison.endpoints],
        "by_excludes": [_change(each) for each in comparison.excluded],
        "by_rules": [period.document() for period in proposal.verdicts],
        "excludes": {
            "added": [{"app": app, "endpoint": text} for app, text in comparison.excludes_added],
            "removed": [{"app": app, "endpoint": text} for app, text in comparison.excludes_removed],
        },
        "rules": {
            "added": list(comparison.rules_added),
            "removed": list(comparison.rules_removed),
            "changed": list(comparison.rules_changed),
        },
        "settings": list(comparison.settings),
        "authorities": list(comparison.authorities),
        "on_trial": [{"app": entry.app, "endpoint": str(entry.endpoint)} for entry in proposal.on_trial],
        "kept": [
            {"app": each.app, "endpoint": str(each.endpoint), "for": str(each.wider.endpoint)} for each in proposal.kept
        ],
        "at_once": [{"app": entry.app, "endpoint": str(entry.endpoint)} for entry in proposal.at_once],
        "failed_tests": [result_object(result) for result in proposal.failed],
        "errors": [],
        **({"trials": hits} if hits is not None else {}),
    }


def refusal(problems: Iterable[Problem]) -> dict[str, Json]:
    """What they print where a file cannot be taken."""
    return {"written": False, "errors": [problem_object(problem) for problem in problems]}


def trial(entry: Entry, hits: Mapping[tuple[str, str], Hits] | None) -> dict[str, Json]:
    """An endpoint on trial as JSON has it."""
    found = hits.get((entry.app, str(entry.endpoint)), Hits()) if hits is not None else None
    return {
        "app": entry.app,
        "endpoint": str(entry.endpoint),
        "met": found.count if found else None,
        "clients": len(found.clients) if found else None,
        "last": found.last.isoformat() if found and found.last else None,
        "hosts": list(found.top) if found else [],
    }


def _change(change: EndpointChange) -> dict[str, Json]:
    return {
        "app": change.app,
        "endpoint": change.endpoint,
        "change": "added" if change.old is None else "removed" if change.new is None else "changed",
        "before": str(change.before),
        "after": str(change.after),
        "would": str(change.would) if change.would is not None else None,
        "on_trial": change.new is not None and change.new.on_trial,
    }
