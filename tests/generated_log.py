"""A decision log as a company of some thousand clients would write it, made fast: for benches and browsers.

Few apps, hosts and clients make most of the records; there are office hours, retries, blocked, logged, shared and
would-be hits, policy changes and heartbeats. The same arguments make the same log. It is not sealed.

python -m tests.generated_log DIR --records 1000000
"""

import argparse
import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import zstandard

END = datetime(2026, 11, 24, 12, tzinfo=UTC)
CLIENTS = 3000
HOSTS = 20_000
_APPS = [  # id, domains, rule, verdict, authority and state
    ("wechat", ("weixin.qq.com", "wechat.com", "wx.qq.com"), "stayed-orders", "log", ("eo-13943", "revoked")),
    ("tiktok", ("tiktok.com", "tiktokcdn.com", "byteoversea.com"), "stayed-orders", "log", ("eo-13942", "revoked")),
    ("alipay", ("alipay.com", "alipayobjects.com"), "banned-apps", "block", ("eo-13971", "revoked")),
    ("qq", ("qq.com", "gtimg.cn"), "banned-apps", "block", ("eo-13971", "revoked")),
    ("wechat-pay", ("pay.weixin.qq.com", "tenpay.com"), "banned-apps", "block", ("eo-13971", "revoked")),
    ("wps", ("wps.com", "wps.cn", "kdocs.cn"), "banned-apps", "block", ("eo-13971", "revoked")),
    ("camscanner", ("camscanner.com", "intsig.net"), "banned-apps", "block", ("eo-13971", "revoked")),
    ("shareit", ("ushareit.com",), "banned-apps", "block", ("eo-13971", "revoked")),
    ("vmate", ("vmate.com", "vmate.in"), "banned-apps", "block", ("eo-13971", "revoked")),
    ("qqwallet", ("qpay.qq.com",), "banned-apps", "block", ("eo-13971", "revoked")),
]
_SHARED = ("cdn.example.net", "static.example.org", "push.example.com")
_ROLES = ("api", "api", "api", "web", "cdn", "telemetry", "payment", "login")
_AGENTS = (
    None,
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "okhttp/4.12.0",
    "MicroMessenger Client",
    "Dalvik/2.1.0 (Linux; U; Android 14)",
)
_PATHS = ("/mgw.htm", "/", "/cgi-bin/micromsg-bin/newgetdns", "/api/v2/log", "/static/app.js", "/pay/order")
_DIGESTS = ("5f" * 32, "a1" * 32, "c0" * 32)
_FILE = 200_000  # records a file


@dataclass(frozen=True)
class _Pattern:
    """What records of one host and decision share, encoded."""

    event: str  # category to reason
    middle: str  # ecs, observer, network, rule
    rest: str  # destination, url, http, tls
    ours: str


def _zipf(values: int, rng: random.Random, exponent: float = 1.05) -> tuple[range, list[float]]:
    del rng
    return range(values), list(itertools.accumulate(1 / (rank + 1) ** exponent for rank in range(values)))


def _patterns(rng: random.Random, hosts: int) -> list[_Pattern]:
    made = []
    for number in range(hosts):
        app, domains, rule, verdict, (order, state) = _APPS[min(int(rng.expovariate(0.5)), len(_APPS) - 1)]
        shared = number % 11 == 5
        domain = rng.choice(_SHARED if shared else domains)
        host = domain if number < 40 else f"{rng.choice(('api', 'mp', 'm', 'r3---sn', 'short'))}{number}.{domain}"
        surface = rng.choice(("http", "http", "http", "tls", "connect", "dns"))
        would = ',"would":"block"' if number % 17 == 3 and not shared else ""
        if shared:
            rule, verdict = "shared-infrastructure", "log"
        elif would:
            verdict = "log"
        elif number % 97 == 7:
            rule, verdict = "pilot", "allow"
        web = surface == "http"
        kind = '["connection","denied"]' if verdict == "block" else '["connection","allowed"]'
        category = '["network","web"]' if web else '["network"]'
        middle = (
            '"ecs":{"version":"8.11.0"},"observer":{"type":"proxy","vendor":"embargo","product":"embargo",'
            '"hostname":"proxy1.example.com","version":"0.1.0"},"network":{"transport":"tcp","direction":"outbound",'
            f'"protocol":"{surface}","application":"{app}"}},"rule":{{"id":"{rule}","name":"{rule}",'
            f'"ruleset":"{_DIGESTS[number % 3]}"}}'
        )
        rest = f'"destination":{{"address":"{host}","domain":"{host}","port":443}}'
        if surface == "dns":
            rest = (
                '"destination":{"address":"192.0.2.53","ip":"192.0.2.53","port":53},'
                f'"dns":{{"question":{{"name":"{host}","type":"A"}}}}'
            )
        elif web:
            path = rng.choice(_PATHS)
            status = ',"response":{"status_code":403}' if verdict == "block" else ""
            rest += (
                f',"url":{{"domain":"{host}","path":"{path}","full":"https://{host}{path}?op=<redacted>"}},'
                f'"http":{{"request":{{"method":"{rng.choice(("GET", "POST"))}"}}{status}}}'
            )
        elif surface == "tls":
            rest += f',"tls":{{"client":{{"server_name":"{host}"}}}}'
        agent = rng.choice(_AGENTS)
        if web and agent is not None:
            rest += f',"user_agent":{{"original":{json.dumps(agent)}}}'
        ours = (
            f'"app":["{app}"],"endpoint":"domain:{domain}","role":"{_ROLES[len(domain) % len(_ROLES)]}",'
            f'"shared":{"true" if shared else "false"},"surface":"{surface}","verdict":"{verdict}","reason":"rule",'
            f'"mismatch":false{would},"authority":[{{"id":"{order}","state":"{state}"}}]'
        )
        event = (
            f'"kind":"event","category":{category},"type":{kind},"action":"{verdict}","outcome":"success",'
            f'"reason":"rule {rule}","dataset":"embargo.decision","module":"embargo"'
        )
        made.append(_Pattern(event, middle, rest + f',"related":{{"hosts":["{host}"]}}', ours))
    return made


def _hours(records: int, days: int, end: datetime) -> Iterator[tuple[datetime, int]]:
    """How many records each hour has."""
    hours = [end - timedelta(hours=number) for number in range(days * 24, 0, -1)]
    hours = [hour.replace(minute=0, second=0, microsecond=0) for hour in hours]
    weights = [1.0 if 8 <= hour.hour < 18 and hour.weekday() < 5 else 0.12 for hour in hours]
    share, given, total = 0.0, 0, sum(weights)
    for hour, weight in zip(hours, weights, strict=True):
        share += records * weight / total
        count = round(share) - given
        given += count
        if count:
            yield hour, count


def lines(
    records: int, *, days: int = 365, end: datetime = END, seed: int = 7, clients: int = CLIENTS, hosts: int = HOSTS
) -> Iterator[tuple[datetime, bytes]]:
    """*records* lines with their times, oldest first; all of one chain."""
    rng = random.Random(seed)
    patterns = _patterns(rng, hosts)
    _, of_hosts = _zipf(hosts, rng)
    _, of_clients = _zipf(clients, rng, 0.8)
    people = [
        (
            f'"source":{{"address":"10.{number >> 16}.{number >> 8 & 255}.{number & 255}",'
            f'"ip":"10.{number >> 16}.{number >> 8 & 255}.{number & 255}","port":',
            f'"user":{{"name":"user{number}"}},' if number % 3 else "",
        )
        for number in range(1, clients + 1)
    ]
    sequence = 0
    for hour, count in _hours(records, days, end):
        chosen = rng.choices(patterns, cum_weights=of_hosts, k=count)
        asked = rng.choices(people, cum_weights=of_clients, k=count)
        stamp, step = int(hour.timestamp() * 1000), 3_600_000 / count
        day = hour.strftime("%Y-%m-%dT%H:")
        noise = rng.getrandbits(62)
        for number, (pattern, (source, user)) in enumerate(zip(chosen, asked, strict=True)):
            sequence += 1
            offset = int(number * step)
            minute, rest = divmod(offset, 60_000)
            second, milli = divmod(rest, 1000)
            noise = (noise * 6364136223846793005 + 1442695040888963407) & 0x3FFF_FFFF_FFFF_FFFF
            digits = f"{(stamp + offset) << 80 | 0x7 << 76 | (sequence & 0xFFF) << 64 | 0b10 << 62 | noise:032x}"
            identifier = f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
            other = f"{noise * 0x9E3779B97F4A7C15 & 0xFFFF_FFFF_FFFF_FFFF:016x}{noise:016x}"
            connection = f"{other[:8]}-{other[8:12]}-4{other[13:16]}-8{other[17:20]}-{other[20:]}"
            yield (
                hour,
                (
                    f'{{"@timestamp":"{day}{minute:02}:{second:02}.{milli:03}Z","event":{{"sequence":{sequence},'
                    f'"id":"{identifier}",{pattern.event}}},{pattern.middle},{source}{1024 + noise % 60000}}},'
                    f'{user}{pattern.rest},"embargo":{{"connection":"{connection}",{pattern.ours}}}}}\n'
                ).encode("ascii"),
            )


def generate(
    directory: Path,
    records: int,
    *,
    days: int = 365,
    end: datetime = END,
    seed: int = 7,
    clients: int = CLIENTS,
    hosts: int = HOSTS,
    per_file: int = _FILE,
    compressed: bool = True,
) -> None:
    """Writes a log of *records* into *directory*: rotated files of *per_file*, the last one live."""
    for _ in written(
        directory, records, days=days, end=end, seed=seed, clients=clients, hosts=hosts, per_file=per_file,
        compressed=compressed,
    ):  # fmt: skip
        pass


def written(
    directory: Path, records: int, *, per_file: int = _FILE, compressed: bool = True, **more: object
) -> Iterator[Path]:
    """As `generate`; yields each file when it is whole."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    source = lines(records, **more)  # type: ignore[arg-type]
    first = 1
    while batch := list(itertools.islice(source, per_file)):
        data = b"".join(line for _, line in batch)
        if first + len(batch) > records:
            path = directory / "decisions.jsonl"
            path.write_bytes(data)
        else:
            path = directory / f"decisions-{batch[-1][0] + timedelta(hours=1):%Y%m%dT%H%M%SZ}-{first}.jsonl"
            if compressed:
                path = path.with_name(path.name + ".zst")
                data = zstandard.ZstdCompressor(level=1).compress(data)
            path.write_bytes(data)
        path.chmod(0o600)
        first += len(batch)
        yield path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=365)
    arguments = parser.parse_args()
    generate(arguments.directory, arguments.records, days=arguments.days)


if __name__ == "__main__":
    main()
