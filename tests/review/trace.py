"""Made traffic, as realistic as it need be: people who browse, machines that call home, apps with hosts in bursts.

- Browsing: pages by Zipf's law, each with a few third parties (fonts, advertisements, CDNs) that many pages have.
- The system: each client asks for the same few hosts every few minutes.
- An app: some clients have it; a session asks for several of its hosts within seconds, for hosts of SDKs that other
  apps have too, for a shared CDN, and, where its browser is used, for any page.
- A companion: another product, in no catalogue, which the same people mostly use at other times.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from heapq import merge
from ipaddress import ip_address
from itertools import accumulate
from random import Random

from embargo.core.seen import Seen

BEGIN = datetime(2026, 11, 23, 8, tzinfo=UTC)
THIRD = [f"{kind}{number}.{kind}s-{number % 7}.com" for kind in ("font", "ad", "cdn", "tag") for number in range(15)]
SYSTEM = ["time.os-vendor.com", "push.os-vendor.com", "www.google.com", "update.antivirus.net", "ocsp.pki-firm.org"]
SDK = ["crash.sdk-firm.io", "events.measure-sdk.com", "graph.social-sdk.com", "push.cloud-messaging.com"]
COMPANION = ["api.companion-app.com", "img.companion-app.com", "log.companion-app.com"]


@dataclass(frozen=True, kw_only=True)
class Used:
    """An app that is used: its hosts, and the part of the clients that has it."""

    hosts: Sequence[str]
    part: float = 0.15
    companion: Sequence[str] = ()


def trace(
    apps: Sequence[Used], *, clients: int = 120, hours: float = 8, sites: int = 4000, seed: int = 1
) -> Iterator[Seen]:
    """The requests of all clients, in order of time."""
    chance = Random(seed)
    weights = list(accumulate(1 / rank for rank in range(1, sites + 1)))
    return merge(
        *(
            iter(_client(Random(seed * 10_007 + number), number, apps, chance.random(), hours, sites, weights))
            for number in range(clients)
        ),
        key=lambda seen: seen.time,
    )


def _client(
    chance: Random, number: int, apps: Sequence[Used], eagerness: float, hours: float, sites: int, weights: list[float]
) -> list[Seen]:
    address = ip_address(0x0A000000 + number)
    end = hours * 3600
    asked: list[tuple[float, str]] = []

    def page(at: float) -> None:
        site = chance.choices(range(sites), cum_weights=weights)[0]
        asked.append((at, f"www.site{site}.com"))
        thirds = Random(site)  # the same page has the same third parties
        asked.extend((at + chance.random() * 3, thirds.choice(THIRD)) for _ in range(thirds.randrange(2, 7)))

    at = chance.expovariate(1 / 90)
    while at < end:
        page(at)
        at += chance.expovariate(1 / (60 + 240 * eagerness))
    for host in SYSTEM:
        at = chance.random() * 300
        while at < end:
            asked.append((at, host))
            at += chance.uniform(200, 400)
    for app in apps:
        if chance.random() < app.part:
            hosts = list(app.hosts)
            _sessions(chance, asked, hosts, end, page)
            if app.companion and chance.random() < 0.7:
                _sessions(chance, asked, list(app.companion), end, page)
    return [
        Seen(request=f"https://{host}/", time=BEGIN + timedelta(seconds=second), client=address)
        for second, host in sorted(asked)
    ]


def _sessions(chance: Random, asked: list[tuple[float, str]], hosts: list[str], end: float, page: object) -> None:
    """A session every half hour or so: a burst at the start, a few later."""
    at = chance.expovariate(1 / 1200)
    while at < end:
        asked.extend((at + chance.random() * 6, host) for host in chance.sample(hosts, min(len(hosts), 12)))
        asked.extend((at + chance.random() * 6, host) for host in chance.sample(SDK, 2))
        later = at
        while later < at + 300:
            later += chance.expovariate(1 / 20)
            asked.append((later, chance.choice(hosts)))
            if chance.random() < 0.1:
                page(later)  # type: ignore[operator]
        at += 300 + chance.expovariate(1 / 1800)
