"""The anchors of `settings.log.anchors`: where the log's checkpoints go, each as a sink that takes nothing else."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from embargo.core.sink import Address, Sink, Transport
from embargo.policy.problem import Mistake, quoted
from embargo.policy.sinks import absolute, address, contradiction

PLACES = ("file", "syslog", "http")  # of which an anchor has one
FILTER = "action:seal-checkpoint"
_KEPT = 2**31  # bytes: an anchor's file is not rotated by us, since what it proves is that nothing is missing


def anchor(said: Mapping[str, Any]) -> Sink:
    """The anchor that has the keys *said*. Raises Mistake."""
    named = [place for place in PLACES if said.get(place) is not None]
    if len(named) != 1:
        found = " and ".join(named) or "none"
        raise Mistake("wrong-anchor", f"an anchor has one of {', '.join(PLACES)}; found {found}")
    to = _address(named[0], said[named[0]], tls=said.get("tls"))
    if said.get("tls") is not None and named[0] != "syslog":
        raise Mistake("wrong-anchor", f"tls is for syslog, not for {named[0]}", "write https:// where TLS is wanted")
    members = {
        key: said[key] for key in ("token_file", "ca_file", "certificate", "key_file") if said.get(key) is not None
    }
    if (mistake := contradiction({"to": to} | members)) is not None:
        raise mistake
    identifier = f"anchor-{sha256(str(to).encode()).hexdigest()[:12]}"  # so that each place keeps its cursor
    return Sink(id=identifier, to=to, filter=FILTER, rotate_size=_KEPT, **members)


def distinct(anchors: Iterable[Sink]) -> tuple[Sink, ...]:
    """*anchors*, each place once."""
    return tuple({found.id: found for found in anchors}.values())


def _address(place: str, text: str, *, tls: bool | None) -> Address:
    if place == "file":
        return Address(transport=Transport.FILE, path=absolute(text))
    if place == "syslog":
        if "/" in text or text.startswith("@"):
            raise Mistake("wrong-anchor", f"found {quoted(text)}, expected HOST:PORT of a syslog server that takes TCP")
        return address(f"{Transport.TLS if tls else Transport.TCP}://{text}")
    found = address(text)
    if not found.transport.is_web:
        raise Mistake("wrong-anchor", f"found {quoted(text)}, expected http:// or https://")
    return found
