"""What a refused client gets: the form that it can show, and nothing that is not for it."""

import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
from mitmproxy import http
from mitmproxy.test import tutils

from embargo.core.catalogue import App
from embargo.core.decide import decide
from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.rules import AppSelector, Policy
from embargo.enforce.answers import connect_answer, http_answer, load_template, pick_language, refusal, status_of
from sample import app, authority, endpoint, group, policy, request, rule

GOLDEN = Path(__file__).parents[1] / "golden" / "enforce" / "block.html"
INCIDENT = "01a20d84-bd20-70b6-b825-188fcd68d6f6"
MARKUP = "<script>alert(1)</script>\"'&"

SECRETS = ("a secret reason", "SECRET-1", "secret approver", "secret-group")


def banning(*, bound: bool = False, **settings: Any) -> Policy:
    order = authority("eo-1", in_force="2020-01-01")
    return policy(
        [
            app("pay", endpoint("pay.test"), named_in=("eo-1",)),
            App(id="odd", name=MARKUP, endpoints=(endpoint("odd.test"),)),
        ],
        [
            rule(
                "ban",
                "block",
                AppSelector(all=True, named_in=("eo-1",)),
                not_groups=(group("secret-group", clients="192.0.2.0/24"),),
                message={"": "Not allowed here.", "de": "Hier nicht erlaubt.", "pt-BR": "Proibido."},
                reason="a secret reason",
                ticket="SECRET-1",
                approved_by="secret approver",
            )
        ],
        [order],
        organization="Example Corp",
        contact="https://help.example.com/?incident={incident}",
        bound_by=frozenset({"eo-1"} if bound else ()),
        **settings,
    )


def decision(rules: Policy, host: str = "www.pay.test") -> Decision:
    made = decide(rules, request(host, client="198.51.100.1"))
    assert made.verdict is Verdict.BLOCK
    return made


def asked(method: str = "GET", **headers: str) -> http.Request:
    fields = [(b"host", b"www.pay.test")]
    fields += [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return tutils.treq(method=method.encode(), host="www.pay.test", headers=http.Headers(fields))


def answer(asked_for: http.Request, *, bound: bool = False, host: str = "www.pay.test") -> http.Response:
    rules = banning(bound=bound)
    language = asked_for.headers.get("accept-language", "")
    refused = refusal(rules, decision(rules, host), INCIDENT, accept_language=language)
    return http_answer(refused, asked_for, load_template(""))


PAGE, PROBLEM = "text/html; charset=utf-8", "application/problem+json"
FORMS: dict[str, tuple[http.Request, int, str | None, bool]] = {  # case: (request, status, content type, a body)
    "a browser's page": (asked(accept="text/html,*/*;q=0.8"), 403, PAGE, True),
    "a browser's document": (asked(sec_fetch_dest="document"), 403, PAGE, True),
    "a frame": (asked(sec_fetch_dest="iframe"), 403, PAGE, True),
    "a form that was sent": (asked("POST", accept="text/html"), 403, PAGE, True),
    "curl": (asked(accept="*/*"), 403, PROBLEM, True),
    "a JSON client": (asked(accept="application/json"), 403, PROBLEM, True),
    "no Accept": (asked(), 403, PROBLEM, True),
    "fetch": (asked(accept="*/*", sec_fetch_dest="empty"), 403, PROBLEM, True),
    "HEAD": (asked("HEAD", accept="text/html"), 403, PAGE, False),
    "an image": (asked(accept="image/*,*/*", sec_fetch_dest="image"), 403, None, False),
    "an image, of an older client": (asked(accept="image/avif,image/webp,*/*;q=0.8"), 403, None, False),
    "a style, of an older client": (asked(accept="text/css,*/*;q=0.1"), 403, None, False),
    "a script": (asked(sec_fetch_dest="script"), 403, None, False),
    "a style sheet": (asked(sec_fetch_dest="style"), 403, None, False),
    "a font": (asked(sec_fetch_dest="font"), 403, None, False),
    "a worker": (asked(sec_fetch_dest="serviceworker"), 403, None, False),
    "a CORS preflight": (asked("OPTIONS", access_control_request_method="PUT"), 403, None, False),
    "OPTIONS that is none": (asked("OPTIONS"), 403, PROBLEM, True),
    "gRPC": (asked("POST", content_type="application/grpc+proto"), 200, "application/grpc+proto", False),
    "gRPC-web": (asked("POST", content_type="application/grpc-web; x=y"), 200, "application/grpc-web", False),
}


@pytest.mark.parametrize(("asked_for", "status", "content_type", "body"), FORMS.values(), ids=FORMS)
def test_form(asked_for: http.Request, status: int, content_type: str | None, body: bool) -> None:
    got = answer(asked_for)
    assert got.status_code == status
    assert got.headers.get("content-type") == content_type
    assert bool(got.raw_content) is body
    assert got.headers["cache-control"] == "no-store"
    if asked_for.method == "HEAD":
        assert int(got.headers["content-length"]) > 1000, "as the GET would have it (RFC 9110, 8.6)"
    elif content_type is None or not content_type.startswith("application/grpc"):
        assert int(got.headers["content-length"]) == len(got.raw_content or b"")


def test_grpc_says_what_and_which() -> None:
    got = answer(asked("POST", content_type="application/grpc-web", origin="https://app.example"))
    assert got.headers["grpc-status"] == "7"
    assert got.headers["grpc-message"] == f"Not allowed here. Incident {INCIDENT}"
    assert got.headers["access-control-allow-origin"] == "https://app.example"


def test_a_grpc_message_is_percent_encoded() -> None:
    rules = policy([app("pay", "pay.test")], [rule("ban", "block", message={"": "Verboten: ü\r\n%"})])
    got = http_answer(
        refusal(rules, decision(rules), INCIDENT), asked("POST", content_type="application/grpc"), load_template("")
    )
    assert got.headers["grpc-message"].startswith("Verboten: %C3%BC%0D%0A%25")


def test_the_problem_document() -> None:
    assert json.loads(answer(asked(), bound=True).content or b"") == {
        "type": "https://www.rfc-editor.org/rfc/rfc7725#section-3",
        "title": "Blocked for legal reasons",
        "status": 451,
        "detail": "Not allowed here.",
        "instance": f"urn:uuid:{INCIDENT}",
        "app": "Pay",
        "rule": "ban",
        "authority": ["EO-1"],
        "contact": f"https://help.example.com/?incident={INCIDENT}",
    }


def test_a_legal_block_links_to_who_blocks() -> None:
    legal, own = answer(asked(), bound=True), answer(asked())
    assert (legal.status_code, own.status_code) == (451, 403)
    assert legal.headers["link"] == f'<https://help.example.com/?incident={INCIDENT}>; rel="blocked-by"'
    assert "link" not in own.headers


CONTACTS = {
    "a URL": ("https://help.example.com/", '<https://help.example.com/>; rel="blocked-by"'),
    "an address": ("it@example.com", '<mailto:it@example.com>; rel="blocked-by"'),
    "one that would end the header": ("https://x.example/>\r\nX: y", None),
}


@pytest.mark.parametrize(("contact", "link"), CONTACTS.values(), ids=CONTACTS)
def test_the_link(contact: str, link: str | None) -> None:
    rules = policy(
        [app("pay", "pay.test", named_in=("eo-1",))],
        [rule("ban", "block", AppSelector(named_in=("eo-1",)))],
        [authority("eo-1", in_force="2020-01-01")],
        bound_by=frozenset({"eo-1"}),
        contact=contact,
    )
    got = http_answer(refusal(rules, decision(rules), INCIDENT), asked(), load_template("")).headers["link"]
    assert got == link if link is not None else not re.search(r"[\r\n]|>.*>", got)


LANGUAGES = {  # case: (Accept-Language, text)
    "none": ("", "default"),
    "exact": ("de", "Deutsch"),
    "a region of it": ("de-AT,en;q=0.5", "Deutsch"),
    "by weight": ("en;q=0.5, de;q=0.9", "Deutsch"),
    "in any case": ("PT-br", "Português"),
    "unknown": ("xx, yy", "default"),
    "broken weights": ("de;q=x, pt-BR;q=0.1", "Português"),
    "a wildcard": ("*", "default"),
}


@pytest.mark.parametrize(("accepted", "text"), LANGUAGES.values(), ids=LANGUAGES)
def test_language(accepted: str, text: str) -> None:
    texts = {"": "default", "de": "Deutsch", "pt-BR": "Português"}
    assert texts[pick_language(texts, accepted)] == text


def test_the_page_speaks_the_clients_language() -> None:
    page = answer(asked(accept="text/html", accept_language="de-DE,de")).text or ""
    assert '<p lang="de">Hier nicht erlaubt.</p>' in page


ECHOES = {
    "the Host": asked(accept="text/html"),
    "the user agent": asked(accept="text/html", user_agent=MARKUP),
    "the language": asked(accept="text/html", accept_language=MARKUP),
    "the path": asked(accept="text/html"),
    "the origin": asked("POST", content_type="application/grpc-web", origin=MARKUP),
}


@pytest.mark.parametrize("asked_for", ECHOES.values(), ids=ECHOES)
def test_nothing_is_echoed_unescaped(asked_for: http.Request) -> None:
    asked_for.headers["host"] = MARKUP
    asked_for.path = f"/{MARKUP}"
    for host in ("www.pay.test", "odd.test"):
        got = answer(asked_for, host=host)
        assert "<script" not in (got.text or "")
    asked_for.headers["accept"] = "application/json"
    json.loads(answer(asked_for, host="odd.test").content or b"{}")


def test_secrets_stay_in_the_log() -> None:
    requests = [asked_for for asked_for, *_ in FORMS.values()]
    for bound in (False, True):
        for asked_for in requests:
            got = answer(asked_for, bound=bound)
            shown = bytes(got.headers) + (got.raw_content or b"")
            assert not [secret for secret in SECRETS if secret.encode() in shown]


def test_connect() -> None:
    rules = banning()
    refused = refusal(rules, decision(rules), INCIDENT)
    browser = connect_answer(refused, asked("CONNECT", user_agent="Mozilla/5.0"), load_template(""))
    other = connect_answer(refused, asked("CONNECT", user_agent="curl/8"), load_template(""))
    assert (browser.headers["content-type"], other.headers["content-type"]) == (PAGE, PROBLEM)


STATUSES = {
    "no policy": (Reason.NO_POLICY, 503),
    "a fault": (Reason.ERROR, 503),
    "malformed": (Reason.MALFORMED, 403),
    "undecided": (Reason.UNDECIDED, 403),
}


@pytest.mark.parametrize(("reason", "status"), STATUSES.values(), ids=STATUSES)
def test_a_refusal_without_a_rule(reason: Reason, status: int) -> None:
    made = Decision(verdict=Verdict.BLOCK, reason=reason, error="internal detail")
    assert status_of(made) == status
    for rules in (None, banning()):
        got = http_answer(refusal(rules, made, INCIDENT), asked(accept="text/html"), load_template(""))
        assert got.status_code == status
        assert ("retry-after" in got.headers) is (status == 503)
        assert "internal detail" not in (got.text or "")


def test_the_page_is_as_agreed() -> None:
    """RENEW_GOLDEN=1 writes it anew: read the difference, and look at it in a browser."""
    page = answer(asked(accept="text/html"), bound=True)
    nonce = re.search(r"'nonce-([^']+)'", page.headers["content-security-policy"])
    assert nonce is not None
    assert page.headers["content-security-policy"].startswith("default-src 'none'; style-src 'nonce-")
    text = (page.text or "").replace(nonce[1], "NONCE")
    if os.environ.get("RENEW_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_nonces_differ() -> None:
    policies = {answer(asked(accept="text/html")).headers["content-security-policy"] for _ in range(3)}
    assert len(policies) == 3


def test_a_template_of_ones_own(tmp_path: Path) -> None:
    own = tmp_path / "own.html"
    own.write_text("{{ refusal.apps }} {{ refusal.status }} {{ host }}")
    rules = banning()
    got = http_answer(
        refusal(rules, decision(rules, "odd.test"), INCIDENT), asked(accept="text/html"), load_template(str(own))
    )
    assert got.text == "&lt;script&gt;alert(1)&lt;/script&gt;&#34;&#39;&amp; 403 www.pay.test"
