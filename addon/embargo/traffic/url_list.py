"""A plain list: a URL, host or address a line, `#` comments, and the counts that `uniq -c` puts before."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from embargo.core.hostname import LONGEST_NAME
from embargo.core.inquiry import Inquiry, UnreadableRequest, requests
from embargo.core.seen import Seen, Unread
from embargo.traffic.compressed import ByteSource
from embargo.traffic.text_lines import LONGEST, numbered_lines

_USUAL = re.compile(  # well formed by its look alone: most lines
    r"(?:(?:https?|wss?)://)?(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?(?::[0-9]{1,5})?(?:[/?][!-~]*)?"
)
_COMMENT = re.compile(r"(?:^|\s)#.*", re.DOTALL)  # a `#` within a word begins a URL's fragment
_COUNTED = re.compile(r"([0-9]{1,12})\s+(\S+)")
_ANY_TIME = datetime(1970, 1, 1, tzinfo=UTC)  # whether a line can be read does not depend on it


def read(source: ByteSource) -> Iterator[Seen | Unread]:
    """What the lines of *source* say."""
    usual = _USUAL.fullmatch
    for number, line in numbered_lines(source):
        if line is not None and len(line) <= LONGEST_NAME and usual(line) is not None:
            yield Seen(request=line)
        elif (found := _read(line)) is not None:
            yield Unread(f"line {number}", found) if isinstance(found, str) else found


def _read(line: str | None) -> Seen | str | None:
    """The request of a line, or why there is none; None for a blank line and a comment."""
    if line is None:
        return f"more than {LONGEST} bytes"
    text = _COMMENT.sub("", line).strip()
    if not text:
        return None
    count = 1
    if (counted := _COUNTED.fullmatch(text)) is not None:
        count, text = int(counted[1]), counted[2]
    return unreadable(text) or Seen(request=text, count=max(1, count))


def unreadable(text: str) -> str | None:
    """Why *text* is no request; None where it is one."""
    if any(letter.isspace() for letter in text):
        return f"{text[:100]!r} is no URL, host or address"
    try:
        found = requests(Inquiry(request=text, time=_ANY_TIME))
    except UnreadableRequest as error:
        return str(error)
    if all(name.host is None for request in found for name in request.names):
        return f"{text[:100]!r} has no host"
    return None
