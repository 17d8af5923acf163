"""Laws of canonical hosts, URLs and addresses."""

import contextlib
from ipaddress import IPv4Address, IPv6Address

from hypothesis import event, given
from hypothesis import strategies as st

from embargo.core.address import parse_address, parse_ipv4
from embargo.core.hostname import LONGEST_NAME, Host, MalformedHost, canonical, parse_authority
from embargo.core.inquiry import Inquiry, UnreadableRequest, requests
from embargo.core.request import Name, Source
from embargo.core.url import glob_matches, normalize_path, parse_target
from oracle import glob
from sample import NOW
from strategies import ADDRESSES, hosts, spellings

# what real and hostile hosts are made of, drawn often enough that valid ones occur
HOSTLIKE = st.text(
    st.sampled_from("abcXYZ019-_.:[]%/@ \t\r\n。．｡ａＺ０üßς支💩\u200c\u200d\u00ad\ufe0f\u0301\ud800"), max_size=24
)
TEXTS = st.one_of(HOSTLIKE, st.text(max_size=80), hosts, st.ip_addresses().map(str))


@given(TEXTS)
def test_parsing_raises_nothing_but_malformed_host(text: str) -> None:
    """Whatever a client sends as a host, it is a canonical host or MalformedHost: never another exception."""
    try:
        host, port = parse_authority(text)
    except MalformedHost:
        event("malformed")
        return
    event("address" if host.address is not None else "name")
    assert port is None or 0 <= port <= 65535
    assert host.text


@given(TEXTS)
def test_canonicalizing_twice_changes_nothing(text: str) -> None:
    """The canonical form of a canonical form is itself."""
    try:
        once = canonical(text)
    except MalformedHost:
        return
    event("well formed")
    assert canonical(once.text) == once


@given(TEXTS)
def test_a_canonical_name_is_one(text: str) -> None:
    """A canonical name is lower-case ASCII of 1–63 letters, digits, `-`, `_` a label and at most 253 in all."""
    try:
        host = canonical(text)
    except MalformedHost:
        return
    if host.address is None:
        assert host.text.isascii() and host.text == host.text.lower() and len(host.text) <= LONGEST_NAME
        assert all(1 <= len(label) <= 63 for label in host.text.split("."))
        assert set(host.text) <= set("abcdefghijklmnopqrstuvwxyz0123456789-_.")
        assert parse_address(host.text) is None
    else:
        assert str(host.address) == host.text


@given(st.one_of(hosts, st.sampled_from(ADDRESSES)), st.data())
def test_every_spelling_is_one_host(host: str, data: st.DataObject) -> None:
    """However a host is spelled, it is the same value."""
    text = data.draw(spellings(host))
    event("another spelling" if text != host else "the same")
    assert canonical(text) == canonical(host)
    assert canonical(host).text == host


@given(st.integers(0, 2**32 - 1), st.data())
def test_every_spelling_of_an_ipv4_address_is_that_address(number: int, data: st.DataObject) -> None:
    """One to four parts, each decimal, octal or hexadecimal, mapped or not: the address they spell."""
    address = IPv4Address(number)
    assert canonical(data.draw(spellings(str(address)))) == Host(str(address), address)


@given(st.text(st.sampled_from("0123456789abcdefx. "), max_size=20))
def test_an_ipv4_address_is_what_its_parts_say(text: str) -> None:
    """What is taken as an address has one to four parts that, read by their base, make up its number."""
    address = parse_ipv4(text)
    if address is None:
        event("none")
        return
    event("an address")
    values = [_part(part) for part in text.split(".")]
    *heads, last = values
    total = sum(head * 256 ** (3 - position) for position, head in enumerate(heads)) + last
    assert total == int(address) and all(head < 256 for head in heads) and last < 256 ** (4 - len(heads))


def _part(text: str) -> int:
    if text.startswith("0x"):
        return int(text[2:] or "0", 16)
    return int(text, 8) if text.startswith("0") else int(text)


@given(st.ip_addresses(v=6), st.booleans())
def test_ipv6_in_any_form(address: IPv6Address, brackets: bool) -> None:
    """Written out or short, in brackets or not, an IPv6 address is one value; an IPv4-mapped one is IPv4."""
    for text in (address.exploded, address.compressed, address.exploded.upper()):
        expected = address.ipv4_mapped or address
        assert canonical(f"[{text}]" if brackets else text).address == expected


@given(TEXTS)
def test_a_name_is_parsed_without_raising(text: str) -> None:
    """`Name.parse` keeps the text as it came, whatever it is."""
    name = Name.parse(Source.HOST, text, 443)
    assert name.text == text
    if name.host is None:
        event("malformed")


@given(st.one_of(TEXTS, st.text(max_size=200), st.builds("https://{}/{}".format, TEXTS, st.text(max_size=20))))
def test_an_inquiry_is_requests_or_a_readable_refusal(text: str) -> None:
    """Every line that `explain -` may read becomes requests with a name, or UnreadableRequest."""
    with contextlib.suppress(UnreadableRequest):
        assert all(request.names for request in requests(Inquiry(request=text, time=NOW)))


@given(st.one_of(st.text(max_size=80), st.text(st.sampled_from("/.%2eEfF?#&=aB*\\"), max_size=30)))
def test_a_target_is_normal_and_never_raises(text: str) -> None:
    """A normalized path begins with a slash, has neither empty nor dot segments, and normalizing again changes
    nothing but a further percent-decoding."""
    target = parse_target(text)
    assert target.path.startswith("/")
    segments = target.path.split("/")[1:]
    assert "" not in segments[:-1] and not {".", ".."} & set(segments)
    if "%" not in target.path:
        assert normalize_path(target.path) == target.path


PATHLIKE = st.text(st.sampled_from("/ab1"), max_size=8).map("/".__add__)


@given(st.text(st.sampled_from("/ab1**"), max_size=6).map("/".__add__), PATHLIKE)
def test_a_glob_agrees_with_every_split(pattern: str, path: str) -> None:
    """Leftmost search finds what trying every end and every split of the path finds.

    A match ends at the path's end or before a slash; a pattern that ends in a slash or a star covers all below.
    """
    parts = tuple(pattern.split("*"))
    if pattern.endswith(("/", "*")):
        expected = any(glob(pattern, path[:end]) for end in range(len(path) + 1))
    else:
        expected = any(glob(pattern, path[:end]) for end in range(len(path) + 1) if path[end : end + 1] in ("", "/"))
    event(f"matches: {expected}")
    assert glob_matches(parts, path) is expected
