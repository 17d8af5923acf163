"""What is left of an app that is not blocked, as lines of text: what a person reads on a terminal.

The rule stands at the margin, so that it can be pasted as it is printed.
"""

import textwrap
from collections.abc import Iterator, Sequence

from embargo.review.remainder import Passing, Remainder, Remedy

WIDTH = 100  # columns
_MOST_NAMED = 8  # endpoints in a line


def remaining(rest: Remainder) -> Iterator[str]:
    """The lines of *rest*, of at most `WIDTH` columns where no name is longer; the YAML as it is."""
    for line in _lines(rest):
        yield from folded(line)
    if rest.remedy is not None:
        yield ""
        yield from rest.remedy.text.splitlines()
        yield ""
        yield "it would hit"
        for line in _hits(rest.remedy):
            yield from folded(line, "  ")


def folded(line: str, more: str = "") -> list[str]:
    """*line* in lines of at most `WIDTH` columns, broken at blanks; the others are indented as it is, and by *more*."""
    text = line.lstrip()
    indent = line[: len(line) - len(text)]
    broken = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + more,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return broken or [line]


def _lines(rest: Remainder) -> Iterator[str]:
    yield ""
    if rest.monitored:
        yield "monitor mode: nothing is blocked; below is what enforcing would leave"
        yield ""
    if rest.remedy is None:
        yield "not blocked: nothing"
        return
    yield "not blocked"
    for each in rest.passing:
        yield from _passing(each)
    yield ""
    yield f"to block the rest, put this {rest.remedy.where}"


def _passing(each: Passing) -> Iterator[str]:
    what = []
    if each.endpoints:
        what.append(_counted(each.endpoints, "endpoint"))
    if each.listings:
        what.append(f"{_counted(len(each.listings), 'form')} of store links")
    by = f"{each.rule} ({each.place})" if each.place else each.rule
    yield f"  {' and '.join(what)}: {each.verdict} by {by}"
    if each.why:
        yield f"    {each.why}"
    if each.entries:
        yield f"    {_some([str(entry) for entry in each.entries])}"


def _hits(remedy: Remedy) -> Iterator[str]:
    alone = remedy.endpoints - len(remedy.shared)
    if alone:
        yield f"  {_counted(alone, 'endpoint')} of the app alone"
    if remedy.shared:
        yield f"  {_counted(len(remedy.shared), 'endpoint')} that others use too: {_some(remedy.shared)}"
    if remedy.listings:
        yield f"  {_counted(remedy.listings, 'form')} of links to the app in stores"
    if remedy.opened:
        yield f"  TLS to {_some(remedy.opened)} would be opened for it, which clients that pin their keys refuse"
    if remedy.unseen:
        yield "  no store listing inside TLS, since `decrypt: none` keeps that closed"
    for count, rule in remedy.taken:
        yield f"  {_counted(count, 'endpoint')} that {rule} blocks already: message and status would be this rule's"
    for count, rule in remedy.left:
        yield f"  not {_counted(count, 'endpoint')}, which {rule} lets through before any other rule is asked"


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
