"""Which format a list is in, by what it holds; what it calls itself and how old it says it is; and its items."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from itertools import islice

from embargo.blocklists import adguard, clash, hosts, plain, v2fly
from embargo.blocklists.item import Broken, Item, Place
from embargo.blocklists.tree import NoTree

_MOST_LINES = 2000  # that are looked at to tell the format
_HEAD = 40  # lines in which a list says what it is
_LONGEST = 300  # characters of such a line: what follows "version" is searched once for each blank before it
_TITLE = re.compile(r"^[\s#!;/]*(?:title|list name|name)\s*[:=]\s*(\S.*)$", re.IGNORECASE | re.MULTILINE)
_DAY = re.compile(
    r"^[\s#!;/]*(?:last[- ](?:modified|updated?)|updated?|date|version|generated(?: at| on)?)\s*[:=]?\s.*?"
    r"\b(20\d\d)[-./]?(0[1-9]|1[0-2])[-./]?(0[1-9]|[12]\d|3[01])",
    re.IGNORECASE | re.MULTILINE,
)


class Format(StrEnum):
    """A format of lists."""

    V2FLY = "v2fly"
    ADGUARD = "adguard"
    CLASH = "clash"
    HOSTS = "hosts"
    PLAIN = "plain"


_JSON = re.compile(r"\s*(?:\[\s*)?\{")  # what no other format begins with
_SIGNS = {  # of a line: format
    Format.CLASH: re.compile(
        r"(?:-\s+['\"]?)?(?:DOMAIN|HOST|IP6?)(?:-[A-Z0-9]+)*6?\s*,.*|payload:|-\s+['\"]?\+\..*|\+\..*"
    ),
    Format.ADGUARD: re.compile(r"(?:-\s+['\"]?|\"\s*)?(?:@@)?\|\|?.*|@@.*|\"?(?:rules|blocked_services)\"?\s*:.*"),
    Format.HOSTS: re.compile(r"(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F]*:[0-9a-fA-F:.]*)\s+\S.*"),
    Format.V2FLY: re.compile(r"(?:domain|full|keyword|regexp?|include):\S.*|\S+(?:\s+[@&][\w!-]+)+\s*(?:#.*)?"),
}


@dataclass(frozen=True, slots=True)
class Header:
    """What a list says of itself."""

    title: str | None
    day: date | None


def detect(text: str) -> Format:
    """The format of *text*: that of most of its lines that have one; `plain` where none has."""
    if _JSON.match(text) is not None:
        return Format.ADGUARD
    counts = dict.fromkeys(_SIGNS, 0)
    for line in islice(text.splitlines(), _MOST_LINES):
        word = line.strip()
        if not word.startswith(("#", "!", ";")):
            for form, sign in _SIGNS.items():
                if sign.fullmatch(word) is not None:
                    counts[form] += 1
                    break
    most = max(counts, key=lambda form: counts[form])
    return most if counts[most] else Format.PLAIN


def header(text: str) -> Header:
    """What the first lines of *text* say of the list."""
    head = "\n".join(line[:_LONGEST].rstrip() for line in islice(text.splitlines(), _HEAD))
    title, day = _TITLE.search(head), _DAY.search(head)
    spelled = title[1].strip().strip("\"',")[:120] if title is not None else None
    try:
        when = date(int(day[1]), int(day[2]), int(day[3])) if day is not None else None
    except ValueError:
        when = None
    return Header(spelled or None, when)


def items(text: str, name: str, form: Format, beside: v2fly.Beside, service: str | None = None) -> Iterator[Item]:
    """What *text*, a file called *name* in format *form*, says; *beside* finds what v2fly includes.

    Raises ChooseService, for a file of several services of which *service* names none.
    """
    try:
        match form:
            case Format.V2FLY:
                yield from v2fly.parse(text, name, beside)
            case Format.ADGUARD:
                tree = _JSON.match(text) or re.search(r"^\s*(?:id|rules|blocked_services)\s*:", text, re.MULTILINE)
                yield from adguard.parse_service(text, name, service) if tree else adguard.parse_filter(text, name)
            case Format.CLASH:
                tree = re.search(r"^\s*(?:payload|rules)\s*:", text, re.MULTILINE)
                yield from clash.parse_provider(text, name) if tree else clash.parse_text(text, name)
            case Format.HOSTS:
                yield from hosts.parse(text, name)
            case Format.PLAIN:
                yield from plain.parse(text, name)
    except NoTree as broken:
        yield Broken(why=str(broken), place=Place(file=name, line=broken.line, column=broken.column))
