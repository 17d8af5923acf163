"""Passwords kept out of what is said of a failure: its text may quote what was at hand."""

import binascii
import logging
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Sequence

from mitmproxy import ctx, http

_HEADERS = ("proxy-authorization", "authorization", "cookie")
_WITHHELD = "(withheld)"
_QUOTED = re.compile(r"(authorization\b\W*).+", re.IGNORECASE | re.DOTALL)
_SHORTEST = 4  # characters; a shorter one would be found in any text, whose words would then give it away


def secrets_of(data: object) -> tuple[str, ...]:
    """What must not be repeated of a hook's argument, the longest first."""
    if not isinstance(data, http.HTTPFlow):
        return ()
    found: set[str] = set()
    for name in _HEADERS:
        for value in data.request.headers.get_all(name):
            found.update(_of_value(value))
    for pair in _pairs(data):
        found.update(_of_pair(*pair))
    return tuple(sorted((form for form in _forms(found) if len(form) >= _SHORTEST), key=len, reverse=True))


def without(text: str, secrets: Sequence[str]) -> str:
    """*text* with each of *secrets* withheld."""
    for secret in secrets:
        text = text.replace(secret, _WITHHELD)
    return text


class Withholding(logging.Filter):
    """Withholds what follows the name of an authorization header in mitmproxy's own lines.

    mitmproxy prints a header line that it cannot read (12.2.3: "Invalid header line: b'Proxy-Authorization Basic …'").
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let *record* pass, without the secret."""
        message = record.getMessage()
        if (told := _QUOTED.sub(rf"\1{_WITHHELD}", message)) != message:
            record.msg, record.args = told, None
        return True


def withhold() -> None:
    """Let mitmproxy's lines about connections repeat no password."""
    logger = logging.getLogger("mitmproxy.proxy.server")
    if not any(isinstance(known, Withholding) for known in logger.filters):
        logger.addFilter(Withholding())


def _of_value(value: str) -> Iterator[str]:
    """A header's value, its credentials, and where they are basic (RFC 7617) the password."""
    yield value
    _, _, credentials = value.strip().partition(" ")
    if credentials.strip():
        yield credentials.strip()
        try:
            decoded = b64decode(credentials).decode("utf-8", "replace")
        except (binascii.Error, ValueError):
            return
        user, colon, password = decoded.partition(":")
        if colon:
            yield from _of_pair(user, password)


def _of_pair(user: str, password: str) -> Iterator[str]:
    yield password
    yield f"{user}:{password}"
    yield b64encode(f"{user}:{password}".encode()).decode()
    yield b64encode(password.encode()).decode()


def _pairs(flow: http.HTTPFlow) -> Iterator[tuple[str, str]]:
    """Users with their passwords, as mitmproxy's proxy authentication keeps them."""
    addon = ctx.master.addons.get("proxyauth")
    held = addon.authenticated.get(flow.client_conn) if addon is not None else None
    for pair in (flow.metadata.get("proxyauth"), held):
        if pair and pair[1]:
            yield pair


def _forms(secrets: Iterable[str]) -> Iterator[str]:
    """*secrets* as they are, and as a message may quote them."""
    for secret in secrets:
        yield secret
        yield secret.rstrip("=")
        yield repr(secret)[1:-1]
        yield ascii(secret)[1:-1]
        yield repr(secret.encode())[2:-1]
