import csv
import io
import os
import stat
import zipfile
from pathlib import Path

import pytest

from embargo.review.report.files import write_page, write_tables
from embargo.review.report.tables import tables
from review.report.made import made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_page(tmp_path: Path) -> None:
    write_page("<p>\udcff</p>", tmp_path / "r.html")
    assert (tmp_path / "r.html").read_text() == "<p>?</p>"
    assert mode(tmp_path / "r.html") == 0o600


def test_what_is_no_file_stays_what_it_is(tmp_path: Path) -> None:
    pipe, link, file = tmp_path / "pipe", tmp_path / "link", tmp_path / "file"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_page("hello", pipe)
    assert os.read(reader, 100) == b"hello"
    os.close(reader)
    assert pipe.is_fifo()
    link.symlink_to(file)
    write_page("hello", link)
    assert (link.is_symlink(), file.read_text()) == (True, "hello")
    with pytest.raises(OSError, match="is a directory"):
        write_page("hello", tmp_path)


def test_a_directory_of_tables(tmp_path: Path) -> None:
    write_tables(made(), tmp_path / "out" / "tables")
    assert {path.stem for path in (tmp_path / "out" / "tables").iterdir()} == {table.name for table in tables(made())}
    assert mode(tmp_path / "out" / "tables") == 0o700
    assert mode(tmp_path / "out" / "tables" / "totals.csv") == 0o600


def test_an_archive(tmp_path: Path) -> None:
    write_tables(made(), tmp_path / "r.zip")
    with zipfile.ZipFile(tmp_path / "r.zip") as archive:
        assert archive.testzip() is None
        rows = list(csv.reader(io.StringIO(archive.read("totals.csv").decode())))
    assert rows[1] == ["blocked", str(made().tallies.totals["blocked"])]
    assert mode(tmp_path / "r.zip") == 0o600
