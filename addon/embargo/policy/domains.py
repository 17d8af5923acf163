"""Hosts, networks and URL patterns as people write them, to the canonical form that the matcher compares."""

import re
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

from embargo.core.address import Network
from embargo.core.hostname import Host, MalformedHost, parse_authority
from embargo.core.pattern import Kind, Pattern, Protocol
from embargo.core.url import normalize_path, parse_pairs
from embargo.policy.problem import Mistake, quoted
from embargo.policy.suffix import suffixes

_PLAIN = re.compile(r"(?:[a-z0-9_-]{1,63}\.)+[a-z_-][a-z0-9_-]{0,62}")  # a digit there could begin an address
_LONGEST_NAME = 253
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_FILTER = re.compile(r"\|\|([^\^/*|]+)\^?")
_HOSTS_LINE = re.compile(r"(?:[0-9]+\.[0-9.]+|[0-9a-fA-F]*:[0-9a-fA-F:.]*)[ \t]+(\S+)")
_STAR = "\0"  # stands for "*" while a path is normalized, since %2A is a character and "*" is not
_MAPPED = IPv6Network("::ffff:0:0/96")


def all_plain(names: Sequence[str]) -> bool:
    """Whether all of *names* are canonical domains as they stand, and none is a public suffix.

    The fast path for long lists: half a microsecond a name.
    """
    return (
        all(map(_PLAIN.fullmatch, names))
        and max(map(len, names), default=0) <= _LONGEST_NAME
        and not suffixes().touches(names)
    )


def domain_name(text: str, *, whole_suffix: bool = False) -> str:
    """The canonical domain in *text*. Raises Mistake: not-a-domain, public-suffix."""
    plain = len(text) <= _LONGEST_NAME and _PLAIN.fullmatch(text) is not None
    name = text if plain else _host(text, "domain").text
    if not whole_suffix and name in suffixes():
        what = "a public suffix" if "." in name else "a whole top-level domain"
        raise Mistake(
            "public-suffix",
            f"{quoted(name)} is {what}: strangers register names below it",
            "name the domain below it; `whole_suffix: true` if you mean all of it",
        )
    return name


def host_name(text: str) -> str:
    """The canonical host in *text*. Raises Mistake: not-a-domain."""
    return _host(text, "host").text


def _host(text: str, key: str) -> Host:
    if hint := _advice(text, key):
        raise Mistake("not-a-domain", f"found {quoted(text)}, expected a {key} name", hint)
    try:
        host, _ = parse_authority(text)
    except MalformedHost as refused:
        hint = "a name has letters, digits, - and _, with dots between"
        if len(text) > 63:
            hint += f", at most 63 between dots and {_LONGEST_NAME} in all"
        raise Mistake("not-a-domain", str(refused), hint) from None
    if host.address is not None:
        hint = f"write `{{cidr: {host.text}}}`"
        raise Mistake("not-a-domain", f"found the address {quoted(text)}, expected a {key} name", hint)
    return host


def _advice(text: str, key: str) -> str:
    """How to write what *text* seems to mean; empty where it may be a name."""
    text = text.strip()
    if found := _FILTER.match(text):
        return f"write `{found[1]}`: a domain covers all below it"
    if found := _HOSTS_LINE.fullmatch(text):
        return f"write `{found[1]}` alone, without the address of a hosts file"
    if found := _SCHEME.match(text):
        host = re.split(r"[/?#]", text[found.end() :])[0]
        return f"write `{host}`, or `{{url: {text[found.end() :]}}}` for one page"
    if text.startswith(("*.", ".")):
        return f"write `{text.lstrip('*.')}`: a domain covers all below it"
    if "*" in text:
        return f"a {key} takes no *; a domain covers all below it"
    if "/" in text:
        return f"write `{{cidr: {text}}}`" if _is_network(text) else f"write `{{url: {text}}}` for a path"
    if text.count(":") == 1:
        return f"write `{text.partition(':')[0]}`: a {key} is for every port"
    return ""


def _is_network(text: str) -> bool:
    try:
        ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def network(text: str) -> Network:
    """The network in *text*, an address alone being a network of one. Raises Mistake: not-a-network."""
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        example = "expected a network such as 203.0.113.0/24 or 2001:db8::/32"
        raise Mistake("not-a-network", f"found {quoted(text)}, {example}") from None
    try:
        ip_network(text)
    except ValueError:
        raise Mistake(
            "not-a-network", f"{quoted(text)} has bits set behind its prefix", f"did you mean {found}?"
        ) from None
    if isinstance(found, IPv6Network) and found.subnet_of(_MAPPED):
        # requests carry IPv4-mapped addresses as IPv4 (core.address)
        return IPv4Network((int(found.network_address) & 0xFFFFFFFF, found.prefixlen - 96))
    return found


def domain_pattern(name: str) -> Pattern:
    """The pattern for *name* (canonical) and all below it."""
    return Pattern(Kind.DOMAIN, name)


def cidr_pattern(found: Network, port: int | None, protocol: Protocol | None) -> Pattern:
    """The pattern for addresses in *found*."""
    return Pattern(Kind.CIDR, str(found), network=found, port=port, protocol=protocol)


def url_pattern(text: str) -> Pattern:
    """The pattern for `HOST/PATH[?KEY=VALUE]`. Raises Mistake: not-a-url."""
    if found := _SCHEME.match(text):
        raise Mistake("not-a-url", f"found {quoted(text)}, expected host and path", f"write `{text[found.end() :]}`")
    authority, slash, rest = text.partition("/")
    if not slash:
        name = authority.partition("?")[0]
        hint = f"write `{{host: {name}}}` for that host, or `{name}/` for its every path"
        raise Mistake("not-a-url", f"found {quoted(text)}, which has no path", hint)
    if "*" in authority:
        raise Mistake(
            "not-a-url", f"found * in the host {quoted(authority)}", "a url is for one host; * stands in the path"
        )
    try:
        host, port = parse_authority(authority)
    except MalformedHost as refused:
        raise Mistake("not-a-url", str(refused), "a url begins with a host name") from None
    if port is not None:
        raise Mistake("not-a-url", f"found the port {port} in {quoted(text)}", "leave it off: a url is for every port")
    path, _, query = rest.partition("#")[0].partition("?")
    if "*" in query:
        raise Mistake("not-a-url", f"found * in the query {quoted(query)}", "a pair of the query is compared whole")
    if "\0" in normalize_path(path):
        raise Mistake("not-a-url", f"found a NUL in the path of {quoted(text)}")
    pieces = re.sub(f"{_STAR}+", _STAR, normalize_path("/" + path.replace("*", _STAR))).split(_STAR)
    pairs = parse_pairs(query)
    spelled = host.text if ":" not in host.text else f"[{host.text}]"
    spelled += "*".join(map(_escaped, pieces))
    if pairs:
        spelled += "?" + "&".join(f"{_escaped(key)}={_escaped(value)}" for key, value in sorted(pairs))
    return Pattern(Kind.URL, spelled, host=host.text, path=tuple(pieces), pairs=pairs)


def _escaped(text: str) -> str:
    """*text* with those characters percent-encoded that mean something in a url pattern."""
    for character in "%*?#&=+ ":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
