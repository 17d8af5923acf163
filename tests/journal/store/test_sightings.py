"""Hours in which a client asked for an app, told apart by who asked and for what: counted from the rows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from embargo.core.catalogue import Role
from embargo.core.decision import Decision
from embargo.core.rules import Recording
from embargo.journal.event import Event
from embargo.journal.query import parse_query
from embargo.journal.record import Encoder
from embargo.journal.sighting import Sighting
from embargo.journal.store import Store
from recorded import ANONYMOUS, BLOCK, OBSERVER, judged
from sample import endpoint

START = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
CHROME = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"


def of(role: Role, *, shared: bool = False) -> Decision:
    return BLOCK._replace(endpoint=replace(endpoint("alipay.com", role), shared=shared))


def sightings(directory: Path, *events: Event, terms: str = "verdict:*") -> list[Sighting]:
    encoder = Encoder(OBSERVER)
    lines = [encoder.line(event, sequence=number, identifier="") for number, event in enumerate(events, 1)]
    (directory / "decisions.jsonl").write_bytes(b"".join(lines))
    store = Store.open(directory)
    store.catch_up()
    try:
        return store.sightings(parse_query([terms], START), store.snapshot())
    finally:
        store.close()


def asked(number: int, decision: Decision = BLOCK, **members: object) -> Event:
    usual = {"id": str(UUID(int=(1 << 96) + number)), "time": START, "user": None, "user_agent": None}
    return judged(decision, **(usual | members))


CASES = {  # case: (decision, user agent, (count, told, untold, visits, shared))
    "an api, by a program": (of(Role.API), "okhttp/4", (1, 1, 0, 0, 0)),
    "an api, by nobody knows whom": (of(Role.API), None, (1, 0, 1, 0, 0)),
    "an api, by a browser": (of(Role.API), CHROME, (1, 0, 0, 1, 0)),
    "a page, by nobody knows whom": (of(Role.WEB), None, (1, 0, 0, 1, 0)),
    "a page, by a program": (of(Role.WEB), "okhttp/4", (1, 0, 0, 1, 0)),
    "a picture, by a program": (of(Role.CDN), "okhttp/4", (1, 0, 0, 0, 0)),
    "telemetry, by a program": (of(Role.TELEMETRY), "okhttp/4", (1, 1, 0, 0, 0)),
    "shared, by a program": (of(Role.API, shared=True), "okhttp/4", (0, 0, 0, 0, 1)),
}


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sighting]:
    """Each case is an app of its own, so that one log holds them all."""
    events = [
        asked(number, decision._replace(apps=(f"app{number}",)), user_agent=agent)
        for number, (decision, agent, _) in enumerate(CASES.values())
    ]
    by_app = {each.app: each for each in sightings(tmp_path_factory.mktemp("log"), *events)}
    return {case: by_app[f"app{number}"] for number, case in enumerate(CASES)}


@pytest.mark.parametrize("case", CASES)
def test_what_a_request_counts_as(found: dict[str, Sighting], case: str) -> None:
    each = found[case]
    assert (each.count, each.told, each.untold, each.visits, each.shared) == CASES[case][2]
    assert each.hour == START.replace(minute=0)


def test_hours_clients_and_apps_are_apart(tmp_path: Path) -> None:
    later = START + timedelta(minutes=20)
    made = sightings(
        tmp_path,
        asked(1),
        asked(2, time=later),
        asked(3, time=START + timedelta(hours=1)),
        asked(4, client="10.0.0.9", user="alice"),
        asked(5, BLOCK._replace(apps=("qq", "wechat"))),
        asked(6, BLOCK._replace(rule=replace(ANONYMOUS, record=Recording.ANONYMOUS))),
    )
    assert sorted((each.client, each.user or "", each.app, each.hour.hour, each.count) for each in made) == [
        ("10.0.0.9", "alice", "alipay", 8, 1),
        ("10.20.30.40", "", "alipay", 8, 2),
        ("10.20.30.40", "", "alipay", 9, 1),
        ("10.20.30.40", "", "qq", 8, 1),
        ("10.20.30.40", "", "wechat", 8, 1),
    ]
    [two] = [each for each in made if each.count == 2]
    assert (two.first, two.last) == (START, later)


def test_a_query_narrows(tmp_path: Path) -> None:
    assert [
        each.client for each in sightings(tmp_path, asked(1), asked(2, client="10.0.0.9"), terms="client:10.0.0.9")
    ] == ["10.0.0.9"]
