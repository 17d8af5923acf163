"""What DESIGN 5 says, written down as plain loops: slow, without indexes or memory, and meant to be obvious.

Shares with the core only its values and the reading of a single criterion; how patterns are found, how
owners are ranked and how rules and names are put together is done anew.
"""

from ipaddress import IPv4Address, IPv6Address

from embargo.core.catalogue import Endpoint
from embargo.core.criteria import failed_criterion
from embargo.core.decision import Verdict
from embargo.core.matcher import Owner
from embargo.core.pattern import Kind, Pattern
from embargo.core.request import Name, Request
from embargo.core.rules import Mode, Policy

VERDICTS = {"block": Verdict.BLOCK, "log": Verdict.LOG, "allow": Verdict.ALLOW}
KINDS = [Kind.USER_AGENT, Kind.CIDR, Kind.DOMAIN, Kind.HOST, Kind.URL]  # the least specific first


def labels(host: str) -> list[str]:
    return host.split(".")


def matches(pattern: Pattern, name: Name, request: Request) -> bool:
    """Whether *pattern* covers the name, by the words of DESIGN 4."""
    if pattern.kind is Kind.USER_AGENT:
        return request.user_agent is not None and pattern.text in request.user_agent
    assert name.host is not None
    if pattern.kind is Kind.CIDR:
        address = name.host.address
        return (
            isinstance(address, IPv4Address | IPv6Address)
            and pattern.network is not None
            and address.version == pattern.network.version
            and pattern.network.network_address <= address <= pattern.network.broadcast_address
            and (pattern.port is None or pattern.port == name.port)
            and (pattern.protocol is None or pattern.protocol.value == request.transport)
        )
    if pattern.kind is Kind.DOMAIN:
        wanted = labels(pattern.text)
        return name.host.address is None and labels(name.host.text)[-len(wanted) :] == wanted
    if pattern.kind is Kind.HOST:
        return name.host.text == pattern.text
    if name.host.text != pattern.host or request.target is None:
        return False
    if any(pair not in request.target.pairs for pair in pattern.pairs):
        return False
    path = request.target.path
    ends = [end for end in range(len(path) + 1) if end == len(path) or path[end] == "/" or path[end - 1 : end] == "/"]
    return any(glob("*".join(pattern.path), path[:end]) for end in ends if _may_end(pattern, path, end))


def _may_end(pattern: Pattern, path: str, end: int) -> bool:
    """A match ends at the path's end or before a slash; a pattern that itself ends in a slash has crossed it."""
    last = pattern.path[-1]
    return end == len(path) or path[end] == "/" or last.endswith("/") or last == ""


def glob(pattern: str, text: str) -> bool:
    """Whether *pattern*, in which `*` is any characters, is all of *text*: by every split there is."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(glob(pattern[1:], text[start:]) for start in range(len(text) + 1))
    return text[:1] == pattern[0] and glob(pattern[1:], text[1:])


def rank(pattern: Pattern) -> tuple[int, int]:
    """Url > host > longer domain > shorter domain > longer cidr > user agent (all alike)."""
    length = 0
    if pattern.kind in (Kind.DOMAIN, Kind.URL):
        length = len(pattern.text)
    if pattern.kind is Kind.CIDR and pattern.network is not None:
        length = pattern.network.prefixlen
    return KINDS.index(pattern.kind), length


def endpoints(policy: Policy, app: str) -> list[Endpoint]:
    """All endpoints of *app*; those of lists as the policy's table names them."""
    listed = []
    table = getattr(policy.listed, "_lists", {})
    for name, numbers in table.items():
        for number in numbers:
            source = policy.lists[number]
            if source.app == app:
                listed.append(Endpoint(Pattern(Kind.DOMAIN, name), source.role, source.shared, (source.source,)))
    return [*listed, *policy.apps[app].endpoints]


def owners(policy: Policy, name: Name, request: Request) -> list[Owner]:
    """Every app that owns *name*, the most specific first, then by id."""
    if name.host is None:
        return []
    found = []
    for app in policy.apps.values():
        best: Endpoint | None = None
        for endpoint in endpoints(policy, app.id):
            if matches(endpoint.pattern, name, request) and (
                best is None or rank(endpoint.pattern) >= rank(best.pattern)
            ):
                best = endpoint
        if best is None:
            continue
        freed = any(
            matches(exclude.pattern, name, request) and rank(exclude.pattern) >= rank(best.pattern)
            for exclude in app.exclude
        )
        if not freed:
            found.append(Owner(app.id, best, rank(best.pattern)))
    found.sort(key=lambda owner: owner.app)
    found.sort(key=lambda owner: owner.specificity, reverse=True)
    return found


def verdict_of_name(policy: Policy, name: Name, request: Request) -> tuple[Verdict, str | None]:
    """The verdict on one name and the id of what decided, as DESIGN 5.4 has it."""
    remaining = owners(policy, name, request)
    if not remaining:
        return Verdict.PASS, None
    while remaining:
        top = [owner for owner in remaining if owner.specificity == remaining[0].specificity]
        remaining = remaining[len(top) :]
        said: list[tuple[Verdict, str]] = []
        for owner in top:
            for rule in policy.rules:
                applies = rule.enabled and not rule.shadow and rule.apps.selects(policy.apps[owner.app])
                if applies and failed_criterion(policy, rule, owner, name, request) is None:
                    said.append((VERDICTS[rule.action], rule.id))
                    break
        if said:
            strictest = max(verdict for verdict, _ in said)
            return next(pair for pair in said if pair[0] is strictest)
    return VERDICTS[policy.settings.default], "default"


def verdict(policy: Policy, request: Request) -> tuple[Verdict, str | None]:
    """The strictest verdict over all well-formed names, of equals the first; refused where there is none."""
    well_formed = [name for name in request.names if name.host is not None]
    if well_formed:
        strictest = max((verdict_of_name(policy, name, request) for name in well_formed), key=lambda pair: pair[0])
    else:
        strictest = (Verdict.BLOCK, None)
    if policy.settings.mode is Mode.MONITOR and strictest[0] is Verdict.BLOCK:
        return Verdict.LOG, strictest[1]
    return strictest
