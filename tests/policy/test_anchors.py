"""The anchors of `settings.log.anchors`: what each form means, and what is refused."""

from typing import Any

import pytest

from embargo.core.sink import Transport
from embargo.policy.anchors import anchor, distinct
from embargo.policy.problem import Mistake

FORMS: dict[str, tuple[dict[str, Any], Transport, str]] = {
    "a file": ({"file": "/mnt/anchor/proxy1.jsonl"}, Transport.FILE, "/mnt/anchor/proxy1.jsonl"),
    "syslog": ({"syslog": "siem.example.com:601"}, Transport.TCP, "tcp://siem.example.com:601"),
    "syslog, its usual port": ({"syslog": "siem.example.com"}, Transport.TCP, "tcp://siem.example.com:514"),
    "syslog inside TLS": (
        {"syslog": "siem.example.com", "tls": True, "ca_file": "/etc/ca.pem"},
        Transport.TLS,
        "tls://siem.example.com:6514",
    ),
    "syslog, an IPv6 address": ({"syslog": "[2001:db8::1]:601"}, Transport.TCP, "tcp://[2001:db8::1]:601"),
    "http": (
        {"http": "https://anchor.example.com/log/", "token_file": "/etc/token"},
        Transport.HTTPS,
        "https://anchor.example.com:443/log",
    ),
}


@pytest.mark.parametrize(("said", "transport", "to"), FORMS.values(), ids=FORMS)
def test_form(said: dict[str, Any], transport: Transport, to: str) -> None:
    made = anchor(said)
    assert (made.to.transport, str(made.to), made.filter) == (transport, to, "action:seal-checkpoint")
    assert all(getattr(made, key) == said[key] for key in ("token_file", "ca_file") if key in said)


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "nothing": ({}, "wrong-anchor", "has one of file, syslog, http; found none"),
    "two": ({"file": "/a", "http": "https://x"}, "wrong-anchor", "found file and http"),
    "a relative file": ({"file": "anchor"}, "relative-path", "absolute path"),
    "a URL of syslog": ({"syslog": "tcp://x:1"}, "wrong-anchor", "expected HOST:PORT"),
    "no port": ({"syslog": "x:99999"}, "wrong-sink", "Port out of range"),
    "another scheme": ({"http": "relp://x"}, "wrong-anchor", "expected http:// or https://"),
    "a password": ({"http": "https://a:b@x/"}, "wrong-sink", "a policy holds no secret"),
    "tls of a file": ({"file": "/a", "tls": True}, "wrong-anchor", "tls is for syslog"),
    "a token of a file": ({"file": "/a", "token_file": "/b"}, "sink-key", "token_file means nothing"),
    "a CA without TLS": ({"syslog": "x:1", "ca_file": "/b"}, "sink-key", "ca_file means nothing"),
    "a key without a certificate": ({"http": "https://x", "key_file": "/b"}, "sink-key", "no certificate"),
}


@pytest.mark.parametrize(("said", "code", "message"), REFUSED.values(), ids=REFUSED)
def test_refused(said: dict[str, Any], code: str, message: str) -> None:
    with pytest.raises(Mistake, match=message) as refused:
        anchor(said)
    assert refused.value.code == code


def test_each_place_is_served_once_and_keeps_its_id() -> None:
    one, again, other = anchor({"file": "/a"}), anchor({"file": "/a"}), anchor({"file": "/b"})
    assert distinct([one, other, again]) == (one, other)
    assert one.id == again.id != other.id
