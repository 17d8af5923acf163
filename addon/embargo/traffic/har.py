"""HTTP archives (HAR 1.2), as browsers and proxies write them: an entry at a time, whatever the file's size."""

from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

import ijson
from ijson.common import ObjectBuilder

from embargo.core.request import Surface
from embargo.core.seen import Seen, Unread
from embargo.traffic.compressed import ByteSource

DEEPEST = 64  # values within one another
_IN_ENTRIES = 3  # so deep lie the entries: in the array, in `log`, in the file's object
_LOCAL = frozenset({"data", "blob", "about", "chrome", "chrome-extension", "moz-extension", "file", "javascript"})


def read(source: ByteSource) -> Iterator[Seen | Unread]:
    """The requests of the entries; those for what is within the browser (`data:`, extensions) are left out."""
    number = 0
    try:
        for number, entry in enumerate(_entries(source), 1):
            try:
                found = _seen(entry)
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as broken:
                yield Unread(f"entry {number}", f"no entry of a HAR: {type(broken).__name__}: {broken}"[:200])
                continue
            if found is not None:
                yield found
    except (ijson.JSONError, _TooDeep) as cut:
        yield Unread(f"behind entry {number}", f"no HAR from here on: {' '.join(str(cut).split())}"[:200])


class _TooDeep(ValueError):
    """Values within one another beyond what any archive has."""


def _entries(source: ByteSource) -> Iterator[Any]:
    """The values of `log.entries`, each built when it is whole.

    (`ijson.items` would name the place of each value, which takes gigabytes where values lie deep within one another.)
    """
    depth, keys, within = 0, ["", ""], False
    builder: ObjectBuilder | None = None
    for event, value in ijson.basic_parse(source, use_float=True):
        if builder is None and within and depth == _IN_ENTRIES and event != "end_array":
            builder = ObjectBuilder()
        if builder is not None:
            builder.event(event, value)
        if event in ("start_map", "start_array"):
            depth += 1
            if depth > DEEPEST:
                raise _TooDeep(f"values within one another, more than {DEEPEST} deep")
            within = within or (depth == _IN_ENTRIES and event == "start_array" and keys == ["log", "entries"])
        elif event in ("end_map", "end_array"):
            depth -= 1
            within = within and depth >= _IN_ENTRIES
        elif event == "map_key" and depth <= len(keys):
            keys[depth - 1] = value
        if builder is not None and depth == _IN_ENTRIES:
            yield builder.value
            builder = None


def _seen(entry: Any) -> Seen | None:
    request = entry["request"]
    url = request["url"]
    if type(url) is not str:
        raise TypeError("url is no text")
    if url.partition(":")[0].lower() in _LOCAL:
        return None
    headers = {
        str(header["name"]).lower(): header["value"]
        for header in request.get("headers") or ()
        if type(header.get("value")) is str
    }
    named = headers.get(":authority") or headers.get("host")
    if request.get("method") == "CONNECT":
        return Seen(
            request=url.partition("://")[2].rstrip("/") or url,
            time=_time(entry["startedDateTime"]),
            user_agent=headers.get("user-agent"),
            surface=Surface.CONNECT,
        )
    names = [named] if named is not None and f"//{named.lower()}/" not in url.lower() + "/" else []
    if (address := _address(entry.get("serverIPAddress"))) is not None:
        names.append(address)
    return Seen(
        request=url,
        time=_time(entry["startedDateTime"]),
        user_agent=headers.get("user-agent"),
        names=tuple(names),
    )


def _time(text: str) -> datetime | None:
    instant = datetime.fromisoformat(text)
    return instant.astimezone(UTC) if instant.tzinfo is not None else None


def _address(text: object) -> str | None:
    """The server's address as a name to judge; None where the entry has none (a cache's answer)."""
    if type(text) is not str or not text:
        return None
    bare = text.strip("[]")
    try:
        ip_address(bare)
    except ValueError:
        return None
    return f"[{bare}]" if ":" in bare else bare
