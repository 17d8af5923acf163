"""Which answers over HTTPS are answers of DNS; `test_doh.py` has what becomes of them."""

import json

import pytest

from dns_writing import A, query
from embargo.core.dns_message import parse
from embargo.enforce.dns.doh_answer import LONGEST_JSON, Unread, read, to_json
from embargo.enforce.dns.doh_request import Form

RESPONSE = query("a.test", flags=0x8180)
DOCUMENT = b'{"Answer": [{"name": "a.test.", "type": 1, "TTL": 9, "data": "192.0.2.1"}]}'
BODIES = {  # case: (media type, body, form; None where it is no answer, whether it can be read)
    "a message": ("application/dns-message", RESPONSE, Form.MESSAGE, True),
    "of a type in capitals": ("Application/DNS-Message; x=y", RESPONSE, Form.MESSAGE, True),
    "of another type": ("text/plain", RESPONSE, Form.MESSAGE, True),
    "no message": ("application/dns-message", b"{}", Form.MESSAGE, False),
    "JSON": ("application/x-javascript", DOCUMENT, Form.JSON, True),
    "JSON behind white space": ("", b" \n" + DOCUMENT, Form.JSON, True),
    "JSON behind a mark": ("", b"\xef\xbb\xbf" + DOCUMENT, Form.JSON, True),
    "JSON in UTF-16": ("", DOCUMENT.decode().encode("utf-16"), Form.JSON, True),
    "JSON without end": ("application/dns-json", b"{" * (LONGEST_JSON + 1), Form.JSON, False),
    "another document": ("application/json", b'{"a": 1}', None, True),
    "a page": ("text/html", b"<html><body>nothing of the kind</body></html>", None, True),
    "a query": ("text/plain", query("a.test"), None, True),
    "a long page": ("text/html", b"<" + bytes(LONGEST_JSON), None, True),
    "nothing": ("", b"", None, True),
}


@pytest.mark.parametrize(("kind", "body", "form", "readable"), BODIES.values(), ids=BODIES)
def test_read(kind: str, body: bytes, form: Form | None, readable: bool) -> None:
    found = read(kind, body)
    assert (found[0] if found is not None else None) is form
    if found is not None:
        assert isinstance(found[1], Unread) is not readable


def test_to_json() -> None:
    document = json.loads(to_json(parse(query("a.test", flags=0x8183))))
    assert (document["Status"], document["Question"]) == (3, [{"name": "a.test.", "type": A}])
