"""The JSON API: what it answers is what the store counts and the commands print, and its description is true."""

import json
import re
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlencode

import pytest
import schemathesis
from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from console import a_week
from console.signed_in import NOW, Browser, a_console, anybody, signed_in
from embargo.console.access.accounts import Source
from embargo.console.access.desk import KEY, Desk
from embargo.console.access.rights import RIGHTS, Role, right_of
from embargo.console.access.tokens import grantable
from embargo.console.api import openapi
from embargo.console.api.blueprint import PREFIX
from embargo.journal.verdict_class import CLASSES

COUNT = 400  # records of the week


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    directory = tmp_path_factory.mktemp("api")
    loaded = a_week.a_policy(directory)
    (directory / "log").mkdir()
    a_week.write(directory / "log", loaded, COUNT)
    return a_console(directory, policy=(directory / "site.yaml",), now=lambda: a_week.NOW)


class Client:
    """A program with a token."""

    def __init__(self, app: Flask, role: Role) -> None:
        desk: Desk = app.extensions[KEY]
        account = desk.accounts.named(f"program of {role}") or desk.accounts.add(
            f"program of {role}", role, Source.LOCAL, desk.now()
        )
        self.token = desk.tokens.add(account, "test", grantable(account), now=desk.now(), days=1)
        desk.tokens.of(account, desk.now())
        self._browser: Browser = app.test_client()  # type: ignore[assignment]

    def send(self, method: str, path: str, body: object = None) -> Any:
        return self._browser.open(
            path if path.startswith(PREFIX) else PREFIX + path,
            method=method,
            json=body,
            headers={"Authorization": f"Bearer {self.token}"},
        )

    def send_text(self, path: str, text: str) -> Any:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        return self._browser.post(PREFIX + path, data=text, headers=headers)

    def get(self, path: str, **parameters: object) -> Any:
        answer = self.send("GET", path + (f"?{urlencode(parameters)}" if parameters else ""))
        assert answer.status_code == 200, answer.text
        return answer.json


@pytest.fixture(scope="module")
def auditor(app: Flask) -> Client:
    return Client(app, Role.AUDITOR)


@pytest.fixture(scope="module")
def admin(app: Flask) -> Client:
    return Client(app, Role.ADMIN)


def pages(client: Client, path: str, **parameters: object) -> list[Any]:
    """All items of all pages, by the links alone."""
    answer = client.get(path, **parameters)
    found = list(answer["items"])
    for _ in range(1_000):
        if answer["next"] is None:
            return found
        answer = client.get(answer["next"])
        found += answer["items"]
    raise AssertionError("the pages do not end")


QUERIES = {
    "all": "",
    "an app": "app:alipay",
    "a class": "class:blocked",
    "a network": "client:10.0.0.0/8",
    "text": "pay",
    "nothing": "app:alipay host:nowhere.example",
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES)
def test_rows_are_as_many_as_were_counted(auditor: Client, query: str) -> None:
    counted = auditor.get("/counts", q=query)
    rows = pages(auditor, "/records", q=query, snapshot=counted["snapshot"], limit=37)
    assert len(rows) == sum(counted["counts"].values())
    assert len({row["event"]["id"] for row in rows}) == len(rows)


@pytest.mark.parametrize("bucket", ["hour", "day"])
def test_a_series_comes_to_the_counts(auditor: Client, bucket: str) -> None:
    counted = auditor.get("/counts")
    series = auditor.get("/series", snapshot=counted["snapshot"], bucket=bucket)["items"]
    for name in CLASSES:
        assert sum(cell["counts"][name] for cell in series) == counted["counts"][name]


@pytest.mark.parametrize("dimension", ["app", "client", "host", "rule"])
def test_the_query_of_a_value_has_its_rows(auditor: Client, dimension: str) -> None:
    found = auditor.get("/top", by=dimension, limit=3)
    for item in found["items"]:
        again = auditor.get("/counts", q=item["query"], snapshot=found["snapshot"])
        assert again["counts"] == item["counts"], item


def test_a_record(auditor: Client) -> None:
    (first,) = auditor.get("/records", limit=1)["items"]
    assert auditor.get(f"/records/{first['event']['id']}") == first


def test_devices_by_pages(auditor: Client) -> None:
    assert pages(auditor, "/devices", limit=2) == auditor.get("/devices", limit=1_000)["items"]


def test_apps(auditor: Client) -> None:
    listed = auditor.get("/apps")["items"]
    assert "alipay" in [each["id"] for each in listed]
    assert auditor.get("/apps/alipay")["entries"]


def test_policy_and_health(admin: Client) -> None:
    assert re.fullmatch("[0-9a-f]{64}", admin.get("/policy")["digest"])
    assert admin.get("/health")["store"]["behind"] == 0


def test_whoever_sees_no_clients_gets_none(app: Flask) -> None:
    viewer, everything = Client(app, Role.VIEWER), Client(app, Role.AUDITOR)
    masked = viewer.get("/top", by="client")["items"]
    plain = everything.get("/top", by="client")["items"]
    assert [each["counts"] for each in masked] == [each["counts"] for each in plain]
    assert not {each["value"] for each in plain} - {None} & {each["value"] for each in masked}
    assert all(each["query"] is None for each in masked)
    for query in ("client:10.0.0.0/8", "user:alice", "-user:alice", "id:x", "connection:x"):
        assert viewer.send("GET", "/counts?" + urlencode({"q": query})).status_code == 422


def test_taking_records_out_is_recorded(app: Flask, auditor: Client) -> None:
    auditor.get("/records", q="app:alipay", limit=1)
    desk: Desk = app.extensions[KEY]
    lines = [json.loads(line) for line in (desk.settings.log / "audit.jsonl").read_text().splitlines()]
    found = [line for line in lines if line["event"]["action"] == "export"][-1]
    assert found["user"]["name"] == "program of auditor"
    assert found["embargo"]["console"]["filter"] == "app:alipay"
    assert auditor.token not in json.dumps(lines)


MISTAKES = {  # case: (path, status)
    "an unknown parameter": ("/records?limt=1", 400),
    "a parameter twice": ("/records?limit=1&limit=2", 400),
    "no number": ("/records?limit=many", 400),
    "too many": ("/records?limit=1001", 400),
    "none": ("/records?limit=0", 400),
    "an unknown term": ("/records?q=colour%3Ared", 400),
    "no time": ("/records?since=yesterday-ish", 400),
    "no place": ("/records?after=x", 400),
    "a place out of bounds": ("/records?after=" + "9" * 18 + "." + "9" * 30, 400),
    "a filter too long": ("/records?q=" + "x" * 4_001, 400),
    "no dimension": ("/top", 400),
    "an unknown dimension": ("/top?by=colour", 400),
    "an unknown record": ("/records/nothing", 404),
    "a record by a pattern": ("/records/*", 404),
    "an unknown app": ("/apps/nothing", 404),
    "an unknown path": ("/nothing", 404),
}


@pytest.mark.parametrize(("path", "status"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told(auditor: Client, path: str, status: int) -> None:
    answer = auditor.send("GET", path)
    assert (answer.status_code, answer.content_type) == (status, "application/problem+json"), answer.text
    assert answer.json["status"] == status
    assert answer.json["detail"]


WISH = {"what": ["alipay"], "users": ["alice"], "for": "1h", "reason": "press review", "ticket": "T-1"}


class TestExceptions:
    @pytest.fixture
    def app(self, tmp_path: Path) -> Flask:
        ticks = count()
        return a_console(tmp_path, now=lambda: NOW + timedelta(milliseconds=20 * next(ticks)))

    def test_granted_listed_and_ended(self, app: Flask, tmp_path: Path) -> None:
        admin = Client(app, Role.ADMIN)
        answer = admin.send("POST", "/exceptions", WISH)
        assert answer.status_code == 201, answer.text
        assert answer.json["author"] == "program of admin"
        assert "press review" in (tmp_path / "exceptions.yaml").read_text()
        (listed,) = admin.get("/exceptions")["items"]
        assert (listed["id"], listed["state"]) == (answer.json["id"], "active")
        ended = admin.send("POST", f"/exceptions/{listed['id']}/end", {"reason": "done"})
        assert ended.status_code == 200
        assert admin.send("POST", f"/exceptions/{listed['id']}/end", {}).status_code == 409
        actions = [
            (line["event"]["action"], line["event"]["outcome"])
            for line in map(json.loads, (tmp_path / "log" / "audit.jsonl").read_text().splitlines())
            if line["event"]["action"].startswith("exception")
        ]
        assert actions == [
            ("exception-added", "unknown"),
            ("exception-added", "success"),
            ("exception-ended", "unknown"),
            ("exception-ended", "success"),
        ]

    def test_a_dry_run_writes_nothing(self, app: Flask, tmp_path: Path) -> None:
        answer = Client(app, Role.ADMIN).send("POST", "/exceptions", WISH | {"dry_run": True})
        assert (answer.status_code, answer.json["written"]) == (200, False)
        assert answer.json["opens"]
        assert not (tmp_path / "exceptions.yaml").exists()

    @pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR, Role.OPERATOR])
    def test_nobody_else_grants(self, app: Flask, tmp_path: Path, role: Role) -> None:
        assert Client(app, role).send("POST", "/exceptions", WISH).status_code == 403
        assert not (tmp_path / "exceptions.yaml").exists()

    WRONG: ClassVar = {
        "nobody named": {"users": None},
        "everyone and somebody": {"everyone": True},
        "no reason": {"reason": None},
        "a blank reason": {"reason": "  "},
        "no end": {"for": None},
        "two ends": {"until": "2099-01-01"},
        "an end that is none": {"for": "soon"},
        "an end before its beginning": {"for": None, "until": "2001-01-01"},
        "too long": {"for": "9999w"},
        "longer than the calendar": {"for": "999999999999999w"},
        "an unknown app": {"what": ["nothing"]},
        "an unknown member": {"colour": "red"},
        "a control character": {"reason": "a\nb"},
        "everybody by a network": {"users": None, "clients": ["0.0.0.0/0"]},
        "no address": {"clients": ["x"]},
        "another's name": {"author": "boss"},
    }

    @pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
    def test_what_cannot_be_is_refused(self, app: Flask, tmp_path: Path, change: dict[str, object]) -> None:
        wish = {name: value for name, value in (WISH | change).items() if value is not None}
        answer = Client(app, Role.ADMIN).send("POST", "/exceptions", wish)
        assert (answer.status_code, answer.content_type) == (422, "application/problem+json"), answer.text
        assert not (tmp_path / "exceptions.yaml").exists()

    def test_a_body_nested_without_end_is_a_mistake_of_the_client(self, app: Flask, tmp_path: Path) -> None:
        answer = Client(app, Role.ADMIN).send_text("/exceptions", "[" * 50_000)
        assert (answer.status_code, answer.content_type) == (400, "application/problem+json")

    def test_by_a_cookie_a_change_needs_the_pages_token(self, app: Flask, tmp_path: Path) -> None:
        browser = signed_in(app, Role.ADMIN)
        assert browser.post(f"{PREFIX}/exceptions", json=WISH).status_code == 403
        sent = browser.post(f"{PREFIX}/exceptions", json=WISH, headers={"X-CSRFToken": browser.csrf})
        assert sent.status_code == 201


class TestDescription:
    def test_it_has_every_route_and_no_other(self, app: Flask) -> None:
        routes = {
            (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule).removeprefix(PREFIX))
            for rule in app.url_map.iter_rules()
            if rule.endpoint.startswith("api.")
            for method in set(rule.methods or ()) - {"HEAD", "OPTIONS"}
        }
        assert {(each.method, each.path) for each in openapi.OPERATIONS} == routes

    @pytest.mark.parametrize("operation", openapi.OPERATIONS, ids=lambda each: each.name)
    def test_it_names_the_right(self, app: Flask, operation: openapi.Operation) -> None:
        assert right_of(app.view_functions[f"api.{operation.name}"]) is operation.right

    @pytest.mark.parametrize("role", Role)
    @pytest.mark.parametrize("operation", openapi.OPERATIONS, ids=lambda each: each.name)
    def test_each_role_is_answered_or_refused(self, app: Flask, role: Role, operation: openapi.Operation) -> None:
        answer = Client(app, role).send(operation.method.upper(), operation.path.replace("{identifier}", "x"))
        assert (answer.status_code == 403) is (operation.right not in RIGHTS[role]), answer.text

    def test_anybody_reads_it(self, app: Flask) -> None:
        assert anybody(app).get(f"{PREFIX}/openapi.json").json["openapi"] == "3.1.0"


ASKED = [(each, mode) for each in openapi.OPERATIONS for mode in GenerationMode if each.parameters or each.body]


@pytest.mark.parametrize(("described", "mode"), ASKED, ids=[f"{each.name}-{mode.value}" for each, mode in ASKED])
def test_what_is_answered_is_as_described(app: Flask, described: openapi.Operation, mode: GenerationMode) -> None:
    """schemathesis sends what the description allows, and what it does not, and holds each answer to it."""
    admin = Client(app, Role.ADMIN)
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(openapi.document())))
    schema.app = app
    operation = schema[described.path][described.method]

    # what a filter, a time or a wish may be, a schema cannot say in full
    in_words = "q" in described.parameters or described.body is not None
    beyond = [schemathesis.checks.CHECKS.get_one("positive_data_acceptance")] if in_words else []

    @settings(
        max_examples=3,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(headers={"Authorization": f"Bearer {admin.token}"}, excluded_checks=beyond)

    ask()
