"""The numbers of a page as a browser shows them, each a link to the log: what the law of the console is held by."""

import re
from html.parser import HTMLParser

from console.signed_in import Browser

LEAN = "&column=time"  # the same rows, in pages that are quicker to make


class Links(HTMLParser):
    """The links to the log whose text is a number, bars of charts included."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, int]] = []
        self._open: str | None = None
        self._text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            given = dict(attrs)
            self._open = given.get("href") if (given.get("href") or "").startswith("/log?") else None
            self._text = ""
            label = given.get("aria-label") or ""
            if self._open and (counted := re.fullmatch(r".*: ([0-9,]+) [a-z ]+", label)):
                self._add(counted[1])
                self._open = None
            elif self._open and given.get("data-count"):
                self._add(given["data-count"] or "")
                self._open = None

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        if tag == "a" and self._open and (counted := re.match(r"\s*([0-9][0-9,]*)(?![0-9:-])", self._text)):
            self._add(counted[1])
        if tag == "a":
            self._open = None

    def _add(self, number: str) -> None:
        assert self._open is not None
        self.found.append((self._open, int(number.replace(",", ""))))


def total(page: str) -> int:
    found = re.search(r'id="total" data-total="([0-9]+)"', page)
    assert found, "the page says how many there are"
    return int(found[1])


def wrong(browser: Browser, page: str, most: int = 9) -> dict[str, tuple[int, int]]:
    """Numbers of the page at *page*, at most *most* of them, that lead to more rows or fewer; there are some at all."""
    answer = browser.get(page)
    assert answer.status_code == 200, page
    numbers = sorted(set(Links(answer.text).found))
    assert numbers, page
    assert all("snapshot=" in url for url, _ in numbers)
    found = {}
    for url, count in numbers[:: max(1, len(numbers) // most)]:
        listed = total(browser.get(url + LEAN).text)
        if listed != count:
            found[url] = (count, listed)
    return found
