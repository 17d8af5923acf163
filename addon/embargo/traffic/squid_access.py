"""Squid's access.log in its own format (`squid`) and in the web servers' (`combined`, `common`).

<https://wiki.squid-cache.org/Features/LogFormat>, and the logformat directive of squid.conf.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from ipaddress import ip_address
from urllib.parse import unquote

from embargo.core.address import Address, plain
from embargo.core.seen import Seen, Unread
from embargo.traffic.compressed import ByteSource
from embargo.traffic.text_lines import LONGEST, numbered_lines
from embargo.traffic.url_list import unreadable

NATIVE = re.compile(  # %ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt
    r"(?P<time>\d{1,12}(?:\.\d+)?)\s+-?\d+\s+(?P<client>\S+)\s+(?P<result>[A-Z_]+)/\d{1,3}\s+(?:-|\d+)\s+"
    r"(?P<method>\S+)\s+(?P<url>\S+)\s+(?P<user>\S+)\s+[A-Z0-9_]+/(?P<server>\S+)(?:\s.*)?",
    re.DOTALL,
)
COMMON = re.compile(  # %>a %[ui %[un [%tl] "%rm %ru HTTP/%rv" %>Hs %<st, before what `combined` adds
    r"(?P<client>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]{1,40})\] "
    r'"(?P<method>\S+) (?P<url>\S+)(?: [A-Z]+/[0-9.]+)?" \d{1,3} (?:-|\d+)(?P<rest> .*)?',
    re.DOTALL,
)
_LOCAL_TIME = re.compile(r"(\d{2})/([A-Z][a-z]{2})/(\d{4}):(\d{2}):(\d{2}):(\d{2}) ([+-])(\d{2})(\d{2})")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")  # in any locale
_WITHIN = re.compile(r"(?:error|cache_object|internal):.*", re.DOTALL)  # what squid logs in place of a request's URL


def read(source: ByteSource) -> Iterator[Seen | Unread]:
    """What the lines of *source* say, each in whichever of the formats it is."""
    for number, line in numbered_lines(source):
        if line is None:
            yield Unread(f"line {number}", f"more than {LONGEST} bytes")
        elif line.strip() and not line.startswith("#"):
            found = _read(line.strip())
            yield Unread(f"line {number}", found) if isinstance(found, str) else found


def is_line(line: str) -> bool:
    """Whether *line* is one of such a log."""
    return NATIVE.fullmatch(line) is not None or COMMON.fullmatch(line) is not None


def _read(line: str) -> Seen | str:
    """The request of a line, or why there is none."""
    native = NATIVE.fullmatch(line)
    fields = native or COMMON.fullmatch(line)
    if fields is None:
        return "no line of access.log in the format squid, common or combined"
    url = fields["url"]
    if _WITHIN.fullmatch(url) is not None:
        return f"no request: {url[:100]}"
    if url.startswith("/"):
        return f"{url[:100]!r} has no host, as in the log of a web server"
    if (why := unreadable(url)) is not None:
        return why
    try:
        time = _since_1970(fields["time"]) if native is not None else _local(fields["time"])
    except (ValueError, OverflowError) as wrong:
        return f"{fields['time']!r} is no time: {wrong}"
    agent = None if native is not None else _agent(fields["rest"] or "")
    server = _address(fields["server"]) if native is not None else None
    return Seen(
        request=url,
        time=time,
        client=_address(fields["client"]),
        user=unquote(fields["user"]) if fields["user"] != "-" else None,
        user_agent=agent,
        names=(f"[{server}]" if server.version == 6 else str(server),) if server is not None else (),
    )


def _agent(rest: str) -> str | None:
    """The User-Agent in `"%{Referer}>h" "%{User-Agent}>h" %Ss:%Sh`; Squid escapes no quotes in it."""
    quoted = rest[rest.find('"') + 1 : rest.rfind('"')]
    agent = quoted.partition('" "')[2]
    return agent if agent not in ("", "-") else None


def _since_1970(text: str) -> datetime:
    return datetime.fromtimestamp(float(text), UTC)


def _local(text: str) -> datetime:
    """`10/Oct/2000:13:55:36 -0700`."""
    matched = _LOCAL_TIME.fullmatch(text)
    if matched is None or matched[2] not in _MONTHS:
        raise ValueError("it is not written as 10/Oct/2000:13:55:36 -0700")
    day, _, year, hour, minute, second, sign, hours, minutes = matched.groups()
    offset = timedelta(hours=int(hours), minutes=int(minutes)) * (-1 if sign == "-" else 1)
    moment = datetime(
        int(year), _MONTHS.index(matched[2]) + 1, int(day), int(hour), int(minute), int(second), tzinfo=timezone(offset)
    )
    return moment.astimezone(UTC)


def _address(text: str) -> Address | None:
    """A literal address; None for a name, and where there is none."""
    try:
        return plain(ip_address(text))
    except ValueError:
        return None
