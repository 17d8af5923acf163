"""The page of a record: the why of that day, marks that stand in the sealed log, exceptions from it."""

import re
from pathlib import Path

import pytest
from flask import Flask

from console.a_week import a_policy, read, write
from console.signed_in import NOW, Browser, a_console, signed_in
from embargo.console.access.rights import Role
from embargo.core.decision import Verdict
from embargo.journal.event import Judged
from embargo.journal.reader import Reader
from embargo.journal.record import Record
from embargo.policy.load import load

type Week = tuple[Flask, Path, list[Judged]]


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Week:
    directory = tmp_path_factory.mktemp("record-page")
    events = write(directory / "log", a_policy(directory / "policy"), count=60)
    app = read(a_console(directory, policy=(directory / "policy/site.yaml",)))
    return app, directory, [event for event in events if isinstance(event, Judged)]


def one(week: Week, app: str, verdict: Verdict, user: str | None = "alice") -> Judged:
    """The newest decision of that kind."""
    found = [
        event
        for event in week[2]
        if app in event.decision.apps and event.decision.verdict is verdict and (user is None or event.user == user)
    ]
    return found[-1]


def audit(directory: Path, action: str) -> list[Record]:
    return [entry.record for entry in Reader(directory / "log").entries(lambda record: record.action == action)]


def shown(browser: Browser, path: str, text: str) -> str:
    """The page at *path* when it has *text*: it waits for what is new by itself, though not as long as a busy machine
    may take."""
    page = ""
    for _ in range(50):
        page = browser.get(path).text
        if text in page:
            break
    return page


def test_why(week: Week) -> None:
    event = one(week, "wechat", Verdict.BLOCK)
    page = signed_in(week[0], Role.AUDITOR).get(f"/record/{event.id}").text
    for said in (
        "rule bound-by-order: Executive Order 13943",
        "Addressing the Threat Posed by WeChat: in-force since 2020-09-20, that day",
        "https://www.wechat.com/",  # the evidence
        "- id: bound-by-order\n    apps: {named_in: eo-13943}",
        "site.yaml</bdi>, line 45",
        "alice",
        "as then",
    ):
        assert said in page, said


def test_what_it_would_be_now(tmp_path: Path) -> None:
    loaded = a_policy(tmp_path / "policy")
    events = write(tmp_path / "log", loaded, count=40)
    event = one((None, tmp_path, [each for each in events if isinstance(each, Judged)]), "wechat", Verdict.BLOCK, None)  # type: ignore[arg-type]
    path = tmp_path / "policy/site.yaml"
    path.write_text(path.read_text().replace("2020-09-20: in-force", "2020-09-20: in-force, 2021-06-09: revoked"))
    page = signed_in(read(a_console(tmp_path, policy=(path,))), Role.AUDITOR).get(f"/record/{event.id}").text
    assert "which is not what was decided then" in page
    assert "since then the law has changed: eo-13943: revoked since 2021-06-09" in page
    assert "- id: bound-by-order" in page  # the text of then


def test_a_policy_whose_text_has_gone(tmp_path: Path) -> None:
    loaded = a_policy(tmp_path / "policy")
    events = write(tmp_path / "log", loaded, count=5)
    (tmp_path / "log/policies" / loaded.digest).unlink()
    event = next(event for event in events if isinstance(event, Judged) and event.decision.rule is not None)
    page = signed_in(read(a_console(tmp_path, policy=(tmp_path / "policy/site.yaml",))), Role.AUDITOR).get(
        f"/record/{event.id}"
    )
    assert page.status_code == 200
    assert "no policy stored in" in page.text


@pytest.mark.parametrize("identifier", ["none", "019dc9a8-0000-7000-8000-00000000ffff", "x" * 5000, "*", "'", "%00"])
def test_no_such_record(week: Week, identifier: str) -> None:
    answer = signed_in(week[0], Role.AUDITOR).get(f"/record/{identifier}")
    assert answer.status_code == 404


def test_every_record_has_a_page(week: Week) -> None:
    auditor = signed_in(week[0], Role.AUDITOR)
    hostile = [event for event in week[2] if event.client == "10.66.6.6"]
    assert len(hostile) > 8
    for event in hostile:
        page = auditor.get(f"/record/{event.id}")
        assert page.status_code == 200
        for spoilt in ("<script>alert", "<script src", "<img src=x", "\x1b", "\u202e", 'onmouseover="alert'):
            assert spoilt not in page.text
    others = set(re.findall(r"/record/([0-9a-f-]{36})", auditor.get("/log?q=-class:*&fold=no").text))
    assert len(others) >= 4
    for identifier in others:
        assert auditor.get(f"/record/{identifier}").status_code == 200


def test_a_mark_stands_in_the_log(week: Week) -> None:
    app, directory, _ = week
    event = one(week, "tiktok", Verdict.BLOCK, None)
    auditor = signed_in(app, Role.AUDITOR)
    form = {"csrf_token": auditor.csrf, "mark": "question", "note": "who is\n<i>that</i>?"}
    assert auditor.post(f"/record/{event.id}/mark", data=form).status_code == 303
    auditor.post(f"/record/{event.id}/mark", data={**form, "mark": "fine", "note": ""})
    first, second = audit(directory, "record-marked")
    assert (first.user, first.reason) == ("auditor", "who is <i>that</i>?")
    assert first.document["embargo"]["console"] == {"record": event.id, "mark": "question"}
    assert second.document["embargo"]["seal"]
    page = shown(auditor, f"/record/{event.id}", "<strong>fine</strong>")
    assert "<strong>question</strong>" in page and "<strong>fine</strong>" in page
    assert "who is &lt;i&gt;that&lt;/i&gt;?" in page
    assert auditor.post(f"/record/{event.id}/mark", data={**form, "mark": "nonsense"}).status_code == 400
    assert len(audit(directory, "record-marked")) == 2


def test_marks_outlive_the_store(tmp_path: Path) -> None:
    """Rows have other numbers in a store that is built anew: no mark is lost, none is shown twice."""
    events = write(tmp_path / "log", a_policy(tmp_path / "policy"), count=8)
    app = read(a_console(tmp_path, policy=(tmp_path / "policy/site.yaml",)))
    auditor = signed_in(app, Role.AUDITOR)
    event = next(each for each in events if isinstance(each, Judged))
    path = f"/record/{event.id}"
    for note in ("first", "second"):
        auditor.post(f"{path}/mark", data={"csrf_token": auditor.csrf, "mark": "fine", "note": note})
        assert shown(auditor, path, f">{note}<").count(f">{note}<") == 1
        app.extensions["embargo"].store.rebuild()
    auditor.post(f"{path}/mark", data={"csrf_token": auditor.csrf, "mark": "wrong", "note": "third"})
    page = shown(auditor, path, ">third<")
    assert [page.count(f">{note}<") for note in ("first", "second", "third")] == [1, 1, 1]


def test_the_seal_stands_with_the_answer(tmp_path: Path) -> None:
    """What an auditor prints says whether the record can be relied upon."""
    loaded = a_policy(tmp_path / "policy")
    events = [each for each in write(tmp_path / "log", loaded, count=8) if isinstance(each, Judged)]
    app = read(a_console(tmp_path, policy=(tmp_path / "policy/site.yaml",)))
    auditor = signed_in(app, Role.AUDITOR)
    path = f"/record/{events[0].id}"
    auditor.post(f"{path}/mark", data={"csrf_token": auditor.csrf, "mark": "fine"})  # which makes the key, and signs
    listed = shown(auditor, "/log?q=action:record-marked", 'href="/record/')
    audit_path = re.search(r'href="(/record/[^"]+)"', listed)
    assert audit_path
    page = auditor.get(audit_path[1]).text
    (marked,) = audit(tmp_path, "record-marked")
    assert marked.seal is not None and marked.seal in page
    assert "the log is whole" in page or "being verified" in page


def test_an_exception_is_shown_then_granted(tmp_path: Path) -> None:
    loaded = a_policy(tmp_path / "policy")
    events = [each for each in write(tmp_path / "log", loaded, count=60) if isinstance(each, Judged)]
    policy = tmp_path / "policy/site.yaml"
    app = read(a_console(tmp_path, policy=(policy,)))
    admin = signed_in(app, Role.ADMIN)
    event = next(each for each in events if each.decision.rule_id == "no-short-video" and each.user)
    wish = {"csrf_token": admin.csrf, "what": "app:tiktok", "whom": "user", "long": "1h", "reason": "press review"}
    shown = admin.post(f"/record/{event.id}/exception", data=wish).text
    assert "Opens 2 endpoints" in shown and "domain:tiktokcdn.com" in shown
    assert not (policy.parent / "exceptions.yaml").exists()  # shown, not done
    fields = dict(
        re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">', shown.partition("Grant the")[0])
    )
    assert fields["long"] == "until" and fields["until"].startswith("2026-11-24T11:00:00")
    done = admin.post(f"/record/{event.id}/exception/grant", data={**fields, "csrf_token": admin.csrf})
    assert done.status_code == 303
    (rule,) = [rule for rule in load([policy]).policy.rules if rule.exception]
    assert (rule.users, rule.apps.ids, rule.author, rule.reason) == ({event.user}, {"tiktok"}, "admin", "press review")
    assert rule.until is not None and (rule.until - NOW).total_seconds() == 3600
    assert [record.outcome for record in audit(tmp_path, "exception-added")][-2:] == ["unknown", "success"]


REFUSED = {  # case: (changed fields, what is said)
    "no reason": ({"reason": " "}, "say why"),
    "no time": ({"long": "until", "until": "soon"}, "is no time"),
    "in the past": ({"long": "until", "until": "2020-01-01"}, "before it begins"),
    "longer than a year": ({"long": "until", "until": "2030-01-01"}, "longer than 366 days"),
    "something else": ({"what": "app:qq"}, "choose what to let through"),
    "somebody else": ({"whom": "bob"}, "choose for whom"),
    "no basis": ({"basis": "because"}, "is no basis"),
}


@pytest.mark.parametrize(("changed", "said"), REFUSED.values(), ids=REFUSED)
@pytest.mark.parametrize("path", ["exception", "exception/grant"])
def test_an_exception_that_cannot_be(week: Week, path: str, changed: dict[str, str], said: str) -> None:
    admin = signed_in(week[0], Role.ADMIN)
    event = one(week, "tiktok", Verdict.BLOCK, None)
    wish = {"csrf_token": admin.csrf, "what": "app:tiktok", "whom": "client", "long": "1d", "reason": "r", **changed}
    answer = admin.post(f"/record/{event.id}/{path}", data=wish)
    assert answer.status_code == 422
    assert said in answer.text
    assert not (week[1] / "policy/exceptions.yaml").exists()


def test_an_order_in_force_asks_for_more(week: Week) -> None:
    admin = signed_in(week[0], Role.ADMIN)
    event = one(week, "wechat", Verdict.BLOCK)
    wish = {"csrf_token": admin.csrf, "what": "app:wechat", "whom": "user", "long": "1h", "reason": "r"}
    shown = admin.post(f"/record/{event.id}/exception", data=wish).text
    assert "binds this organization, so this exception needs" in shown
    assert "Grant the exception" not in shown
    assert admin.post(f"/record/{event.id}/exception/grant", data=wish).status_code == 422
    assert not (week[1] / "policy/exceptions.yaml").exists()


def test_an_operator_asks(week: Week) -> None:
    app, directory, _ = week
    event = one(week, "tiktok", Verdict.BLOCK, None)
    operator = signed_in(app, Role.OPERATOR)
    page = operator.get(f"/record/{event.id}").text
    assert "Ask for an exception" in page and str(event.client) not in page  # whose request it was is masked
    form = {"csrf_token": operator.csrf, "what": "app:tiktok", "whom": "client", "long": "1d", "reason": "a complaint"}
    assert operator.post(f"/record/{event.id}/ask", data=form).status_code == 303
    (asked,) = audit(directory, "exception-asked")
    assert (asked.user, asked.reason) == ("operator", "a complaint")
    read(app)
    assert "asked for an exception of 1 day" in signed_in(app, Role.ADMIN).get(f"/record/{event.id}").text


def test_an_auditor_asks_and_changes_nothing(week: Week) -> None:
    app, directory, _ = week
    before = {path.name: path.read_bytes() for path in (directory / "policy").iterdir()}
    event = one(week, "wechat", Verdict.BLOCK)
    auditor = signed_in(app, Role.AUDITOR)
    page = auditor.get(f"/record/{event.id}").text
    assert "Ask for an exception" in page and "Grant the exception" not in page
    form = {"csrf_token": auditor.csrf, "what": "app:wechat", "whom": "client", "long": "1h", "reason": "innocent?"}
    assert auditor.post(f"/record/{event.id}/ask", data=form).status_code == 303
    asked = audit(directory, "exception-asked")[-1]
    assert (asked.user, asked.reason) == ("auditor", "innocent?")
    assert {path.name: path.read_bytes() for path in (directory / "policy").iterdir()} == before


MAY_NOT = {  # case: (role, path)
    "a viewer marks": (Role.VIEWER, "mark"),
    "an admin marks": (Role.ADMIN, "mark"),
    "a viewer asks": (Role.VIEWER, "ask"),
    "an auditor grants": (Role.AUDITOR, "exception/grant"),
    "an operator grants": (Role.OPERATOR, "exception/grant"),
    "an operator looks what it would open": (Role.OPERATOR, "exception"),
}


@pytest.mark.parametrize(("role", "path"), MAY_NOT.values(), ids=MAY_NOT)
def test_who_may_not(week: Week, role: Role, path: str) -> None:
    browser = signed_in(week[0], role)
    event = one(week, "tiktok", Verdict.BLOCK, None)
    assert browser.post(f"/record/{event.id}/{path}", data={"csrf_token": browser.csrf}).status_code == 403


def test_a_viewer_sees_the_why_and_nobody(week: Week) -> None:
    event = one(week, "wechat", Verdict.BLOCK)
    page = signed_in(week[0], Role.VIEWER).get(f"/record/{event.id}").text
    assert "Executive Order 13943" in page
    for hidden in ("alice", str(event.client), event.connection, str(event.user_agent), f"port {event.client_port}"):
        assert hidden not in page, hidden
