"""Charts as agreed: golden fragments of HTML, one a picture."""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

from embargo.review.chart.timeline import Bucket

GOLDEN = Path(__file__).parents[2] / "golden" / "review"
START = datetime(2026, 11, 23, tzinfo=UTC)
DAY = timedelta(days=1)
HOSTILE = "<script>alert(1)</script> \x1b[31m \u202eevil \"' =cmd|'/C calc'!A0"


def days(*counts: Mapping[str, int], hrefs: bool = False) -> Sequence[Bucket]:
    return [
        Bucket(
            start=START + number * DAY,
            end=START + (number + 1) * DAY,
            counts=each,
            hrefs={key: f"/log?q=day:{number}&verdict={key}" for key in each} if hrefs else {},
        )
        for number, each in enumerate(counts)
    ]


def agreed(name: str, text: str) -> None:
    """RENEW_GOLDEN=1 writes it anew: read the difference, and look at it in a browser."""
    path = GOLDEN / name
    if os.environ.get("RENEW_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")
    assert text + "\n" == path.read_text(encoding="utf-8")


def parsed(text: str) -> ElementTree.Element:
    """The fragment as XML, which it must be; without inline style or script."""
    root = ElementTree.fromstring(f"<body>{text}</body>")
    for each in root.iter():
        assert each.tag not in ("script", "style")
        assert not {name for name in each.attrib if name == "style" or name.startswith("on")}
    return root
