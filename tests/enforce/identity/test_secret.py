"""What is said of a failure repeats no password, in whatever form the failure quotes it."""

import logging
from base64 import b64encode

import pytest
from mitmproxy import ctx
from mitmproxy.addons.proxyauth import ProxyAuth
from mitmproxy.test import taddons, tflow

from embargo.enforce.identity.secret import Withholding, secrets_of, without

PASSWORD = 'cörrect "horse"-1'
ENCODED = b64encode(f"alice:{PASSWORD}".encode()).decode()

QUOTED = {  # case: what an exception says
    "the header": f"cannot read Basic {ENCODED}",
    "the credentials": f"cannot read {ENCODED}",
    "the credentials without padding": f"cannot read {ENCODED.rstrip('=')}",
    "the password": f"cannot read {PASSWORD}",
    "user and password": f"cannot read alice:{PASSWORD}",
    "quoted": f"cannot read {PASSWORD!r}",
    "in ASCII": f"cannot read {PASSWORD!a}",
    "as bytes": f"cannot read {PASSWORD.encode()!r}",
    "the header's fields": f"cannot read {((b'Proxy-Authorization', f'Basic {ENCODED}'.encode()),)}",
    "the password alone, encoded": f"cannot read {b64encode(PASSWORD.encode()).decode()}",
}
FORMS = {
    PASSWORD, repr(PASSWORD)[1:-1], ascii(PASSWORD)[1:-1], repr(PASSWORD.encode())[2:-1], ENCODED.rstrip("="),
    b64encode(PASSWORD.encode()).decode().rstrip("="),
}  # fmt: skip


@pytest.mark.parametrize("text", QUOTED.values(), ids=QUOTED)
@pytest.mark.parametrize("held", ["header", "flow", "connection"])
def test_no_password_is_repeated(text: str, held: str) -> None:
    flow = tflow.tflow()
    with taddons.context(ProxyAuth()):
        match held:
            case "header":
                flow.request.headers["Proxy-Authorization"] = f"Basic {ENCODED}"
            case "flow":
                flow.metadata["proxyauth"] = ("alice", PASSWORD)
            case _:
                ctx.master.addons.get("proxyauth").authenticated[flow.client_conn] = ("alice", PASSWORD)
        said = without(text, secrets_of(flow))
    assert said.startswith("cannot read ")
    assert [form for form in FORMS if form in said] == []


ELSE = {  # case: (header, value, what may not be repeated)
    "a token": ("Authorization", "Bearer eyJhbGciOi", "eyJhbGciOi"),
    "a cookie": ("Cookie", "session=c0ffee", "c0ffee"),
    "no base64": ("Proxy-Authorization", "Basic $$secret$$", "$$secret$$"),
    "no scheme": ("Proxy-Authorization", "c2VjcmV0", "c2VjcmV0"),
}


@pytest.mark.parametrize(("name", "value", "secret"), ELSE.values(), ids=ELSE)
def test_nor_what_else_lets_somebody_in(name: str, value: str, secret: str) -> None:
    flow = tflow.tflow()
    flow.request.headers[name] = value
    with taddons.context(ProxyAuth()):
        assert secret not in without(f"cannot read {value!r}", secrets_of(flow))


def test_without_secrets_nothing_is_withheld() -> None:
    with taddons.context():
        assert without("cannot read this", secrets_of(tflow.tflow())) == "cannot read this"
        assert secrets_of(tflow.ttcpflow()) == ()


LINES = {  # case: (line, as it is printed)
    "a header line that cannot be read": (
        "Invalid header line: b'Proxy-Authorization Basic YWxpY2U6c2VjcmV0'",
        "Invalid header line: b'Proxy-Authorization (withheld)",
    ),
    "in another spelling": ("b'AUTHORIZATION : x y'", "b'AUTHORIZATION : (withheld)"),
    "over several lines": ("authorization: a\n b", "authorization: (withheld)"),
    "another": ("client connect", "client connect"),
    "what only sounds alike": ("authorizations.test: x", "authorizations.test: x"),
}


@pytest.mark.parametrize(("line", "printed"), LINES.values(), ids=LINES)
def test_lines_of_mitmproxy(line: str, printed: str) -> None:
    record = logging.LogRecord("mitmproxy.proxy.server", logging.INFO, "", 0, "%s", (line,), None)
    assert Withholding().filter(record)
    assert record.getMessage() == printed
