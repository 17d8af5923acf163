"""The log's page: what its URL says is what it shows; views, completion, jumps; hostile text shown harmless."""

import re
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from flask import Flask

from console.a_week import CLIENTS, HOSTILE, a_week
from console.signed_in import Browser, a_console, anybody, signed_in
from embargo.console.access.rights import Role


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    return a_week(tmp_path_factory.mktemp("log-page"))


@pytest.fixture(scope="module")
def auditor(app: Flask) -> Browser:
    return signed_in(app, Role.AUDITOR)


@pytest.fixture(scope="module")
def viewer(app: Flask) -> Browser:
    return signed_in(app, Role.VIEWER)


def get(browser: Browser, path: str, **query: str) -> str:
    answer = browser.get(f"{path}?{urlencode(query)}")
    assert answer.status_code == 200
    return answer.text


def total(page: str) -> int:
    found = re.search(r'data-total="([0-9]+)"', page)
    assert found
    return int(found[1])


BAD = {  # case: (query, what the page says)
    "an unknown key": ("aap:wechat", "did you mean &#39;app&#39;?"),
    "no network": ("client:10.1.2.3.4", "no address and no network"),
    "a quotation mark alone": ('app:"we', "has no partner"),
    "too long": ("a" * 5000, "at most 4000"),
    "an unknown class": ("class:block", "did you mean &#39;blocked&#39;?"),
    "too many terms": (" ".join(f"h{number}" for number in range(101)), "a filter of 101 terms; at most 100"),
}


@pytest.mark.parametrize(("query", "said"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("path", ["/log", "/"])
def test_a_filter_that_is_none(auditor: Browser, path: str, query: str, said: str) -> None:
    answer = auditor.get(f"{path}?{urlencode({'q': query})}")
    assert answer.status_code == 400
    assert said in answer.text
    assert 'aria-invalid="true"' in answer.text  # what was typed is still there to be mended


FAR = (
    {"until": "0001-01-01"},
    {"q": "until:0001-01-02"},
    {"since": "0001-01-01T00:00+14:00"},
    {"q": "since:100000w"},
    {"until": "9999-12-31T23:59:59.999999"},
    {"at": "9999-12-31T23:59:59.999999"},
    {"at": "0001-01-01T00:00+14:00"},
)


@pytest.mark.parametrize("query", FAR, ids=str)
@pytest.mark.parametrize("path", ["/log", "/"])
def test_times_that_no_clock_has(auditor: Browser, path: str, query: dict[str, str]) -> None:
    answer = auditor.get(f"{path}?{urlencode(query)}")
    assert answer.status_code == (200 if path == "/" and "at" in query else 400)  # which the overview does not know


def test_an_incident_id_is_enough(app: Flask, auditor: Browser, viewer: Browser) -> None:
    identifier = "019dc9a8-0000-7000-8000-0000000dbba1"
    for typed in (identifier, f" {identifier.upper()} ", f"urn:uuid:{identifier}"):
        answer = auditor.get(f"/log?{urlencode({'q': typed})}")
        assert (answer.status_code, answer.headers.get("Location")) == (303, f"/record/{identifier}"), typed
    for path in ("/", "/log"):
        assert viewer.get(f"{path}?q={identifier}").headers.get("Location") == f"/record/{identifier}"
    unknown = auditor.get("/log?q=019dc9a8-0000-7000-8000-00000000ffff")
    assert "No record matches" in unknown.text


EMPTY = {  # case: (query, what to do)
    "none match": ("app:none", "Clear the filter"),
}


@pytest.mark.parametrize(("query", "said"), EMPTY.values(), ids=EMPTY)
def test_nothing_to_show(auditor: Browser, query: str, said: str) -> None:
    assert said in get(auditor, "/log", q=query)


def test_no_log_at_all(tmp_path: Path) -> None:
    browser = signed_in(a_console(tmp_path), Role.AUDITOR)
    for path in ("/log", "/"):
        assert "No decisions yet" in browser.get(path).text
        assert "curl -x" in browser.get(path).text


@pytest.mark.parametrize("path", ["/", "/log", "/record/019dc9a8-0000-7000-8000-0000000dbba1"])
def test_a_log_that_vanished(tmp_path: Path, path: str) -> None:
    """It says what is amiss, in words; and goes on when the directory is back."""
    app = a_week(tmp_path, count=1)
    browser = signed_in(app, Role.AUDITOR)
    assert browser.get(path).status_code == 200
    (tmp_path / "log").rename(tmp_path / "elsewhere")
    gone = browser.get(path)
    assert gone.status_code == 503
    assert "cannot be read" in gone.text
    (tmp_path / "elsewhere").rename(tmp_path / "log")
    assert browser.get(path).status_code == 200


def test_a_store_that_is_damaged_or_built_anew(tmp_path: Path) -> None:
    app = a_week(tmp_path, count=3)
    browser = signed_in(app, Role.AUDITOR)
    pinned = re.search(r'href="(/log\?[^"]*snapshot=[^"]+)" data-count="([0-9]+)"', browser.get("/").text)
    assert pinned
    store = app.extensions["embargo"].store
    store.rebuild()
    page = browser.get(pinned[1].replace("&amp;", "&"))
    assert (page.status_code, total(page.text)) == (200, int(pinned[2]))
    database = store.place.database()
    assert database is not None
    database.write_bytes(b"no database" * 1000)
    answers = [browser.get("/log") for _ in range(3)]  # it is made anew; until then the page says what is amiss
    for answer in answers:
        assert answer.status_code == 200 or "embargo store rebuild" in answer.text
        assert "SELECT" not in answer.text
    store.rebuild()
    assert browser.get("/log").status_code == 200


def test_filter_for_and_out(auditor: Browser) -> None:
    page = get(auditor, "/log", q="class:blocked")
    links = {urlsplit(url).query for url in re.findall(r'href="([^"]+)">Filter (?:for|it)', page)}
    asked = [parse_qs(query.replace("&amp;", "&"))["q"][0] for query in links]
    assert "class:blocked app:wechat" in asked
    assert "class:blocked -app:wechat" in asked
    everything, some = total(page), total(get(auditor, "/log", q="class:blocked app:wechat"))
    assert some + total(get(auditor, "/log", q="class:blocked -app:wechat")) == everything


def test_decisions_alone(auditor: Browser) -> None:
    """What the proxies say of themselves fills no auditor's page."""
    link = re.search(r'href="([^"]+)">Decisions only<', get(auditor, "/log", q="since:7d"))
    assert link
    page = auditor.get(link[1].replace("&amp;", "&")).text
    assert total(page) == total(get(auditor, "/log", q="since:7d")) - total(get(auditor, "/log", q="since:7d -class:*"))
    assert "Decisions only" not in page and "since:7d" in page


def test_columns(auditor: Browser) -> None:
    page = auditor.get("/log?column=endpoint&column=status").text
    assert re.findall(r'<th scope="col" class="col-([a-z]+)"', page) == ["time", "endpoint", "status"]


def test_pages_are_disjoint_and_lead_back(auditor: Browser) -> None:
    first = get(auditor, "/log", fold="no")
    older = re.search(r'href="([^"]+)" rel="next"', first)
    assert older
    second = auditor.get(older[1].replace("&amp;", "&")).text
    ids = [set(re.findall(r"/record/([0-9a-f-]+)", page)) for page in (first, second)]
    assert ids[0] and ids[1] and not ids[0] & ids[1]
    newer = re.search(r'href="([^"]+)" rel="prev"', second)
    assert newer
    assert set(re.findall(r"/record/([0-9a-f-]+)", auditor.get(newer[1].replace("&amp;", "&")).text)) == ids[0]


def test_jump_to_a_time(auditor: Browser) -> None:
    answer = auditor.get("/log?" + urlencode({"at": "2026-11-20 12:00", "q": "class:blocked", "fold": "no"}))
    assert answer.status_code == 303
    page = auditor.get(answer.headers["Location"]).text
    shown = re.findall(r'<time datetime="(2026-[^"]+)"', page[page.index("<tbody>") :])
    assert shown and max(shown) <= "2026-11-20T12:00:00.001Z"
    assert total(page) == total(get(auditor, "/log", q="class:blocked"))


def test_times_in_the_sites_zone(app: Flask) -> None:
    browser = signed_in(app, Role.AUDITOR, "zoned")
    answer = browser.post(
        "/display", data={"csrf_token": browser.csrf, "theme": "dark", "zone": "site", "next": "/log"}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, "/log")
    page = browser.get("/log").text
    assert 'data-theme="dark" data-zone="site" data-keys="off"' in page


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "/\\evil.example", ""])
def test_the_display_form_leads_nowhere_else(auditor: Browser, target: str) -> None:
    answer = auditor.post("/display", data={"csrf_token": auditor.csrf, "next": target})
    assert answer.headers["Location"] == "/"


def test_views_are_ones_own(app: Flask, auditor: Browser) -> None:
    form = {"csrf_token": auditor.csrf, "name": "  Blocked  this week ", "query": "q=class:blocked+since:7d&snapshot=3"}
    assert auditor.post("/log/views", data=form).status_code == 303
    page = auditor.get("/log").text
    assert "Blocked this week" in page
    assert 'href="/log?q=class:blocked+since:7d"' in page.replace("%3A", ":")  # times ago stay so; no snapshot is kept
    other = signed_in(app, Role.ADMIN)
    assert "Blocked this week" not in other.get("/log").text
    assert (
        other.post("/log/views/remove", data={"csrf_token": other.csrf, "name": "Blocked this week"}).status_code == 404
    )
    auditor.post("/log/views/remove", data={"csrf_token": auditor.csrf, "name": "Blocked this week"})
    assert "Blocked this week" not in auditor.get("/log").text.partition("<main")[2].partition("is gone")[2]


@pytest.mark.parametrize(("name", "query"), [("", "q=app:qq"), ("x" * 61, "q=app:qq"), ("x", "q=aap:qq")])
def test_a_view_that_cannot_be_kept(auditor: Browser, name: str, query: str) -> None:
    form = {"csrf_token": auditor.csrf, "name": name, "query": query}
    assert "Not saved" in auditor.post("/log/views", data=form, follow_redirects=True).text


def test_completion(auditor: Browser) -> None:
    found = auditor.get("/log/completions?q=since:7d+app:we").get_json()["completions"]
    assert found == ["since:7d app:wechat"]


def test_a_viewer_sees_no_clients_and_users(viewer: Browser, auditor: Browser) -> None:
    for path in ("/", "/log", "/log?fold=no", "/log?q=class:blocked"):
        page = viewer.get(path).text
        for name in (*CLIENTS, "10.66.6.6", "alice", "carol"):
            assert name not in page, path
    page = viewer.get("/log").text
    assert "client-" in page
    assert 'href="None"' not in page  # repeats that cannot be unfolded without a client
    assert total(viewer.get("/log").text) == total(auditor.get("/log").text)


@pytest.mark.parametrize(
    "query", ["client:10.20.0.0/16", "-client:10.20.3.17", "user:alice", "+user:alice", "connection:c-1", "id:1"]
)
@pytest.mark.parametrize("path", ["/", "/log"])
def test_a_viewer_cannot_ask_for_them_either(viewer: Browser, path: str, query: str) -> None:
    assert viewer.get(f"{path}?{urlencode({'q': query})}").status_code == 400


def test_hostile_text_stays_text(auditor: Browser) -> None:
    for path in ("/", "/log?fold=no", "/log?fold=no&q=client:10.66.6.6&column=user&column=host&column=method"):
        page = auditor.get(path).text
        for spoilt in (
            "<script>alert",
            "<img src=x",
            "<b>bold",
            'onmouseover="alert',
            "\x1b",
            "\x9b",
            "\u202e",
            "\u2066",
        ):
            assert spoilt not in page, (path, spoilt)
        assert "12221" not in page  # {{ 1111*11 }}
        assert "a" * 1100 not in page


def test_every_hostile_user_can_be_filtered_for(auditor: Browser) -> None:
    page = get(auditor, "/log", q="client:10.66.6.6", fold="no")
    links = re.findall(r'href="(/log\?[^"]+)">Filter for it<span class="visually-hidden">: user', page)
    assert len(links) >= sum("user" in members for members in HOSTILE.values())
    for url in set(links):
        found = auditor.get(url.replace("&amp;", "&"))
        assert found.status_code == 200
        assert total(found.text) >= 1


def test_nobody_sees_anything(app: Flask) -> None:
    for path in ("/", "/log", "/log/completions", "/log/tail", "/record/x"):
        assert anybody(app).get(path).status_code == 303  # to log-in
