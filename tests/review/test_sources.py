"""A source is told by its content, read through its compression, and says how far it is."""

import gzip
import io
import json
from pathlib import Path

import pytest
import zstandard

from dns_writing import query
from embargo.core.seen import Seen, Unread
from embargo.journal.record import Encoder
from embargo.review.sources import Format, UnreadableSource, open_source
from embargo.traffic.census import HostCount, hour_of, write
from frames import pcap, pcapng, udp
from recorded import OBSERVER, judged
from sample import NOW
from traffic.test_flow_file import http_flow, written
from traffic.test_har import entry, har
from traffic.test_squid_access import COMBINED, NATIVE

LINE = Encoder(OBSERVER).line(judged(), sequence=1)
LIST = b"https://www.alipay.com/\n# a comment\nqq.com\n"
CONTENT: dict[str, tuple[bytes, Format]] = {
    "a list": (LIST, Format.LIST),
    "a list that begins with a comment": (b"# hosts\nalipay.com\n", Format.LIST),
    "an empty file": (b"", Format.LIST),
    "addresses": (b"203.0.113.9\n", Format.LIST),
    "pcap": (pcap([udp(query("a.test"), port=53)]), Format.PCAP),
    "pcap of the other byte order": (pcap([], order=">"), Format.PCAP),
    "pcapng": (pcapng([udp(query("a.test"), port=53)]), Format.PCAP),
    "HAR": (har(entry("https://a.test/")), Format.HAR),
    "HAR with a byte order mark, indented": (
        b"\xef\xbb\xbf" + json.dumps(json.loads(har(entry("https://a.test/"))), indent=2).encode(),
        Format.HAR,
    ),
    "flows": (written(http_flow()), Format.FLOWS),
    "Squid, native": (NATIVE.format("TCP_MISS/200 604 GET http://a.test/").encode(), Format.SQUID),
    "Squid, combined": (COMBINED.format("GET http://a.test/").encode(), Format.SQUID),
}
FORMS = {"plain": bytes, "gzip": gzip.compress, "zstd": zstandard.compress}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize(("content", "kind"), CONTENT.values(), ids=CONTENT)
def test_told_by_content(content: bytes, kind: Format, form: object, tmp_path: Path) -> None:
    file = tmp_path / "source"
    file.write_bytes(form(content))  # type: ignore[operator]
    source = open_source(str(file))
    assert source.format is kind
    assert not [item for item in source if isinstance(item, Unread)]
    assert source.done == source.total == file.stat().st_size


def test_standard_input() -> None:
    source = open_source("-", stdin=io.BufferedReader(io.BytesIO(gzip.compress(LIST))))  # type: ignore[arg-type]
    assert (source.format, source.total, source.done) == (Format.LIST, None, None)
    assert [item.request for item in source if isinstance(item, Seen)] == ["https://www.alipay.com/", "qq.com"]


def test_the_wanted_format_wins(tmp_path: Path) -> None:
    file = tmp_path / "source"
    file.write_bytes(LIST)
    assert all(isinstance(item, Unread) for item in open_source(str(file), Format.SQUID))


UNREADABLE: dict[str, tuple[bytes | None, Format | None, str]] = {
    "no file": (None, None, "No such file or directory"),
    "bytes of no kind": (b"\x7fELF\0\0\0", None, "of no format that is known, which are log, census,"),
    "JSON of no kind": (b'{"a": 1}', None, "of no format that is known"),
    "XML": (b"<?xml", None, "of no format that is known"),
}


@pytest.mark.parametrize(("content", "wanted", "why"), UNREADABLE.values(), ids=UNREADABLE)
def test_unreadable(content: bytes | None, wanted: Format | None, why: str, tmp_path: Path) -> None:
    file = tmp_path / "source"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UnreadableSource, match=why):
        open_source(str(file), wanted)


def test_a_directory_of_no_kind(tmp_path: Path) -> None:
    with pytest.raises(UnreadableSource, match="neither a decision log nor a census"):
        open_source(str(tmp_path))


def test_the_decision_log(tmp_path: Path) -> None:
    log = tmp_path / "decisions.jsonl"
    log.write_bytes(LINE + b"broken\n" + LINE)
    for name in (tmp_path, log):
        source = open_source(str(name))
        assert source.format is Format.LOG
        assert [isinstance(item, Unread) for item in source].count(True) == 1


def test_a_log_that_is_compressed(tmp_path: Path) -> None:
    file = tmp_path / "rotated.zst"
    file.write_bytes(zstandard.compress(LINE))
    source = open_source(str(file))
    assert source.format is Format.LOG
    assert [type(item) for item in source if isinstance(item, Unread)] == []


def test_the_census(tmp_path: Path) -> None:
    period = hour_of(NOW)
    file = tmp_path / "20261124T12Z-0123abcd.jsonl.zst"
    write(file, period, [HostCount(host="a.test", requests=9)], 0)
    for name in (tmp_path, file):
        source = open_source(str(name))
        assert source.format is Format.CENSUS
        assert [item.count for item in source if isinstance(item, Seen)] == [9]


def test_one_that_is_cut_says_so(tmp_path: Path) -> None:
    file = tmp_path / "hosts.gz"
    file.write_bytes(gzip.compress(LIST * 1000)[:-20])
    items = list(open_source(str(file)))
    assert items[-1] == Unread("the end", "the compressed file is cut at its end")
    assert len(items) > 1
