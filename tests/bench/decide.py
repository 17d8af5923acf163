"""How long `decide` takes, in µs of wall time: `python tests/bench/decide.py [DOMAINS]`.

A request carries four names (CONNECT, SNI, Host, the address to dial), as one inside an intercepted tunnel
does. *Fresh*: the host was never seen before; *repeated*: it was. Names are parsed outside the timing, as
that happens once when the request is gathered; `parse` shows what it costs. Best of five rounds.
"""

import gc
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from time import perf_counter

from embargo.core.catalogue import App, Authority, DomainList, Endpoint
from embargo.core.decide import decide
from embargo.core.matcher import DomainTable
from embargo.core.pattern import Kind, Pattern
from embargo.core.request import Name, Request, Source, Surface
from embargo.core.rules import Action, AppSelector, Policy, Rule
from embargo.core.timeline import State, Timeline
from embargo.core.url import parse_target

NOW = datetime(2026, 11, 24, tzinfo=UTC)
REQUESTS = 20_000
SOURCES = (Source.CONNECT, Source.SNI, Source.HOST, Source.DIALLED)


def policy(domains: int) -> Policy:
    """Ten apps and their three rules, and one more app with *domains* names in a list."""
    apps = [
        App(
            id=f"app{number}",
            name=f"App {number}",
            named_in=("order",),
            endpoints=tuple(
                Endpoint(Pattern(Kind.DOMAIN, f"service{service}.app{number}.example")) for service in range(30)
            ),
        )
        for number in range(10)
    ]
    apps.append(App(id="listed", name="Listed"))
    rules = (
        Rule(id="shared-infrastructure", apps=AppSelector(all=True), shared=True, action=Action.LOG),
        Rule(id="named", apps=AppSelector(named_in=("order",)), action=Action.BLOCK),
        Rule(id="rest", apps=AppSelector(all=True), action=Action.LOG),
    )
    return Policy(
        apps={app.id: app for app in apps},
        authorities={"order": Authority(id="order", title="Order", timeline=Timeline(((NOW, State.IN_FORCE),)))},
        rules=rules,
        lists=(DomainList("listed", "bench", domains),),
        listed=DomainTable([(f"domain{number}.test" for number in range(domains))]),
    )


def requests(hosts: Sequence[str]) -> list[Request]:
    """One request a host, each with all four names."""
    target = parse_target("/path?key=value")
    return [
        Request(
            surface=Surface.HTTP,
            time=NOW,
            names=tuple(Name.parse(source, host, 443) for source in SOURCES),
            target=target,
            user_agent="Mozilla/5.0",
        )
        for host in hosts
    ]


def microseconds(judge: Callable[[Request], object], asked: Sequence[Request]) -> float:
    """Mean time of one call, the collector off so that it does not fall into one case alone."""
    gc.collect()
    gc.disable()
    started = perf_counter()
    for request in asked:
        judge(request)
    elapsed = perf_counter() - started
    gc.enable()
    return elapsed / len(asked) * 1e6


def main() -> None:
    domains = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    judged = policy(domains)
    numbers = range(REQUESTS)
    cases = {
        "blocked": [f"host{number}.service7.app{number % 10}.example" for number in numbers],
        "listed": [f"host{number}.domain{number % domains}.test" for number in numbers],
        "pass": [f"host{number}.elsewhere.example" for number in numbers],
    }
    print(f"{domains} listed domains; µs a request of four names\n{'case':10}{'fresh':>8}{'repeated':>10}{'parse':>8}")
    for case, hosts in cases.items():
        asked = requests(hosts)
        again = [asked[0]] * REQUESTS
        fresh, repeated, parse = [], [], []
        for round_number in range(5):
            judged.matcher.forget()
            fresh.append(microseconds(lambda request: decide(judged, request), asked))
            repeated.append(microseconds(lambda request: decide(judged, request), again))
            names = [f"round{round_number}.{host}" for host in hosts]
            started = perf_counter()
            for name in names:
                Name.parse(Source.HOST, name, 443)
            parse.append((perf_counter() - started) / len(names) * 1e6)
        print(f"{case:10}{min(fresh):8.2f}{min(repeated):10.2f}{min(parse):8.2f}")


if __name__ == "__main__":
    main()
