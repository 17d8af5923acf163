"""What the policy in force opens and why, what is recorded about whom, for how long, who can see it.

The annex for a works council: facts of one policy, in words and as values. It says what the program does with that
policy, not what a law asks for.
"""

from dataclasses import dataclass
from datetime import datetime

from embargo.core.catalogue import App
from embargo.core.opening import Opening, Why, always_holds, openings
from embargo.core.rules import Decrypt, Mode, Policy, Recording, Rule
from embargo.review.unmet import hours_of, when
from embargo.traffic.census import FEWEST_CLIENTS, KEPT

# Of a record: what may lead to a person. `journal.judged` leaves the first group out of anonymous records; a test
# compares both with records as they are written.
PERSONAL = (
    "source.address",
    "source.ip",
    "source.port",
    "user.name",
    "related.user",
    "embargo.identity_source",
    "embargo.group",
    "user_agent.original",
    "url.path",
    "url.full",
)
REMAINING = (
    "@timestamp",
    "destination.domain",
    "destination.ip",
    "destination.port",
    "url.domain",
    "http.request.method",
    "tls.client.server_name",
    "dns.question.name",
    "embargo.app",
    "embargo.verdict",
    "embargo.connection",
    "rule.id",
)
NEVER = (
    "passwords, of the proxy or of a URL",
    "cookies, and headers other than User-Agent and Host, and than those by which a front proxy names user and "
    "client (embargo_front_proxies)",
    "bodies of requests and responses, messages of WebSockets",
    "fragments of URLs",
)
CENSUS = (
    f"A host that at least {FEWEST_CLIENTS} clients met within an hour: its name, the hour, the number of requests, "
    "and about how many clients.",
    f"What fewer than {FEWEST_CLIENTS} clients met: the registered name (example.com of alice.example.com), the day, "
    "and the number of requests; without an hour and without the host. Where the hosts of the name together had "
    f"{FEWEST_CLIENTS} clients in an hour, about how many.",
    "Of all else (addresses, names inside the house) the number of requests in all, by day.",
    "Never a client, user, user agent, path, query or minute. Clients are told apart in memory by a hash whose random "
    "key is never written and is forgotten after an hour at most: nobody can ask the census about a client.",
    f"Files are kept for {KEPT.days} days, in the directory census/ of the log directory, with settings.census: false "
    "as well, until they are that old.",
)
MEMORY = (
    "Clients that rejected the proxy's certificate, by address and user agent, for a day, at most 10,000; `embargo "
    "status` shows them.",
    "Which addresses DNS told a client for a name, from 5 minutes to a day, to judge connections that show an address "
    "alone; never written, never shown.",
    "Connections that are open, until they end.",
)
READERS = (
    "Whoever can read the log directory sees every record; its files are readable by the proxy's user alone (modes 700 "
    "and 600).",
    "In the console, auditors and admins see records with clients and users; viewers and operators see counts, and "
    "names that say nothing in place of persons. Each sign-in, and each export of records, is recorded.",
    "Whoever holds the key of the pseudonyms (the proxy's user) can find the client behind one by trying addresses; "
    "who looked and why is recorded.",
    "Whoever may ask the status socket (the proxy's user alone) sees counts, and the clients that reject the "
    "certificate.",
    "The client that is refused sees app, message, authority, contact and an incident id; never a rule's reason, "
    "ticket, approver or group.",
    "Whoever reads the proxy's standard output: a stock mitmdump prints a line a connection, with client and "
    "server, of what passes too, unless termlog_verbosity is warn; `embargo run` does not.",
    "Whoever receives what the policy sends elsewhere (settings.log.sinks), as listed above. Other copies are not "
    "known to this program.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleAccount:
    """What one rule records about whom."""

    id: str
    action: str
    anonymous: bool
    shadow: bool
    apps: tuple[str, ...]
    about: str  # whom it concerns, in words

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        return {
            "id": self.id,
            "action": self.action,
            "record": "anonymous" if self.anonymous else "full",
            "shadow": self.shadow,
            "apps": list(self.apps),
            "about": self.about,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Annex:
    """The facts of one policy at one instant."""

    policy: Policy
    time: datetime  # aware, UTC
    openings: tuple[Opening, ...]  # those that the proxy makes under this policy
    rules: tuple[RuleAccount, ...]
    by_default: tuple[str, ...]  # apps for which no rule need hold

    @property
    def opens_nothing(self) -> bool:
        """Whether no TLS is opened, whatever is asked for."""
        settings = self.policy.settings
        monitors = settings.mode is Mode.MONITOR and settings.decrypt is Decrypt.NEEDED
        return settings.decrypt is Decrypt.NONE or monitors

    def document(self) -> dict[str, object]:
        """As JSON has it."""
        settings = self.policy.settings
        return {
            "time": self.time.isoformat(),
            "policy": {"digest": self.policy.digest, "files": list(self.policy.files)},
            "organization": settings.organization,
            "mode": settings.mode.value,
            "opened": {
                "decrypt": settings.decrypt.value,
                "nothing": self.opens_nothing,
                "names": [
                    {"name": each.name, "below": each.below, "why": each.why.value, "app": each.app, "rule": each.rule}
                    for each in self.openings
                ],
                "never": [f"{pattern.kind.key}:{pattern.text}" for pattern in settings.never_decrypt],
            },
            "recorded": {
                "rules": [rule.document() for rule in self.rules],
                "default": {"action": settings.default.value, "record": "full", "apps": list(self.by_default)},
                "unknown_protocol": settings.unknown_protocol.value,
                "query_values": settings.query_values,
                "client": settings.client.value,
                "full": [*PERSONAL, *REMAINING],
                "anonymous": list(REMAINING),
                "never": list(NEVER),
            },
            "retention_seconds": settings.log.retention,
            "audit_retention_seconds": settings.log.kept_for(audit=True),
            "sent_to": [str(sink) for sink in settings.log.sinks if sink.enabled],
            "rotation_seconds": settings.log.rotate_age,
            "census": {"counted": settings.census, "days": KEPT.days, "fewest_clients": FEWEST_CLIENTS},
            "memory": list(MEMORY),
            "readers": list(READERS),
        }


def annex(policy: Policy, time: datetime) -> Annex:
    """The annex of *policy* at *time* (aware, UTC)."""
    settings = policy.settings
    found = () if settings.mode is Mode.MONITOR and settings.decrypt is Decrypt.NEEDED else openings(policy, time)
    if settings.mode is Mode.MONITOR:
        found = tuple(each for each in found if each.why is not Why.PAGE)  # nothing is refused, so no page is shown
    rules = [rule for rule in policy.rules if rule.enabled and (rule.until is None or rule.until > time)]
    return Annex(
        policy=policy,
        time=time,
        openings=found,
        rules=tuple(_account(policy, rule) for rule in rules),
        by_default=tuple(app.id for app in policy.apps.values() if _may_default(policy, app, time)),
    )


def _account(policy: Policy, rule: Rule) -> RuleAccount:
    return RuleAccount(
        id=rule.id,
        action=rule.action.value,
        anonymous=rule.record is Recording.ANONYMOUS,
        shadow=rule.shadow,
        apps=tuple(app.id for app in policy.apps.values() if rule.apps.selects(app)),
        about=_about(rule),
    )


def _about(rule: Rule) -> str:
    parts = []
    if rule.groups:
        parts.append("members of " + " or ".join(group.id for group in rule.groups))
    if rule.not_groups:
        parts.append("nobody in " + " or ".join(group.id for group in rule.not_groups))
    if rule.users:
        parts.append("users " + ", ".join(sorted(rule.users)))
    if rule.clients:
        parts.append("clients in " + ", ".join(map(str, rule.clients)))
    if rule.schedule is not None:
        parts.append(hours_of(rule.schedule))
    if rule.since is not None:
        parts.append(f"from {when(rule.since)}")
    if rule.until is not None:
        parts.append(f"until {when(rule.until)}")
    if rule.shared is not None:
        parts.append("shared infrastructure" if rule.shared else "what is not shared")
    if rule.roles:
        parts.append("roles " + ", ".join(sorted(rule.roles)))
    if rule.surfaces:
        parts.append("surfaces " + ", ".join(sorted(rule.surfaces)))
    if rule.hosts:
        parts.append("hosts " + ", ".join(pattern.text for pattern in rule.hosts))
    if rule.authority:
        parts.append("while an authority is " + " or ".join(sorted(rule.authority)))
    return "; ".join(parts) or "everybody"


def _may_default(policy: Policy, app: App, time: datetime) -> bool:
    """Whether no rule need hold for some endpoint of *app*."""
    sure = [rule for rule in policy.rules_of[app.id] if not rule.shadow and always_holds(rule, time)]
    return any(not any(rule.fits(role, shared) for rule in sure) for role, shared in policy.kinds_of(app))
