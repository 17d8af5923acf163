"""Against a real rsyslog: what it takes, what it reads of a message, and that none is missing when it was away."""

import re
import signal
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from embargo.core.sink import Sink, SinkFormat
from embargo.sinks.courier import Courier
from embargo.sinks.message import Composer, Message
from embargo.sinks.receiver import Unreachable
from embargo.sinks.receivers import receiver_of
from recorded import until
from sinks.rsyslog import Rsyslog
from sinks.spooled import NOW, identifier, lines, sink, write

LOG = Path("/nonexistent")  # where no sink of these tests writes to
ID = re.compile(r'\[embargo@32473 id="([^"]+)"')


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rsyslog]:
    server = Rsyslog(tmp_path_factory.mktemp("rsyslog") / "server")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def rsyslog(running: Rsyslog) -> Rsyslog:
    running.output.write_text("")
    return running


def way(server: Rsyslog, transport: str, **members: object) -> Sink:
    to = f"{transport}://127.0.0.1:{getattr(server, transport)}"
    if transport in ("tls", "relps"):
        members = {"ca_file": str(server.ca)} | members
    if transport == "relps":
        members = {"certificate": str(server.client)} | members
    return sink(to, **members)


def messages(to: Sink, last: int = 3) -> list[Message]:
    return Composer(to, NOW).messages(lines(1, last))


def ids(server: Rsyslog) -> list[str]:
    return [found[1] for line in server.lines() if (found := ID.search(line))]


@pytest.mark.parametrize("transport", ["udp", "tcp", "tls", "relp", "relps"])
def test_every_transport(rsyslog: Rsyslog, transport: str) -> None:
    to = way(rsyslog, transport)
    receiver = receiver_of(to, LOG)
    assert receiver.deliver(messages(to)).again == ()
    assert receiver.deliver(messages(to, 4)[3:]).refused == ()
    receiver.close()
    until(lambda: len(ids(rsyslog)) == 4)
    assert ids(rsyslog) == [identifier(number) for number in range(1, 5)]


@pytest.mark.parametrize("form", SinkFormat)
def test_every_format_arrives_as_it_was_sent(rsyslog: Rsyslog, form: SinkFormat) -> None:
    to = way(rsyslog, "relp", format=form)
    (message,) = messages(to, 1)
    receiver = receiver_of(to, LOG)
    receiver.deliver([message])
    receiver.close()
    (line,) = rsyslog.lines()
    tag, program, pid, kind, rest = line.split(" ", 4)
    assert (tag, program, pid, kind) == ("embargo", "embargo", "-", "block")
    _, _, sent = message.text.partition("[embargo@")
    structured, _, text = sent.rpartition('"] ')
    assert rest.replace("\ufeff", "").replace("  ", " ") == f'[embargo@{structured}"] {text}'.replace("\ufeff", "")


def test_hostile_text_stays_one_message(rsyslog: Rsyslog) -> None:
    to = way(rsyslog, "relp", format=SinkFormat.SYSLOG)
    raw = lines(1, 1)[0].replace(b"alice", rb"a\"] x=\"\n<13>1 - evil - - - - fake\u001b[31m\u2028\ud800]\\")
    (message,) = Composer(to, NOW).messages([raw])
    receiver = receiver_of(to, LOG)
    receiver.deliver([message])
    receiver.close()
    (line,) = rsyslog.lines()
    assert line.startswith("embargo embargo - block [embargo@32473 id=")
    assert "\x1b" not in line


def test_a_certificate_of_nobody_we_know(rsyslog: Rsyslog) -> None:
    to = way(rsyslog, "tls", ca_file=None)
    with pytest.raises(Unreachable, match="its certificate is refused"):
        receiver_of(to, LOG).deliver(messages(to))


def test_a_certificate_of_another_host(rsyslog: Rsyslog) -> None:
    to = sink(f"tls://ip6-localhost.example:{rsyslog.tls}", ca_file=str(rsyslog.ca))
    with pytest.raises(Unreachable):
        receiver_of(to, LOG).deliver(messages(to))


def test_a_server_that_speaks_no_relp() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            peer, _ = server.accept()
            with peer:
                peer.recv(1000)
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        to = sink(f"relp://127.0.0.1:{server.getsockname()[1]}")
        with pytest.raises(Unreachable, match="does not speak RELP"):
            receiver_of(to, LOG).deliver(messages(to))
        thread.join()


CUTS = {  # transport: how rsyslog ends, under load
    "relps": signal.SIGKILL,
    "tls": signal.SIGTERM,
}


@pytest.mark.parametrize("transport", CUTS)
def test_cut_off_under_load_and_back_none_is_missing(tmp_path: Path, transport: str) -> None:
    server = Rsyslog(tmp_path / "server")
    server.start()
    log, batch, batches = tmp_path / "log", 250, 8
    courier = None
    done = threading.Event()

    def load() -> None:
        for number in range(batches):
            write(log, number * batch + 1, (number + 1) * batch)
            done.wait(0.02)

    writer = threading.Thread(target=load)
    try:
        write(log, 0, 0)
        courier = Courier(way(server, transport), log, now=lambda: NOW, pauses=(0.02, 0.05), poll=0.01)
        thread = threading.Thread(target=courier.run)
        thread.start()
        writer.start()
        until(lambda: len(ids(server)) > 300)
        server.stop(with_signal=CUTS[transport])
        until(lambda: courier.progress.state == "waiting")
        server.start()
        writer.join()
        wanted = {identifier(number) for number in range(batch * batches + 1)}
        until(lambda: wanted <= set(ids(server)))
        until(lambda: courier.progress.state == "idle")
        assert courier.progress.failures >= 1
        assert courier.progress.cursor.counts.dead == courier.progress.cursor.counts.missing == 0
    finally:
        done.set()
        if courier is not None:
            courier.stop()
            thread.join()
        server.stop()
