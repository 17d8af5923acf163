"""The report's files: readable by us alone, since they say who asked for what; each there whole or not at all."""

import io
import zipfile
from pathlib import Path

from embargo.journal.ecs import timestamp
from embargo.review.directory import write_private
from embargo.review.report.report import Report
from embargo.review.report.tables import tables


def write_page(text: str, path: Path) -> None:
    """Write *text* to *path*. Raises OSError."""
    _put(path, text.encode("utf-8", "replace"))


def write_tables(report: Report, path: Path) -> None:
    """Write the tables of *report*, each a file, into the directory *path*; or into the archive that ends in .zip.

    Raises OSError.
    """
    found = tables(report)
    if path.suffix.lower() == ".zip":
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
            for table in found:
                entry = zipfile.ZipInfo(f"{table.name}.csv", report.made.timetuple()[:6])
                entry.external_attr = 0o600 << 16
                packed.writestr(entry, table.csv(), zipfile.ZIP_DEFLATED)
            packed.comment = f"embargo report made {timestamp(report.made)}".encode()
        _put(path, archive.getvalue())
        return
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    for table in found:
        write_private(path / f"{table.name}.csv", table.csv().encode("utf-8"))


def _put(path: Path, content: bytes) -> None:
    """Put *content* where *path* leads: a file is replaced, a device or pipe is written to, and stays what it is."""
    if path.is_dir():
        raise IsADirectoryError(None, "is a directory", str(path))
    if path.exists() and not path.is_file():
        path.write_bytes(content)
    else:
        write_private(path.resolve(), content)
