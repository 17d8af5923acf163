"""The one home of Hypothesis strategies: policies and requests that meet one another.

Names come from a small set of labels, so that suffixes are shared, owners tie and excludes bite. Counted over
what is drawn here, `tests/laws/test_coverage.py` holds that all of it does occur.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from itertools import product
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from embargo.core.catalogue import App, Authority, DomainList, Endpoint, Role
from embargo.core.matcher import DomainTable
from embargo.core.pattern import Kind, Pattern, Protocol
from embargo.core.request import Name, Request, Source, Surface
from embargo.core.rules import (
    Action,
    AppSelector,
    Basis,
    Group,
    Mode,
    Policy,
    Recording,
    Respond,
    Rule,
    Settings,
)
from embargo.core.schedule import Schedule
from embargo.core.timeline import State, Timeline
from embargo.core.url import parse_target
from embargo.policy.domains import url_pattern

TOPS = ("a.example", "xa.example")
LABELS = ("x", "y", "xy")
PATHS = ("/", "/p", "/p/", "/p/q", "/p/q/r", "/id1", "/id12", "/x/id1", "/x/id12/y")
URL_PATHS = ("/", "/*", "/p", "/p/*", "/p/q", "/*/id1", "/id1", "/p?k=1", "/*?k=1", "/p*r")
QUERIES = ("", "?k=1", "?k=12", "?j=2&k=1")
TARGETS = tuple(path + query for path in PATHS for query in QUERIES)
AGENTS = ("Client/1", "OtherClient/2", "Mozilla/5.0 Pay")
AGENT_PARTS = ("Client", "Client/1", "Pay")
NETWORKS = ("203.0.113.0/24", "203.0.113.0/28", "203.0.0.0/16", "2001:db8::/32", "0.0.0.0/0")
ADDRESSES = ("203.0.113.9", "203.0.113.200", "203.0.7.7", "198.51.100.1", "2001:db8::1", "2001:db9::1")
CLIENTS = ("10.0.0.1", "10.0.1.1", "192.0.2.1", "2001:db8::5")
USERS = ("alice", "bob", "carol")
APPS = ("one", "two", "three", "four")
AUTHORITIES = ("eo", "statute", "unknown")
START = datetime(2026, 10, 23, tzinfo=UTC)  # the clocks change on 10-25 in Berlin, on 11-01 in New York
ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Shanghai", "Asia/Kolkata")
ROLES = (Role.API, Role.CDN, Role.STORE, Role.CLIENT)

HOSTS = tuple(  # the shorter ones first, and oftener: two labels below a top, one or none
    ".".join([*labels, top])
    for labels in ((), (), ("x",), ("x",), ("y",), *product(LABELS, LABELS))
    for top in (TOPS[0], *TOPS)
)
hosts = st.sampled_from(HOSTS)
times = st.builds(lambda minutes: START + timedelta(minutes=minutes), st.integers(0, 14 * 24 * 60))


@st.composite
def spellings(draw: st.DrawFn, host: str) -> str:
    """Another spelling of *host*, a canonical name or address, that means the same."""
    text = draw(_addresses_alike(host)) if _is_address(host) else draw(_names_alike(host))
    if ":" in text and not text.startswith("["):
        text = f"[{text}]"
    elif not _is_address(text) and draw(st.booleans()) and not text.startswith("["):
        text += draw(st.sampled_from((".", "。", "．", "｡")))
    return draw(st.sampled_from(("", "", " ", "\r\n "))) + text + draw(st.sampled_from(("", "", " ")))


@st.composite
def _names_alike(draw: st.DrawFn, host: str) -> str:
    def alike(character: str) -> str:
        if character == ".":
            return draw(st.sampled_from((".", ".", "。", "．", "｡")))
        if character == "-":
            return draw(st.sampled_from(("-", "－")))
        wide = chr(ord(character) - 0x20 + 0xFF00)  # the fullwidth forms mirror ASCII
        return draw(st.sampled_from((character, character.upper(), wide, wide.upper(), character + "\u00ad")))

    return "".join(map(alike, host))


@st.composite
def _addresses_alike(draw: st.DrawFn, host: str) -> str:
    address = ip_address(host)
    if address.version == 6:
        return draw(st.sampled_from((host, address.exploded, host.upper(), address.exploded.upper())))
    number = int(address)
    if draw(st.booleans()):
        return draw(
            st.sampled_from((f"::ffff:{host}", f"::FFFF:{number >> 16:x}:{number & 0xFFFF:x}", f"[::ffff:{host}]"))
        )
    count = draw(st.integers(1, 4))
    heads = [number >> (8 * (3 - position)) & 0xFF for position in range(count - 1)]
    parts = [*heads, number & (256 ** (5 - count) - 1)]
    forms = ("{0:d}", "{0:#x}", "0{0:o}", "0x0{0:X}", "000{0:o}")
    return ".".join(draw(st.sampled_from(forms)).format(part) for part in parts)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


@st.composite
def patterns(draw: st.DrawFn, kinds: tuple[Kind, ...] = tuple(Kind)) -> Pattern:
    """A pattern of one of *kinds*."""
    match draw(st.sampled_from(kinds)):
        case Kind.URL:
            return url_pattern(draw(st.sampled_from(HOSTS[:6])) + draw(st.sampled_from(URL_PATHS)))
        case Kind.CIDR:
            network = ip_network(draw(st.sampled_from(NETWORKS)))
            port = draw(st.sampled_from((None, None, 443, 80)))
            protocol = draw(st.sampled_from((None, None, *Protocol)))
            return Pattern(Kind.CIDR, str(network), network=network, port=port, protocol=protocol)
        case Kind.USER_AGENT:
            return Pattern(Kind.USER_AGENT, draw(st.sampled_from(AGENT_PARTS)))
        case kind:
            return Pattern(kind, draw(hosts))


_FAVOURED = (Kind.DOMAIN, Kind.DOMAIN, *Kind)  # domains are what catalogues hold most

endpoints = st.builds(Endpoint, patterns(_FAVOURED), st.sampled_from(ROLES), shared=st.booleans())
excludes = st.builds(Endpoint, patterns(_FAVOURED))
apps = st.builds(
    App,
    id=st.sampled_from(APPS),
    name=st.just("An app"),
    vendor=st.sampled_from((None, "vendor")),
    named_in=st.sampled_from(((), ("eo",), ("statute", "eo"), ("unknown", "statute"))),
    endpoints=st.lists(endpoints, min_size=1, max_size=6).map(tuple),
    exclude=st.lists(excludes, max_size=4).map(tuple),
)
timelines = st.lists(
    st.tuples(times, st.sampled_from((State.IN_FORCE, *State))), max_size=3, unique_by=lambda change: change[0]
).map(lambda changes: Timeline(tuple(sorted(changes))))
groups = st.builds(
    Group,
    id=st.sampled_from(("lab", "staff")),
    clients=st.sampled_from(
        ((), (ip_network("10.0.0.0/24"),), (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")))
    ),
    users=st.frozensets(st.sampled_from(USERS), max_size=2),
)
schedules = st.builds(
    Schedule,
    timezone=st.sampled_from(ZONES).map(ZoneInfo),
    days=st.just(frozenset(range(7))) | st.frozensets(st.integers(0, 6), min_size=1),
    hours=st.sampled_from(
        (((0, 1440),), ((540, 1020),), ((1320, 360),), ((720, 1440),), ((90, 150), (1380, 60)), ((150, 120),))
    ),
)
selectors = st.one_of(
    st.just(AppSelector(all=True)),
    st.frozensets(st.sampled_from(APPS), min_size=1).map(lambda ids: AppSelector(ids=ids)),
    st.sampled_from(AUTHORITIES).map(lambda identifier: AppSelector(named_in=(identifier,))),
    st.just(AppSelector(vendors=frozenset({"vendor"}))),
    st.builds(
        AppSelector,
        ids=st.frozensets(st.sampled_from(APPS), min_size=1, max_size=1),
        named_in=st.lists(st.sampled_from(AUTHORITIES), max_size=2, unique=True).map(tuple),
        vendors=st.sampled_from((frozenset(), frozenset({"vendor"}))),
    ),
)
CRITERIA = {
    "hosts": st.lists(patterns((Kind.DOMAIN, Kind.HOST, Kind.URL, Kind.CIDR)), min_size=1, max_size=2).map(tuple),
    "roles": st.frozensets(st.sampled_from(ROLES), min_size=1),
    "shared": st.booleans(),
    "surfaces": st.frozensets(st.sampled_from((Surface.HTTP, *Surface)), min_size=1),
    "groups": st.lists(groups, min_size=1, max_size=2).map(tuple),
    "not_groups": st.lists(groups, min_size=1, max_size=2).map(tuple),
    "users": st.frozensets(st.sampled_from(USERS), min_size=1),
    "clients": st.sampled_from(
        (
            (ip_network("10.0.0.0/24"),),
            (ip_network("0.0.0.0/0"),),
            (ip_network("2001:db8::/32"), ip_network("192.0.2.1/32")),
        )
    ),
    "schedule": schedules,
    "authority": st.frozensets(st.sampled_from(State), min_size=1),
    "since": times,
    "until": times,
}
MESSAGES: tuple[dict[str, str], ...] = ({}, {"": "No."}, {"en": "No.", "zh-hans": "不行。"})


@st.composite
def rules(draw: st.DrawFn, *, shadow: bool | None = None) -> Rule:
    """A rule with up to three criteria beside its apps."""
    chosen = draw(st.lists(st.sampled_from(sorted(CRITERIA)), max_size=draw(st.integers(0, 3)), unique=True))
    return Rule(
        id=f"r{draw(st.integers(0, 99))}",
        apps=draw(selectors),
        action=draw(st.sampled_from(Action)),
        shadow=draw(st.sampled_from((False, False, True))) if shadow is None else shadow,
        enabled=draw(st.sampled_from((True, True, True, False))),
        respond=draw(st.lists(st.sampled_from(Respond), max_size=2, unique=True).map(tuple)),
        message=draw(st.sampled_from(MESSAGES)),
        record=draw(st.sampled_from(Recording)),
        **{criterion: draw(CRITERIA[criterion]) for criterion in chosen},
    )


@st.composite
def policies(draw: st.DrawFn, *, modes: tuple[Mode, ...] = (Mode.ENFORCE,), shadow: bool | None = None) -> Policy:
    """A policy of up to four apps, six rules, and two domain lists."""
    catalogue = {app.id: app for app in draw(st.lists(apps, min_size=1, max_size=4))}
    lists = tuple(
        DomainList(app, f"lists/{app}.txt", 0, draw(st.sampled_from((Role.API, Role.CDN))), draw(st.booleans()))
        for app in draw(st.lists(st.sampled_from(sorted(catalogue)), max_size=2))
    )
    listed = DomainTable([draw(st.lists(hosts, max_size=4, unique=True)) for _ in lists]) if lists else None
    return Policy(
        settings=Settings(
            mode=draw(st.sampled_from(modes)),
            default=draw(st.sampled_from(Action)),
            bound_by=draw(st.sampled_from((frozenset(), frozenset(AUTHORITIES)))),
        ),
        apps=catalogue,
        authorities={
            identifier: Authority(id=identifier, title=identifier, timeline=draw(timelines))
            for identifier in ("eo", "statute")
        },
        rules=tuple(draw(st.lists(rules(shadow=shadow), max_size=6))),
        lists=lists,
        listed=listed,
    )


_tight_endpoints = st.builds(
    Endpoint,
    st.one_of(
        st.builds(Pattern, st.sampled_from((Kind.DOMAIN, Kind.DOMAIN, Kind.HOST)), st.sampled_from(HOSTS[:9:3])),
        st.just(ip_network("203.0.113.0/24")).map(lambda net: Pattern(Kind.CIDR, str(net), network=net, port=80)),
        st.sampled_from(HOSTS[:9:3]).map(lambda host: url_pattern(f"{host}/p/*")),
    ),
    shared=st.booleans(),
)


@st.composite
def tight_policies(draw: st.DrawFn) -> Policy:
    """A policy whose apps crowd on three names, with rules by id alone: ties, excludes and unruled apps abound."""
    catalogue = {
        app: App(
            id=app,
            name=app,
            endpoints=tuple(draw(st.lists(_tight_endpoints, min_size=1, max_size=3))),
            exclude=tuple(draw(st.lists(_tight_endpoints, max_size=1))),
        )
        for app in APPS[:3]
    }
    ordered = [
        Rule(
            id=f"r{number}",
            apps=AppSelector(ids=frozenset({draw(st.sampled_from(APPS[:3]))})),
            action=draw(st.sampled_from(Action)),
            shared=draw(st.sampled_from((None, None, True))),
        )
        for number in range(draw(st.integers(0, 4)))
    ]
    return Policy(settings=Settings(default=draw(st.sampled_from(Action))), apps=catalogue, rules=tuple(ordered))


@st.composite
def ruled_policies(draw: st.DrawFn) -> Policy:
    """A policy of two apps at three names, and of as many rules as eight, each with a criterion or two."""
    catalogue = {
        app: App(
            id=app,
            name=app,
            vendor="vendor",
            named_in=draw(st.sampled_from((("eo",), ("statute", "eo")))),
            endpoints=tuple(draw(st.lists(_tight_endpoints, min_size=1, max_size=3))),
        )
        for app in APPS[:2]
    }
    return Policy(
        settings=Settings(mode=draw(st.sampled_from(Mode)), bound_by=frozenset({"eo"})),
        apps=catalogue,
        authorities={
            identifier: Authority(id=identifier, title=identifier, timeline=draw(timelines))
            for identifier in ("eo", "statute")
        },
        rules=tuple(draw(st.lists(_tight_rules(), min_size=2, max_size=8))),
    )


@st.composite
def excepting_policies(draw: st.DrawFn) -> Policy:
    """A ruled policy, bound by both orders, with exceptions before its rules: some say what they need, some do not."""
    ruled = draw(ruled_policies())
    exceptions = draw(st.lists(_exceptions(), min_size=1, max_size=3))
    bound = replace(ruled.settings, bound_by=frozenset({"eo", "statute"}))
    return replace(ruled, settings=bound, rules=(*exceptions, *ruled.rules))


@st.composite
def _exceptions(draw: st.DrawFn) -> Rule:
    rule = draw(_tight_rules())
    return replace(
        rule if draw(st.booleans()) else Rule(id=rule.id, apps=rule.apps, action=rule.action, shadow=rule.shadow),
        exception=True,
        author=draw(st.sampled_from((None, *["alice"] * 7))),
        approved_by=draw(st.sampled_from((None, *["bob"] * 6, "Alice "))),
        basis=draw(st.sampled_from((None, *Basis, *Basis))),
        ticket=draw(st.sampled_from((None, *["T-1"] * 7))),
    )


@st.composite
def _tight_rules(draw: st.DrawFn) -> Rule:
    """A rule with one criterion or two, of values that tight requests meet."""
    chosen = draw(st.lists(st.sampled_from(sorted(_MET)), min_size=1, max_size=2, unique=True))
    return Rule(
        id=f"r{draw(st.integers(0, 99))}",
        apps=draw(st.sampled_from((AppSelector(all=True), AppSelector(named_in=("eo",))))),
        action=draw(st.sampled_from(Action)),
        shadow=draw(st.sampled_from((False, False, False, True))),
        record=draw(st.sampled_from(Recording)),
        **{criterion: draw(_MET[criterion]) for criterion in chosen},
    )


_MET = CRITERIA | {
    "hosts": st.lists(_tight_endpoints.map(lambda endpoint: endpoint.pattern), min_size=1, max_size=2).map(tuple),
    "clients": st.sampled_from(
        ((ip_network("10.0.0.0/16"),), (ip_network("10.0.0.1/32"), ip_network("2001:db8::/32")))
    ),
    "users": st.frozensets(st.sampled_from(USERS), min_size=1, max_size=2),
    "authority": st.just(frozenset({State.IN_FORCE})) | CRITERIA["authority"],
}


@st.composite
def tight_requests(draw: st.DrawFn) -> Request:
    """A request for what tight policies are about."""
    texts = st.sampled_from((*HOSTS[:9:3], f"x.y.{HOSTS[0]}", "203.0.113.9"))
    carried = draw(st.lists(st.builds(Name.parse, st.just(Source.HOST), texts, _ports), min_size=1, max_size=3))
    target = parse_target(draw(st.sampled_from(("/p/q", "/q"))))
    return Request(
        surface=draw(st.sampled_from((Surface.HTTP, *Surface))),
        time=draw(times),
        names=tuple(carried),
        client=draw(st.sampled_from((None, *CLIENTS, *CLIENTS)).map(lambda text: ip_address(text) if text else None)),
        user=draw(st.sampled_from((None, *USERS, *USERS))),
        target=target,
    )


_ports = st.sampled_from((443, 80))
_texts = st.sampled_from((*HOSTS, *HOSTS, *ADDRESSES, "elsewhere.test", "x.elsewhere.test"))
names = st.builds(Name.parse, st.sampled_from(Source), _texts, _ports)
malformed_names = st.builds(Name.parse, st.sampled_from(Source), st.sampled_from(("", "a..b", "a b.example")), _ports)


@st.composite
def requests(draw: st.DrawFn, *, well_formed: int = 1) -> Request:
    """A request with at least *well_formed* names that are hosts, and perhaps a malformed one."""
    carried = draw(st.lists(names, min_size=well_formed, max_size=4))
    if draw(st.sampled_from((False, False, False, True))):
        carried.insert(draw(st.integers(0, len(carried))), draw(malformed_names))
    target = draw(st.sampled_from((None, *TARGETS)))
    return Request(
        surface=draw(st.sampled_from(Surface)),
        time=draw(times),
        names=tuple(carried),
        client=draw(st.none() | st.sampled_from(CLIENTS).map(ip_address)),
        user=draw(st.none() | st.sampled_from(USERS)),
        target=parse_target(target) if target is not None else None,
        user_agent=draw(st.none() | st.sampled_from(AGENTS)),
        transport=draw(st.sampled_from(("tcp", "udp"))),
    )
