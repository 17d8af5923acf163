"""What each word of the policy language means, in a line: editors show it beside the word that they offer."""

from collections.abc import Iterable

_MEANINGS: tuple[dict[str, str], ...] = (  # of each list of words that a key takes
    {  # role
        "api": "What the app itself asks: the default.",
        "web": "Pages for a browser.",
        "login": "Signing in.",
        "payment": "Paying.",
        "messaging": "Chats, calls and what keeps them connected.",
        "cdn": "Pictures, scripts, fonts, video.",
        "telemetry": "Counting and crash reports.",
        "ads": "Advertising.",
        "download": "Files and installers.",
        "update": "New versions of the app.",
        "store": "The app's listing in an app store.",
        "client": "The client itself, by its User-Agent.",
    },
    {
        "block": "Refuse it, and record it.",
        "log": "Let it pass, and record it.",
        "allow": "Let it pass, and record it as allowed.",
    },
    {
        "block": "It is refused.",
        "log": "It passes and is recorded.",
        "allow": "It passes and is recorded as allowed.",
        "pass": "No app owns it: it passes, and nothing is recorded.",
    },
    {
        "enforce": "Blocks are carried out.",
        "monitor": "Nothing is refused: every block becomes a record that says `would: block`.",
    },
    {
        "all": "Every TLS connection is opened: mitmproxy's own way.",
        "needed": "TLS is opened only where what is inside can turn the verdict into block.",
        "none": "No TLS is opened; only names are judged.",
    },
    {
        "ecs": "Elastic Common Schema: the record as it is.",
        "ocsf": "Open Cybersecurity Schema Framework.",
        "cef": "Common Event Format: ArcSight, QRadar, Sentinel.",
        "eve": "As Suricata writes its events.",
        "syslog": "RFC 5424 with structured data, and words for people.",
    },
    {
        "elasticsearch": "The bulk form of Elasticsearch and OpenSearch; event.id keeps a record from coming in twice.",
        "lines": "One JSON object a line.",
        "splunk": "Splunk's HTTP Event Collector.",
        "loki": "Grafana Loki's push form.",
    },
    {
        "page": "A readable answer: a page for browsers, a problem document for other clients.",
        "reset": "The connection is closed without an answer.",
        "nxdomain": "DNS: there is no such name.",
        "refused": "DNS: the server refuses.",
        "null-address": "DNS: the name leads to 0.0.0.0 or ::.",
    },
    {
        "full": "With client, user and path.",
        "anonymous": "Without client, port, user, path and user agent.",
    },
    {
        "connect": "The request for a tunnel, by its target.",
        "tls": "The ClientHello, by its server name.",
        "http": "A request, by its host and path.",
        "websocket": "The upgrade to a WebSocket.",
        "dns": "A DNS question.",
        "quic": "The QUIC Initial, by its server name.",
        "tcp": "A raw TCP connection.",
        "udp": "Raw datagrams, DTLS included.",
        "server": "The last gate, before an upstream connection opens.",
    },
    {
        "issued": "Signed, not yet effective.",
        "in-force": "It binds.",
        "stayed": "A court or the executive suspends it.",
        "revoked": "It was taken back.",
        "expired": "Its time has run out.",
    },
    {"tcp": "TCP alone.", "udp": "UDP alone."},
    {
        "mon": "Monday.",
        "tue": "Tuesday.",
        "wed": "Wednesday.",
        "thu": "Thursday.",
        "fri": "Friday.",
        "sat": "Saturday.",
        "sun": "Sunday.",
    },
    {
        "before": "They are asked before those of earlier layers: the default.",
        "after": "They are asked behind those of earlier layers.",
    },
    {"redact": "Names are kept, values are not: `?token=<redacted>`.", "keep": "Values are kept too."},
    {
        "full": "The address as it is.",
        "truncated": "Its network alone: the first 24 bits of IPv4, the first 48 of IPv6.",
        "pseudonym": "A keyed pseudonym, which who holds the key can resolve.",
    },
    {
        "shadow": "On trial: what they would do is recorded, and they do nothing.",
        "enforce": "They count at once.",
    },
    {
        "license": "The authority itself permits it.",
        "counsel": "The organization's lawyers say that the order does not reach it.",
        "agency-head": "The head of the agency grants it, where the order gives them that power.",
    },
)
_NOTHING = "There is none."  # null, where a test may expect that


def meanings(words: Iterable[str | None]) -> list[str] | None:
    """The meaning of each of *words*, all that a key takes; None where they are no list of the language."""
    wanted = list(words)
    named = {word for word in wanted if word is not None}
    for known in _MEANINGS:
        if known.keys() == named:
            return [known[word] if word is not None else _NOTHING for word in wanted]
    return None
