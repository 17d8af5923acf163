"""The sinks of `settings.log.sinks`: their addresses, which key belongs to which, and what a check should warn of."""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from embargo.core.sink import Address, Batch, Sink, SinkFormat, Transport
from embargo.policy.problem import Mistake, Path, Problem, nearest, quoted

if TYPE_CHECKING:
    from embargo.policy.load import Loaded
    from embargo.policy.survey import Survey

PORTS = {
    Transport.UDP: 514, Transport.TCP: 514, Transport.TLS: 6514, Transport.RELP: 2514, Transport.RELPS: 2514,
    Transport.HTTP: 80, Transport.HTTPS: 443,
}  # where `to` says none; those of RELP are custom, not assigned  # fmt: skip
_SCHEMES = ", ".join(f"{each}://" for each in Transport if each is not Transport.FILE)
_EXPECTED = f"expected {_SCHEMES} with a host, or the absolute path of a file"
_NO_SPACE = re.compile(r"[^\s\x00-\x1f\x7f]+")
_KEYS: Mapping[str, frozenset[Transport]] = {  # key: the transports for which it means something
    "batch": frozenset({Transport.HTTP, Transport.HTTPS}),
    "index": frozenset({Transport.HTTP, Transport.HTTPS}),
    "token_file": frozenset({Transport.HTTP, Transport.HTTPS}),
    "ca_file": frozenset({Transport.TLS, Transport.RELPS, Transport.HTTPS}),
    "certificate": frozenset({Transport.TLS, Transport.RELPS, Transport.HTTPS}),
    "key_file": frozenset({Transport.TLS, Transport.RELPS, Transport.HTTPS}),
    "facility": frozenset(each for each in Transport if each.is_syslog),
    "enterprise": frozenset(each for each in Transport if each.is_syslog),
    "rotate_size": frozenset({Transport.FILE}),
    "rotate_keep": frozenset({Transport.FILE}),
}
_JSON = frozenset({SinkFormat.ECS, SinkFormat.OCSF, SinkFormat.EVE})


def address(text: str) -> Address:
    """Where *text* says that records go. Raises Mistake: wrong-sink."""
    if text.startswith("/"):
        return Address(transport=Transport.FILE, path=absolute(text))
    scheme, marker, rest = text.partition("://")
    if "@" in rest.partition("/")[0]:  # before anything quotes it
        raise Mistake("wrong-sink", "a policy holds no secret", "put it in a file that token_file names")
    words = [each.value for each in Transport if each is not Transport.FILE]
    if not marker or scheme.lower() not in words:
        raise Mistake("wrong-sink", f"found {quoted(text)}, {_EXPECTED}", nearest(scheme, words) if marker else "")
    transport = Transport(scheme.lower())
    if _NO_SPACE.fullmatch(text) is None:
        raise Mistake("wrong-sink", f"{quoted(text)} has a space in it")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError as broken:
        raise Mistake("wrong-sink", f"{quoted(text)} is no address: {broken}") from None
    if not host:
        raise Mistake("wrong-sink", f"{quoted(text)} names no host, {_EXPECTED}")
    if parts.fragment or (not transport.is_web and (parts.path.strip("/") or parts.query)):
        raise Mistake("wrong-sink", f"{quoted(text)} has a path, which {transport}:// does not take")
    path = parts.path.rstrip("/") + (f"?{parts.query}" if parts.query else "") if transport.is_web else ""
    return Address(transport=transport, host=host, port=port or PORTS[transport], path=path)


def absolute(text: str) -> str:
    """*text* as the path of a file, the same for whichever process reads it. Raises Mistake: relative-path."""
    if not text.startswith("/") or "\0" in text or text.endswith("/"):
        raise Mistake("relative-path", f"found {quoted(text)}, expected the absolute path of a file")
    return text


def facility(value: object) -> int:
    """A syslog facility. Raises Mistake: wrong-facility."""
    if type(value) is not int or not 0 <= value <= 23:
        raise Mistake("wrong-facility", f"found {quoted(value)}, expected a facility from 0 to 23", "13 is audit")
    return value


def count(value: object) -> int:
    """A whole number from 1. Raises Mistake: not-a-count."""
    if type(value) is not int or not 1 <= value <= 2**31:
        raise Mistake("not-a-count", f"found {quoted(value)}, expected a whole number from 1")
    return value


def contradiction(said: Mapping[str, Any]) -> Mistake | None:
    """What is wrong with a sink's keys together."""
    to: Address = said["to"]
    for key, transports in _KEYS.items():
        if said.get(key) is not None and to.transport not in transports:
            of = ", ".join(map(_scheme, (each for each in Transport if each in transports)))
            return Mistake("sink-key", f"{key} means nothing for {quoted(str(to))}", f"it is for {of}")
    form, batch = said.get("format", SinkFormat.ECS), said.get("batch")
    if batch is not None and batch is not Batch.LINES and form not in _JSON:
        return Mistake("sink-key", f"{batch} takes JSON, and {form} is none", "use format: ecs, ocsf or eve")
    if said.get("index") is not None and batch is not Batch.ELASTICSEARCH:
        return Mistake("sink-key", "index is Elasticsearch's", "add batch: elasticsearch")
    if said.get("key_file") is not None and said.get("certificate") is None:
        return Mistake("sink-key", "key_file is the key of no certificate", "add certificate")
    return None


def _scheme(transport: Transport) -> str:
    return "files" if transport is Transport.FILE else f"{transport}://"


def merged(before: tuple[Sink, ...], said: Mapping[str, Mapping[str, Any]]) -> tuple[Sink, ...]:
    """The sinks after a layer that says *said*: one of a new id is added, one of a known id replaced whole."""
    found = {sink.id: sink for sink in before}
    for name, members in said.items():
        found[name] = Sink(id=name, **members)
    return tuple(found.values())


def warnings(survey: "Survey") -> Iterator[Problem]:
    """Those on *survey*: records that travel in the clear, or that nothing proves to have arrived."""
    for sink in survey.policy.settings.log.sinks:
        transport = sink.to.transport
        if not sink.enabled or transport is Transport.FILE or _near(sink.to.host):
            continue
        if transport is Transport.UDP:
            message = f"the sink {sink.id!r} sends by UDP: nothing proves that a record arrived, and all can read it"
            yield _warning(survey, sink, "unproven-sink", message, "relps:// proves each record, tls:// hides it")
        elif not transport.is_encrypted:
            message = f"the sink {sink.id!r} sends in the clear: {sink.to}"
            yield _warning(survey, sink, "sink-in-the-clear", message, f"use {_SECURE[transport]}://")


_SECURE = {Transport.TCP: Transport.TLS, Transport.RELP: Transport.RELPS, Transport.HTTP: Transport.HTTPS}


def _near(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _warning(survey: "Survey", sink: Sink, code: str, message: str, hint: str) -> Problem:
    path: Path = ("settings", "log", "sinks", sink.id, "to")
    return survey.warning(layer_of(survey.loaded, sink), path, code, message, hint)


def layer_of(loaded: "Loaded", sink: Sink) -> int:
    """The number of the layer that says *sink* as it is in effect."""
    return max(
        number
        for number, layer in enumerate(loaded.layers)
        if (form := layer.form) is not None
        and form.settings is not None
        and form.settings.log is not None
        and sink.id in form.settings.log.sinks
    )
