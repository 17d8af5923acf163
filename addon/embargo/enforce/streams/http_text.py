"""HTTP on a stream that mitmproxy does not read as such: every Host is found, and none comes out in halves.

Where a message ends is taken from its head only if that leaves no doubt, and what is in a body is looked at all
the same: a server may see the end elsewhere, and so a request where we see a body.
"""

import re

from embargo.enforce.streams.passage import Passage
from embargo.enforce.tls.first_bytes import BLANK_LINE, LONGEST_HEAD, SPACE, TOKEN, hosts_in, unfinished

_REQUEST_LINE = re.compile(rb"\n%b*%b+%b+[^\n]*HTTP/[^\n]*\n" % (SPACE, TOKEN, SPACE), re.IGNORECASE)
_REQUEST_BEGUN = re.compile(rb"%b*%b+%b+[^ \t\x0b\x0c\r]" % (SPACE, TOKEN, SPACE))
_FIELD = re.compile(rb"(%b+):[ \t]*([^\r\n]*?)[ \t]*" % TOKEN)
_LENGTH = re.compile(rb"[0-9]{1,18}")
_UNFRAMED = frozenset({b"transfer-encoding", b"upgrade", b"http2-settings"})


class HttpText:
    """Finds names in the text that goes by, and holds a request head that has begun until it is whole."""

    def __init__(self) -> None:
        self._text = b""  # the end of what came: a line, or a head, that is not whole
        self._held = 0  # bytes at its end that have not gone on

    def feed(self, data: bytes, *, ends: bool = False) -> Passage:
        """What becomes of *data*; where the message *ends* with it, nothing is held."""
        text = b"\n" + self._text + data
        gone = len(text) - len(data) - self._held  # what of *text* went on before
        rest = unfinished(text)
        begun = len(text) if ends else max(_head_begun(text, rest), gone)
        refuse = None
        if rest is None:
            refuse = "a line of a request head that does not end"
        elif len(text) - begun > LONGEST_HEAD:
            refuse = "a request head that does not end"
        if rest is None or refuse is not None:
            return Passage(text[gone:], tuple(hosts_in(text)), refuse=refuse)
        self._held = len(text) - begun
        self._text = text[begun:] if self._held > len(rest) else rest
        return Passage(text[gone:begun], tuple(hosts_in(text[:begun])))  # a name that is cut is no name


def _head_begun(text: bytes, rest: bytes | None) -> int:
    """Where in *text*, with its unfinished *rest*, a request head begins that is not whole; else its length."""
    found = None
    for found in _REQUEST_LINE.finditer(text):  # noqa: B007 - the last one
        pass
    if found is not None and BLANK_LINE.search(text, found.end() - 1) is None:
        return found.start() + 1
    line = text.rfind(b"\n") + 1
    if rest is not None and rest != b"." and _REQUEST_BEGUN.match(text, line) is not None:
        return line
    return len(text)


def body_length(head: bytes) -> int | None:
    """Bytes of the body behind *head*, a whole request head; None where servers may see that differently."""
    line, *fields = head.strip(b"\r\n").split(b"\n")
    if line.lstrip()[:8].upper() == b"CONNECT ":
        return None
    lengths = []
    for text in fields:
        field = _FIELD.fullmatch(text.removesuffix(b"\r"))
        if field is None or field[1].lower() in _UNFRAMED:
            return None
        if field[1].lower() == b"content-length":
            lengths.append(field[2])
    if not lengths:
        return 0
    return int(lengths[0]) if len(lengths) == 1 and _LENGTH.fullmatch(lengths[0]) else None
