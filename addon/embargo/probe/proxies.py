"""Which proxy runs here: from what its processes say on their status sockets, where to ask it."""

import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from embargo.core.hostname import MalformedHost, canonical
from embargo.journal.status import Liveness, Status
from embargo.probe.attempts import Listener
from embargo.probe.channel import Address
from embargo.probe.targets import bracketed

_MODES = {  # mitmproxy's mode: what it can be asked
    "regular": Listener.PROXY,
    "upstream": Listener.PROXY,
    "socks5": Listener.SOCKS,
    "dns": Listener.DNS,
    "reverse:dns": Listener.DNS,
    "reverse:quic": Listener.QUIC,
    "reverse:http3": Listener.QUIC,
}
_ANY = {"0.0.0.0": "127.0.0.1", "::": "::1", "": "127.0.0.1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """What the processes of this machine say together."""

    answers: bool  # whether any does
    listeners: dict[Listener, Address]
    digests: tuple[str, ...]
    files: tuple[Path, ...]  # of the policy in force
    addresses: frozenset[Address]  # all on which they listen
    everywhere: frozenset[Address]  # those that stand for every address of this machine
    mode: str | None  # `monitor` where any process monitors
    break_glass: str | None  # until when any refuses nothing by break-glass, RFC 3339
    warnings: tuple[str, ...]

    def listens_on(self, given: Address) -> bool:
        """Whether *given*, of which a host name is resolved, is one of theirs."""
        host, port = given
        try:
            found = {str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
        except (OSError, UnicodeError):
            found = set()
        if any((each, port) in self.addresses for each in {host, *found}):
            return True
        return any(port == listening for _, listening in self.everywhere) and any(map(_is_ours, found))


def running(statuses: Iterable[Status]) -> Running:
    """What *statuses* come to. Workers share their port, and so are asked by chance."""
    alive = [status for status in statuses if status.liveness is Liveness.RUNNING]
    listeners: dict[Listener, Address] = {}
    ports: set[tuple[str, Address]] = set()
    everywhere: set[Address] = set()
    warnings = []
    for status in alive:
        for mode, host, port in _listening(status):
            address = (_ANY.get(host, host), port)
            ports.add((mode, address))
            if host in _ANY:
                everywhere.add(address)
            if (listener := _MODES.get(mode)) is not None:
                listeners.setdefault(listener, address)
    for mode, (host, port) in sorted(ports):
        listener = _MODES.get(mode)
        if listener is None:
            warnings.append(f"{mode} on {host}:{port} is not asked: its clients do not name it")
        elif listeners[listener] != (host, port):
            warnings.append(f"{mode} on {host}:{port} is not asked this time; name it with --{listener.value}")
    digests = tuple(dict.fromkeys(str(status.part("policy").get("digest", "")) for status in alive))
    modes = {str(status.answer.get("mode")) for status in alive}
    if len(digests) > 1:
        warnings.append("the processes of this machine enforce different policies")
    warnings += [f"process {status.pid} {finding}" for status in alive for finding in status.findings()]
    return Running(
        answers=bool(alive),
        listeners=listeners,
        digests=tuple(digest for digest in digests if digest),
        files=_files(alive[0]) if alive else (),
        addresses=frozenset(address for _, address in ports),
        everywhere=frozenset(everywhere),
        mode="monitor" if "monitor" in modes else next(iter(modes), None),
        break_glass=next((str(until) for s in alive if (until := s.part("break_glass").get("until"))), None),
        warnings=tuple(warnings),
    )


def address(text: str, port: int) -> Address:
    """The address in ``HOST[:PORT]``, an IPv6 host in brackets. Raises ValueError."""
    host, colon, given = text.rpartition(":")
    if not colon or (text.startswith("[") and text.endswith("]")):
        host, given = text, str(port)
    host = host.removeprefix("[").removesuffix("]")
    if not given.isascii() or not given.isdigit() or not 0 < int(given) < 65_536:
        raise ValueError(f"{text!r} is no HOST:PORT")
    try:
        host = canonical(host).text
    except MalformedHost as malformed:
        raise ValueError(f"{text!r} is no HOST:PORT: {malformed}") from malformed
    return ("127.0.0.1" if host == "localhost" else host), int(given)


def spelled(where: Address) -> str:
    """`HOST:PORT`, an IPv6 host in brackets."""
    return f"{bracketed(where[0])}:{where[1]}"


def _files(status: Status) -> tuple[Path, ...]:
    """The policy files of a process; what it names relative to its own directory is looked for there."""
    files = status.part("policy").get("files")
    return (
        tuple(
            Path("/proc", str(status.pid), "cwd", str(file)) if not Path(str(file)).is_absolute() else Path(file)
            for file in files
        )
        if isinstance(files, list)
        else ()
    )


def _is_ours(host: str) -> bool:
    """Whether *host*, an address, is one of this machine: nobody else's can be bound."""
    try:
        family, kind, *_, place = socket.getaddrinfo(host, 0, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.bind(place)
    except OSError:
        return False
    return True


def _listening(status: Status) -> list[tuple[str, str, int]]:
    """Each mode of a process, with the first host and port on which it listens."""
    found = []
    modes = status.answer.get("modes")
    for entry in modes if isinstance(modes, list) else ():
        mode, listen = (entry.get("mode"), entry.get("listen")) if isinstance(entry, dict) else (None, None)
        if isinstance(listen, list) and listen:
            host, _, port = str(listen[0]).rpartition(":")
            if port.isdigit():
                found.append((str(mode), host, int(port)))
    return found
