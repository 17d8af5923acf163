"""A report that names no client and no user: for those who may see counts alone (viewers).

Each client and user has one name of this report's own, so that its lists still fit together; nobody can find out
from it who that is. What people wrote in their own words may name anybody, and is left out.
"""

from collections.abc import Callable
from dataclasses import replace

from embargo.review.devices import Device
from embargo.review.report.interventions import Exemption, Interventions
from embargo.review.report.report import Report
from embargo.review.report.tallies import Ranking, Tallies


def masked(report: Report) -> Report:
    """*report*, without who it was."""
    client, user = _namer("client"), _namer("user")
    return replace(
        report,
        tallies=_tallies(report.tallies, client, user),
        devices=tuple(_device(each, client, user) for each in report.devices),
        interventions=_interventions(report.interventions, user),
        edits=tuple(replace(each, stricter=(), milder=(), problems=()) for each in report.edits),
        masked=True,
    )


def _namer(word: str) -> Callable[[str], str]:
    names: dict[str, str] = {}
    return lambda key: names.setdefault(key, f"{word} {len(names) + 1}")


def _tallies(tallies: Tallies, client: Callable[[str], str], user: Callable[[str], str]) -> Tallies:
    rankings = dict(tallies.rankings)
    for dimension, namer in (("client", client), ("user", user)):
        if dimension in rankings:
            rankings[dimension] = _ranking(rankings[dimension], namer)
    return replace(tallies, rankings=rankings)


def _ranking(ranking: Ranking, namer: Callable[[str], str]) -> Ranking:
    rows = tuple(
        replace(row, key=namer(row.key), label=namer(row.key)) if row.key else row  # of some none is recorded
        for row in ranking.rows
    )
    return replace(ranking, rows=rows)


def _device(device: Device, client: Callable[[str], str], user: Callable[[str], str]) -> Device:
    return replace(device, client=client(device.client), user=user(device.user) if device.user is not None else None)


def _interventions(found: Interventions, user: Callable[[str], str]) -> Interventions:
    """Who grants and approves is a user too, and may stand in other lists."""

    def named(name: str | None) -> str | None:
        return user(name) if name is not None else None

    def exemption(each: Exemption) -> Exemption:
        number = len(each.whom)
        whom = f"{number} clients, users or groups" if number > 1 else "1 client, user or group"
        return replace(
            each,
            whom=(whom,) if number else (),
            reason=None,
            granted_by=named(each.granted_by),
            approved_by=named(each.approved_by),
        )

    return Interventions(
        exemptions=tuple(map(exemption, found.exemptions)),
        openings=tuple(replace(each, reason=None, author=named(each.author)) for each in found.openings),
        acts=tuple(replace(each, reason=None, who=named(each.who)) for each in found.acts),
    )
