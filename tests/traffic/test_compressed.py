"""Compressed files are read through, whatever wrote them, and one that is cut says so."""

import bz2
import gzip
import io
import lzma
import os
import zlib

import pytest
import zstandard

from embargo.traffic.compressed import uncompressed

TEXT = b"".join(b"https://host%d.example/\n" % number for number in range(20_000))
FORMS = {"gzip": gzip.compress, "zstd": zstandard.compress, "bzip2": bz2.compress, "xz": lzma.compress}


def through(data: bytes) -> tuple[bytes, str | None]:
    found = uncompressed(io.BufferedReader(io.BytesIO(data)))  # type: ignore[arg-type]
    assert found is not None
    return found.read(), found.cut


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_read_through(form: object) -> None:
    assert through(form(TEXT)) == (TEXT, None)  # type: ignore[operator]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_members_one_after_another(form: object) -> None:
    assert through(form(TEXT[:5000]) + form(b"") + form(TEXT[5000:])) == (TEXT, None)  # type: ignore[operator]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_one_that_is_cut(form: object) -> None:
    data, cut = through(form(TEXT)[:-9])  # type: ignore[operator]
    assert TEXT.startswith(data)
    assert cut == "the compressed file is cut at its end"


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_rubbish_behind_it(form: object) -> None:
    data, cut = through(form(TEXT) + b"rubbish that is no member of it, longer than a header")  # type: ignore[operator]
    assert data == TEXT
    assert cut is not None and cut.startswith("what follows cannot be decompressed")


def test_a_checksum_that_is_wrong() -> None:
    whole = bytearray(gzip.compress(TEXT))
    whole[-5] ^= 1
    assert through(bytes(whole))[1] is not None


def test_one_that_would_burst_memory_comes_in_pieces() -> None:
    burst = uncompressed(io.BufferedReader(io.BytesIO(zstandard.compress(bytes(300_000_000)))))  # type: ignore[arg-type]
    assert burst is not None
    sizes = 0
    largest = 0
    while (size := burst.readinto(bytearray(1 << 16))) > 0:
        sizes += size
        largest = max(largest, len(burst._ready))
    assert (sizes, burst.cut) == (300_000_000, None)
    assert largest < 64 * 1024 * 1024


def test_what_is_not_compressed() -> None:
    assert uncompressed(io.BufferedReader(io.BytesIO(TEXT))) is None  # type: ignore[arg-type]
    assert uncompressed(io.BufferedReader(io.BytesIO(b""))) is None  # type: ignore[arg-type]


def test_zlib_of_a_pipe(tmp_path: object) -> None:
    reading, writing = os.pipe()
    compressor = zlib.compressobj(wbits=31)
    os.write(writing, compressor.compress(b"abc") + compressor.flush())
    os.close(writing)
    with os.fdopen(reading, "rb") as source:
        found = uncompressed(source)
        assert found is not None and found.read() == b"abc"
