"""One canonical form for every spelling of a host, so that patterns compare equal strings.

The rule is DESIGN's: an all-ASCII name of letters, digits, ``-`` and ``_`` is taken as it is, since
``_dmarc``, ``r3---sn-….googlevideo.com`` and emoji A-labels are real hosts that IDNA 2008 refuses.
Every other name goes through UTS 46 mapping (non-transitional) and each label to its A-label.
"""

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache

import idna

from embargo.core.address import Address, parse_address

LONGEST_NAME = 253  # octets of a name in text form (RFC 1035, 2.3.4)
_LONGEST_INPUT = 1024  # characters; UTS 46 can shrink a name (ignored code points), but not by this much
_ASCII_NAME = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}")
_WHITESPACE = " \t\r\n"  # an obs-folded header value arrives with its line break inside (RFC 9112, 5.2)


class MalformedHost(ValueError):
    """Text that is no host: empty, too long, or holding characters that no name has."""


@dataclass(frozen=True, slots=True)
class Host:
    """A canonical host: a lower-case ASCII name without trailing dot, or a literal address."""

    text: str  # dotted IPv4, RFC 5952 IPv6 without brackets, or a name
    address: Address | None = None  # None for a name

    def __str__(self) -> str:
        return self.text


def canonical(text: str) -> Host:
    """The canonical host of *text*, which may carry brackets, a port and surrounding white space.

    Raises MalformedHost.
    """
    return parse_authority(text)[0]


def parse_authority(text: str) -> tuple[Host, int | None]:
    """The canonical host and the port (None where there is none) of ``HOST[:PORT]``.

    Raises MalformedHost. Any run of digits is taken as a port (RFC 3986, 3.2.3), so leading zeros hide nothing.
    """
    if len(text) > _LONGEST_INPUT:
        raise MalformedHost(f"a host of {len(text)} characters, of which {LONGEST_NAME} are allowed")
    return _parse_authority(text)


@lru_cache(maxsize=32_768)
def _parse_authority(text: str) -> tuple[Host, int | None]:
    name, port = _split_port(text.strip(_WHITESPACE))
    return _canonical_name(name), port


def _split_port(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        name, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and rest[0] != ":") or ":" not in name:
            raise MalformedHost(f"unbalanced brackets in {text!r}")
        port = rest[1:]
    elif text.count(":") == 1:
        name, _, port = text.partition(":")
    else:
        return text, None  # a name, or an IPv6 address without brackets
    if port and not (port.isascii() and port.isdigit()):
        raise MalformedHost(f"{port!r} is no port")
    number = int(port) if port and len(port) <= 32 else None
    return name, number if number is not None and number <= 65535 else None


def _canonical_name(name: str) -> Host:
    name = name.lower() if name.isascii() else _to_ascii(name)
    name = name.removesuffix(".")
    if (address := parse_address(name)) is not None:
        return Host(str(address), address)
    if not name or len(name) > LONGEST_NAME or _ASCII_NAME.fullmatch(name) is None:
        raise MalformedHost(f"{name!r} is no host name" if name else "an empty host")
    return Host(name)


def _to_ascii(name: str) -> str:
    try:
        mapped = idna.uts46_remap(name, std3_rules=False, transitional=False)
    except (idna.IDNAError, UnicodeError) as refused:
        raise MalformedHost(f"{name!r} is no host name: {refused}") from refused
    return ".".join(_to_a_label(label) for label in mapped.split("."))


def _to_a_label(label: str) -> str:
    if label.isascii():
        return label
    label = unicodedata.normalize("NFC", label)
    try:
        return idna.alabel(label).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        # IDNA 2008 refuses emoji and symbols that are registered all the same: plain punycode (RFC 3492)
        return "xn--" + label.encode("punycode").decode("ascii")
