"""Break-glass on real proxies of two workers: nothing is refused while it lasts, and all of it is on record."""

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from clienthello import client_hello, with_version
from dns_writing import query
from e2e import dns_fronts
from e2e.clients import BOUND, BROWSER, Refused, client, connect, curl, fingerprint, read_response, tls, tunnel
from e2e.conftest import SMALL, Start
from e2e.crew import Crew, records
from e2e.datagrams import DatagramOrigin, configuration, exchange, http3, http3_client
from e2e.dns_fronts import NOERROR, NXDOMAIN, TRANSPORTS
from e2e.dns_origin import DnsOrigin
from e2e.namespace import TunProxy
from e2e.origin import Origin, make_certificate
from e2e.proxy import PATIENCE, Proxy, field
from e2e.test_policy_life import ends
from initials import crypto, dtls_hello, hello, initial
from recorded import records_in

BROKEN = SMALL.replace("action: block", "action: blokc")
LONG, SHORT = 600, 5  # seconds: longer than any test takes, and the shortest that can be ordered


# -- clients of many kinds, which know what was refused


@dataclass(frozen=True)
class Asked:
    kind: str
    path: str  # names it in the records
    begun: float  # monotonic
    ended: float
    refused: bool
    how: str


def plain(proxy: Proxy, path: str) -> bool:
    """A banned request on a connection of its own. Each of these says whether it was refused."""
    with connect(proxy) as connection:
        connection.sendall(f"GET http://banned.test{path} HTTP/1.1\r\nHost: banned.test\r\n\r\n".encode())
        return read_response(connection)[0] != 200


def within(proxy: Proxy, path: str) -> bool:
    """A banned host inside an innocent tunnel that is opened."""
    with tls(tunnel(proxy, "innocent.test:443"), "innocent.test") as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: banned.test\r\n\r\n".encode())
        return read_response(connection)[0] != 200


def by_connect(proxy: Proxy, path: str) -> bool:
    """A banned tunnel, opened, and a request inside."""
    try:
        with tls(tunnel(proxy, "www.banned.test:443"), "www.banned.test") as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: www.banned.test\r\n\r\n".encode())
            return read_response(connection)[0] != 200
    except Refused:
        return True


def by_hello(proxy: Proxy, path: str) -> bool:
    """A banned server name in an innocent tunnel."""
    with tunnel(proxy, "innocent.test:443") as connection:
        connection.sendall(client_hello("www.banned.test"))
        return connection.recv(1) != b"\x16"


def unreadable(proxy: Proxy, path: str) -> bool:
    """A hello that cannot be judged."""
    with tunnel(proxy, "innocent.test:443") as connection:
        connection.sendall(with_version(b"\x03\x04", client_hello("innocent.test")))
        return connection.recv(1) != b"\x16"


def innocent(proxy: Proxy, path: str) -> bool:
    with connect(proxy) as connection:
        connection.sendall(f"GET http://innocent.test{path} HTTP/1.1\r\nHost: innocent.test\r\n\r\n".encode())
        assert read_response(connection)[0] == 200, "what is innocent is never refused"
        return False


def browser(proxy: Proxy, path: str) -> bool:
    """A browser, which is shown the page inside a tunnel that it keeps."""
    with client(proxy, BROWSER) as asking:
        return asking.get(f"https://www.banned.test{path}").status_code != 200


RECORDED = (plain, within, by_connect, browser)  # each with its path in a record
KINDS = (*RECORDED, by_hello, unreadable, innocent)


class Load:
    """Clients of every kind for the time of a `with`."""

    def __init__(self, proxy: Proxy) -> None:
        self.asked: list[Asked] = []
        self.wrong: list[str] = []
        self._proxy = proxy
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(kind,)) for kind in KINDS]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_failure: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(2 * BOUND)

    def between(self, begin: float, end: float) -> list[Asked]:
        """Those that lie wholly within."""
        return [asked for asked in list(self.asked) if begin <= asked.begun and asked.ended <= end]

    def enough(self, since: float) -> bool:
        """Whether each kind has asked three times since then."""
        kinds = [asked.kind for asked in list(self.asked) if asked.begun >= since]
        return all(kinds.count(kind.__name__) >= 3 for kind in KINDS)

    def _ask(self, kind: Callable[[Proxy, str], bool]) -> None:
        for number in count():
            if self._stop.is_set():
                return
            path, begun, how = f"/{kind.__name__}-{number}", time.monotonic(), ""
            try:
                refused = kind(self._proxy, path)
            except AssertionError as wrong:
                self.wrong.append(f"{path}: {wrong}")
                continue
            except Exception as error:  # cut: no answer is a refusal, too
                refused, how = True, repr(error)
            self.asked.append(Asked(kind.__name__, path, begun, time.monotonic(), refused, how))
            self._stop.wait(0.02)


# -- what is looked at


def break_glass(proxy: Proxy, *arguments: str) -> subprocess.CompletedProcess[str]:
    return proxy.command("break-glass", *arguments)


def begins(proxy: Proxy, seconds: int = LONG, *arguments: str) -> float:
    """Begin it; all processes have followed within two seconds. When it ends at the earliest, monotonic."""
    now = time.monotonic()
    begun = break_glass(
        proxy, "--for", f"{seconds}s", "--reason", "payroll is blocked", "--author", "alice", *arguments
    )
    assert begun.returncode == 0, begun.stdout + begun.stderr
    return now + seconds


def audit(proxy: Proxy) -> list[dict[str, Any]]:
    """What the audit chain says of break-glass, in order."""
    file = proxy.log / "audit.jsonl"
    found = records(file) if file.exists() else []
    return [record for record in found if "break_glass" in record["embargo"]]


def story(proxy: Proxy) -> list[tuple[str, str | None]]:
    """What began and how it ended."""
    return [(field(each, "event.action"), field(each, "embargo.break_glass.end")) for each in audit(proxy)]


STARTED = ("break-glass-started", None)
EXPIRED, REPLACED = ("break-glass-ended", "expired"), ("break-glass-ended", "replaced")


def over(crew: Crew) -> bool:
    return all(answer["break_glass"] is None for answer in crew.statuses())


def written(crew: Crew) -> None:
    """Waits until what was decided until now is on the disk."""

    def there() -> bool:
        logs = [answer["log"] for answer in crew.statuses()]
        whole = len(logs) == crew.count and all(log["queue"] == 0 for log in logs)
        return whole and sum(log["written"] for log in logs) == len(crew.proxy.records())

    crew.proxy.wait(there, "the log to be written")


@pytest.fixture
def crew(start: Start) -> Iterator[Crew]:
    yield Crew(start(SMALL, ready=False, command="embargo", flags=["--workers", "2"]))


def test_under_load_with_a_broken_policy_on_disk(crew: Crew, origin: Origin) -> None:
    proxy = crew.proxy
    proxy.policy.write_text(BROKEN)
    proxy.wait(lambda: all(answer["refused"] for answer in crew.statuses()), "both to refuse the policy")
    with Load(proxy) as load:
        proxy.wait(lambda: load.enough(0), "the load")
        first = time.monotonic()
        assert {asked.kind for asked in load.between(0, first) if asked.refused} == {
            kind.__name__ for kind in KINDS if kind is not innocent
        }
        begins(proxy)
        taken_up = time.monotonic()
        held = tunnel(proxy, f"banned.test:{origin.greeter_port}")
        assert held.recv(100) == b"220 greeter ready\r\n"
        shown = proxy.command("status")
        assert shown.returncode == 1
        assert "NOTHING IS REFUSED until" in shown.stdout
        assert "refuses nothing: break-glass for" in shown.stdout
        assert [answer["mode"] for answer in crew.statuses()] == ["monitor", "monitor"]
        proxy.wait(lambda: load.enough(taken_up), "the load meanwhile")
        earliest = begins(proxy, SHORT, "--replace")
        assert ends(held), "what was open to a banned host is closed at the end"
        assert time.monotonic() > earliest
        proxy.wait(lambda: over(crew), "the end")
        after = time.monotonic()
        proxy.wait(lambda: load.enough(after), "the load afterwards")
        last = time.monotonic()
    assert load.wrong == []
    during = load.between(taken_up, earliest)
    assert len(during) > 20
    assert [asked for asked in during if asked.refused] == []
    assert all(asked.refused for asked in load.between(after, last) if asked.kind != "innocent")
    # everything is on record, with what enforce would have done, and by whose order it passed
    proxy.wait(lambda: len(audit(proxy)) == 4, "the end's record")
    assert story(proxy) == [STARTED, STARTED, REPLACED, EXPIRED]
    identifiers = [field(each, "embargo.break_glass.id") for each in audit(proxy)[:2]]
    written(crew)
    passed = {
        field(record, "url.path"): record
        for record in proxy.records(embargo__would="block")
        if field(record, "embargo.break_glass.id") in identifiers and field(record, "embargo.verdict") == "log"
    }
    named = {kind.__name__ for kind in RECORDED}
    assert [asked.path for asked in during if asked.kind in named and asked.path not in passed] == []
    assert proxy.records(embargo__reason="undecided", embargo__would="block")
    for identifier in identifiers:
        found = proxy.records(embargo__break_glass__id=identifier)
        assert {field(record, "embargo.verdict") for record in found} == {"log"}
    cut = proxy.records(destination__port=origin.greeter_port, embargo__verdict="block")
    assert len(cut) == 1
    started = audit(proxy)[0]
    assert (field(started, "user.name"), field(started, "event.reason")) == ("alice", "payroll is blocked")
    assert field(started, "event.category") == ["configuration"]
    assert proxy.command("status").returncode == 1, "the broken policy is still there"


def test_without_any_policy(start: Start, origin: Origin) -> None:
    proxy = start(BROKEN, ready=False, command="embargo", flags=["--workers", "2", "--health", "0"])
    crew = Crew(proxy, policy=False)
    assert curl(proxy, "http://innocent.test/").status == 503
    assert curl(proxy, f"http://127.0.0.1:{crew.health()[1]}/healthz", "--noproxy", "*").status == 503
    begins(proxy)
    for host in ("innocent.test", "banned.test"):
        assert curl(proxy, f"http://{host}/open").status == 200
        with tls(tunnel(proxy, f"{host}:443"), host) as connection:
            assert fingerprint(connection) == origin.fingerprint, "nobody has said what may be opened"
    assert curl(proxy, "http://bad_host%20!/").status != 503
    held = tunnel(proxy, f"innocent.test:{origin.greeter_port}")
    assert held.recv(100) == b"220 greeter ready\r\n"
    proxy.wait(crew.is_ready, "systemd to be told that it serves")
    shown = proxy.command("status")
    assert (shown.returncode, "everything is refused" in shown.stdout) == (1, False)
    assert curl(proxy, f"http://127.0.0.1:{crew.health()[1]}/healthz", "--noproxy", "*").status == 200
    begins(proxy, SHORT, "--replace")
    assert ends(held)
    assert curl(proxy, "http://innocent.test/").status == 503
    proxy.wait(lambda: len(audit(proxy)) == 4, "the end's record")
    assert story(proxy) == [STARTED, STARTED, REPLACED, EXPIRED]
    written(crew)
    found = [record for record in proxy.records() if field(record, "embargo.break_glass.id")]
    assert {field(record, "embargo.reason") for record in found} == {"no-policy"}
    assert {field(record, "embargo.would") for record in found} == {"block"}
    assert "/open" in {field(record, "url.path") for record in found}


def test_ended_before_its_time(crew: Crew, origin: Origin) -> None:
    proxy = crew.proxy
    with client(proxy, BROWSER) as person:
        assert person.get("https://www.banned.test/").status_code == 403
        begins(proxy, 600)
        # the tunnel that was opened to show the page alone is closed, so that the browser asks anew
        assert person.get("https://www.banned.test/").status_code == 200
    assert curl(proxy, "http://banned.test/").status == 200
    again = break_glass(proxy, "--for", "10m", "--reason", "two at once")
    assert (again.returncode, again.stdout) == (2, "")
    assert "in force until" in again.stderr
    begins(proxy, 900, "--replace")
    assert curl(proxy, "http://banned.test/").status == 200
    probe = json.loads(break_glass(proxy, "--json").stdout)
    assert [each["followed"] for each in probe["processes"]] == [True, True]
    ended = break_glass(proxy, "--end", "--reason", "mended", "--author", "bob")
    assert (ended.returncode, "2 of 2 processes follow the policy" in ended.stdout) == (0, True)
    assert curl(proxy, "http://banned.test/").status == 403
    assert break_glass(proxy, "--end").returncode == 0
    assert break_glass(proxy).returncode == 0
    assert proxy.command("status").returncode == 0
    assert story(proxy) == [STARTED, STARTED, REPLACED, ("break-glass-ended", "ended")]
    assert field(audit(proxy)[-1], "user.name") == "bob"


def test_two_at_once(crew: Crew, origin: Origin) -> None:
    proxy = crew.proxy
    command = [str(Path(sys.executable).parent / "embargo"), "break-glass", "--for", "1m", "--reason", "a race"]
    running = [subprocess.Popen(command, env=proxy.environment, stderr=subprocess.PIPE) for _ in range(4)]
    codes = [process.wait(PATIENCE) for process in running]
    for process in running:
        assert process.stderr is not None
        process.stderr.close()
    assert sorted(codes) == [0, 2, 2, 2]
    assert story(proxy) == [STARTED]
    assert len({answer["break_glass"]["id"] for answer in crew.statuses()}) == 1


def test_its_file_removed_and_put_back(crew: Crew, origin: Origin) -> None:
    """Whoever removes it ends it; a copy does not bring it back."""
    proxy = crew.proxy
    begins(proxy, 600)
    file = proxy.directory / "state" / "embargo" / "break-glass.json"
    copy = file.read_bytes()
    file.unlink()
    proxy.wait(lambda: over(crew), "the end")
    proxy.wait(lambda: len(audit(proxy)) == 2, "the end's record")
    assert story(proxy) == [STARTED, ("break-glass-ended", "removed")]
    file.write_bytes(copy)
    file.chmod(0o600)
    assert curl(proxy, "http://banned.test/").status == 403
    assert break_glass(proxy).returncode == 0
    assert len(audit(proxy)) == 2


def test_a_restart_honours_it_and_records_an_end_that_nobody_saw(start: Start, origin: Origin, tmp_path: Path) -> None:
    proxy = start(SMALL, ready=False, directory=tmp_path, command="embargo", flags=["--workers", "2"])
    crew = Crew(proxy)
    begins(proxy)
    first = crew.pids()[0]
    subprocess.run(["kill", "-9", str(first)], check=True)
    crew.wait_whole(without=[first])
    assert [answer["break_glass"]["author"] for answer in crew.statuses()] == ["alice", "alice"]
    assert curl(proxy, "http://banned.test/").status == 200
    proxy.stop()
    alone = break_glass(proxy, "--for", f"{SHORT}s", "--reason", "no proxy runs", "--replace", "--log", str(proxy.log))
    assert (alone.returncode, "no proxy is running" in alone.stderr) == (1, True)
    threading.Event().wait(SHORT)  # it is over then, since it began before
    assert story(proxy) == [STARTED, STARTED, REPLACED]
    again = start(SMALL, ready=False, directory=tmp_path, command="embargo", flags=["--workers", "2"])
    Crew(again)
    assert curl(again, "http://banned.test/").status == 403
    again.wait(lambda: len(audit(again)) == 4, "the end's record")
    assert story(again)[-1] == EXPIRED


def test_another_state_directory(start: Start, origin: Origin, tmp_path: Path) -> None:
    """What the proxy does not see is told, not believed."""
    proxy = start(SMALL)
    proxy.environment["XDG_STATE_HOME"] = str(tmp_path / "elsewhere")
    begun = break_glass(proxy, "--for", "1m", "--reason", "nobody sees it")
    assert begun.returncode == 1
    assert "0 of 1 process refuse nothing now" in begun.stdout
    assert f"looks in {proxy.directory}/state/embargo" in begun.stderr
    assert curl(proxy, "http://banned.test/").status == 403


def test_a_log_named_by_a_relative_path(start: Start, origin: Origin, tmp_path: Path) -> None:
    """The command, wherever it is typed, records where the proxy's log lies."""
    proxy = start(SMALL, log=Path("here"), command="embargo")
    begun = subprocess.run(
        [str(Path(sys.executable).parent / "embargo"), "break-glass", "--for", "1m", "--reason", "from elsewhere"],
        env=proxy.environment, cwd=tmp_path, capture_output=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert begun.returncode == 0, begun.stderr
    assert not (tmp_path / "here").exists()
    assert len(records_in(proxy.directory / "here" / "audit.jsonl")) == 1


def test_a_log_of_ones_own_hides_nothing_from_the_proxys(start: Start, origin: Origin, tmp_path: Path) -> None:
    proxy = start(SMALL)
    begins(proxy, 60, "--log", str(tmp_path / "mine"))
    assert break_glass(proxy, "--end", "--log", str(tmp_path / "mine")).returncode == 0
    assert story(proxy) == [STARTED, ("break-glass-ended", "ended")]
    assert len(records_in(tmp_path / "mine" / "audit.jsonl")) == 2


# -- DNS and QUIC


def passed(proxy: Proxy, before: int) -> list[tuple[Any, ...]]:
    """How each decision since number *before* is recorded."""
    proxy.settled()
    identifier = field(audit(proxy)[-1], "embargo.break_glass.id")
    found = proxy.decisions(before)
    assert {field(record, "embargo.break_glass.id") for record in found} <= {identifier}
    paths = ("embargo.surface", "embargo.verdict", "embargo.would", "rule.id")
    return [tuple(field(record, path) for path in paths) for record in found]


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_dns(start: Start, server: DnsOrigin, the_resolver: DnsOrigin, ports: None, transport: str) -> None:
    fronts = dns_fronts.fronts(start, dns_fronts.POLICY, server)
    proxy, send = fronts.proxy, TRANSPORTS[transport]
    for front in (fronts.reverse, fronts.resolving):
        assert send(front, query("www.banned.test"))[0].code == NXDOMAIN
    begins(proxy, 600)
    before = proxy.settled()
    names = ("www.banned.test", "_443._tcp.banned.test", "innocent.test")
    assert [answer.code for answer in send(fronts.reverse, *map(query, names))] == [NOERROR] * 3
    assert server.names == list(names)
    (answer,) = send(fronts.resolving, query(f"{transport}.banned.test"))
    assert (answer.code, len(answer.answers)) == (NOERROR, 1)
    assert passed(proxy, before) == [("dns", "log", "block", "ban")] * 3
    assert break_glass(proxy, "--end").returncode == 0
    server.reset()
    for front in (fronts.reverse, fronts.resolving):
        assert send(front, query("www.banned.test"))[0].code == NXDOMAIN
    assert server.names == []


@pytest.fixture(scope="module")
def datagrams(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatagramOrigin]:
    origin = DatagramOrigin(*make_certificate(tmp_path_factory.mktemp("datagrams"))).start()
    yield origin
    origin.stop()


PLACE, BANNED_PLACE = "198.51.100.7", "203.0.113.7"
QUIC_POLICY = """\
version: 1
settings: {decrypt: %s}
apps: {bad: {endpoints: [{domain: banned.test}, {cidr: 203.0.113.0/24, protocol: udp}]}}
rules: [{id: ban, apps: bad, action: block}]
"""


@pytest.fixture(params=["all", "needed"])
def tun(request: pytest.FixtureRequest, datagrams: DatagramOrigin, confdir: Path, tmp_path: Path) -> Iterator[TunProxy]:
    """A proxy that all UDP goes through; port 443 leads to an HTTP/3 server, port 80 to an echo."""
    datagrams.reset()
    proxy = TunProxy(
        tmp_path, QUIC_POLICY % request.param, confdir=confdir, http=datagrams.echo_port, https=datagrams.quic_port
    )
    try:
        yield proxy.wait_ready()
    finally:
        proxy.stop()


def test_quic(tun: TunProxy, datagrams: DatagramOrigin) -> None:
    def asked() -> Any:
        return tun.namespace.run(lambda: http3((PLACE, 443), "www.banned.test", ("www.banned.test", "/open"))[0])

    assert asked().status is None
    assert datagrams.datagrams == 0
    begins(tun, 600)
    before = tun.settled()
    answer = asked()
    assert (answer.status, answer.body) == (200, b"origin h3 www.banned.test/open")
    assert passed(tun, before)[0] == ("quic", "log", "block", "ban")


DATAGRAMS = {  # case: (a datagram that is refused, the address, the surface)
    "a hello": (initial(crypto(hello("www.banned.test"))), PLACE, "quic"),
    "DTLS": (dtls_hello("www.banned.test"), PLACE, "udp"),
    "no protocol": (b"a datagram", BANNED_PLACE, "udp"),
    "what cannot be judged": (initial(crypto(hello("www.banned.test")), keys=b"unknown!"), PLACE, "quic"),
}


@pytest.mark.parametrize("tun", ["needed"], indirect=True)  # which relays them as they are
def test_datagrams(tun: TunProxy, datagrams: DatagramOrigin) -> None:
    begins(tun, 600)
    for case, (datagram, place, surface) in DATAGRAMS.items():
        before = tun.settled()
        assert tun.namespace.run(partial(exchange, (place, 80), datagram)) == [datagram], case
        (told,) = passed(tun, before)
        assert told[:3] == (surface, "log", "block"), case


def test_quic_that_is_open_at_the_end(tun: TunProxy, datagrams: DatagramOrigin) -> None:
    begins(tun, 600)

    async def talk() -> None:
        async with http3_client((PLACE, 443), configuration("www.banned.test")) as client:
            assert (await client.get("www.banned.test")).status == 200
            ended = await asyncio.to_thread(break_glass, tun, "--end")
            assert ended.returncode == 0
            reached = datagrams.datagrams
            try:
                async with asyncio.timeout(2):
                    await client.get("www.banned.test", "/late")
            except (ConnectionError, TimeoutError):
                pass
            else:
                assert client.closed is not None
            assert datagrams.datagrams == reached

    tun.namespace.run(lambda: asyncio.run(talk()))
    cut = tun.wait_record(embargo__verdict="block")
    assert field(cut, "network.transport") == "udp"
