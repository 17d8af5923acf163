"""The verdict on an inquiry and its whole reason, as values that the command line and the console show.

What is told is what `decide` did: owners come from its matcher and each rule's failing criterion from its
own judge, so that an explanation cannot say one thing and the proxy do another.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from embargo.core.catalogue import App, Authority
from embargo.core.criteria import failed_criterion
from embargo.core.decide import VERDICTS
from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.inquiry import Inquiry, UnreadableRequest, answer
from embargo.core.matcher import Owner
from embargo.core.request import Name, Request, Surface
from embargo.core.rules import Action, Decrypt, Mode, Policy, Respond, Rule
from embargo.core.timeline import State
from embargo.review.unmet import state_of, unmet

_DOES = {Action.BLOCK: "blocks", Action.LOG: "logs", Action.ALLOW: "allows"}
_OVER_HTTP = frozenset({Surface.CONNECT, Surface.HTTP, Surface.WEBSOCKET})
_REFUSED = {  # what a client gets where there is no HTTP to answer with
    Surface.TLS: "a TLS alert (access_denied), then the connection is closed",
    Surface.QUIC: "a CONNECTION_CLOSE, so that the client turns to TCP; no datagram goes upstream",
    Surface.TCP: "the connection is closed",
    Surface.UDP: "no answer: datagrams are dropped",
    Surface.SERVER: "no upstream connection is opened",
}
_DNS = {
    Respond.NXDOMAIN: "DNS NXDOMAIN",
    Respond.REFUSED: "DNS REFUSED",
    Respond.NULL_ADDRESS: "the DNS answer 0.0.0.0 or ::",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule that was asked for an owner, and what came of it."""

    rule: Rule
    failed: str | None  # the criterion that does not hold, its word in a policy file; None: the rule holds
    why: str | None  # what that criterion wants and what the request has

    @property
    def holds(self) -> bool:
        """Whether all its criteria hold."""
        return self.failed is None


@dataclass(frozen=True, slots=True)
class Ownership:
    """An app that owns a name, and the rules that were asked for it, in order, up to the first that decides."""

    app: App
    owner: Owner
    asked: tuple[Asked, ...]  # empty where a more specific owner had decided


@dataclass(frozen=True, slots=True)
class JudgedName:
    """A name of the request, with its owners, the most specific first."""

    name: Name
    owners: tuple[Ownership, ...]


@dataclass(frozen=True, slots=True)
class Standing:
    """An authority that names a deciding app, and how it stands at that instant."""

    authority: Authority
    state: State | None  # None before its first date
    since: datetime | None
    text: str  # `revoked since 2021-06-09`


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """A verdict with all that explains it. Made by `explain`."""

    inquiry: Inquiry
    verdict: Verdict
    decision: Decision | None  # None where the inquiry could not be read as a request
    request: Request | None  # as it was judged at the deciding surface
    apps: tuple[App, ...] = ()
    reason: str = ""  # one sentence
    gets: str = ""  # what a client gets, in words
    status: int | None = None  # of the HTTP answer to a plain client
    names: tuple[JudgedName, ...] = ()  # all that were judged there, one for each spelling and port
    standings: tuple[Standing, ...] = ()
    error: str | None = None  # why there is nothing to judge

    def document(self) -> dict[str, Any]:
        """The object that `explain --json` prints (DESIGN 8)."""
        decision = self.decision
        endpoint = decision.endpoint if decision is not None else None
        document: dict[str, Any] = {
            "request": self.inquiry.request,
            "verdict": str(self.verdict),
            "apps": [app.id for app in self.apps],
            "endpoint": str(endpoint) if endpoint is not None else None,
            "role": endpoint.role.value if endpoint is not None else None,
            "shared": endpoint.shared if endpoint is not None else None,
            "rule": decision.rule_id if decision is not None else None,
            "reason": self.reason,
            "authorities": [
                {"id": standing.authority.id, "state": standing.state.value if standing.state is not None else None}
                for standing in self.standings
            ],
            "against": list(decision.against) if decision is not None else [],
            "surface": self.request.surface.value if self.request is not None else None,
            "status": self.status,
            "names": list(dict.fromkeys(spelled(name) for name in self.request.names)) if self.request else [],
            "would": str(decision.would) if decision is not None and decision.would is not None else None,
        }
        if self.error is not None:
            document["error"] = self.error
        return document


def explain(policy: Policy, inquiry: Inquiry) -> Explanation:
    """What the proxy would do with *inquiry* and why. Never raises: what cannot be read is refused, and says so."""
    try:
        found = answer(policy, inquiry)
    except UnreadableRequest as unreadable:
        error = str(unreadable)
        return Explanation(
            inquiry=inquiry,
            verdict=Verdict.BLOCK,
            decision=None,
            request=None,
            reason=error,
            gets="nothing",
            error=error,
        )
    decision, request = found.decision, found.request
    apps = tuple(policy.apps[app] for app in decision.apps)
    # what is on trial is told with its rules where it is all there is to tell
    trials = policy.trials if decision.trial is not None and decision.trial.unowned else None
    names = _judged_names(trials.within if trials is not None else policy, request)
    return Explanation(
        inquiry=inquiry,
        verdict=decision.verdict,
        decision=decision,
        request=request,
        apps=apps,
        reason=_reason(policy, decision, apps) + _what_the_law_spared(decision, names),
        gets=_gets(policy, decision, request.surface),
        status=decision.status_on(request.surface),
        names=names,
        standings=tuple(_standing(policy, identifier, request.time) for identifier, _ in decision.authorities),
        error=decision.error,
    )


def spelled(name: Name) -> str:
    """The canonical host of *name*; its text where it is malformed."""
    return name.host.text if name.host is not None else name.text


def place(rule: Rule) -> str:
    """Where *rule* stands: `domains.yaml:41`; empty for one that no file holds."""
    return f"{rule.layer}:{rule.line}" if rule.layer else ""


def _judged_names(policy: Policy, request: Request) -> tuple[JudgedName, ...]:
    distinct = {(spelled(name), name.port): name for name in reversed(request.names)}  # the first of each
    return tuple(_judged_name(policy, request, name) for name in reversed(distinct.values()))


def _judged_name(policy: Policy, request: Request, name: Name) -> JudgedName:
    owners = []
    decided: Owner | None = None
    for owner in policy.matcher.owners(name, request):
        if decided is not None and owner.specificity != decided.specificity:
            owners.append(Ownership(policy.apps[owner.app], owner, ()))
            continue
        asked = _asked(policy, request, name, owner)
        if decided is None and asked and asked[-1].holds and not asked[-1].rule.shadow:
            decided = owner
        owners.append(Ownership(policy.apps[owner.app], owner, asked))
    return JudgedName(name, tuple(owners))


def _asked(policy: Policy, request: Request, name: Name, owner: Owner) -> tuple[Asked, ...]:
    asked = []
    for rule in policy.rules_of[owner.app]:
        failed = failed_criterion(policy, rule, owner, name, request)
        why = unmet(policy, rule, owner, name, request, failed) if failed is not None else None
        asked.append(Asked(rule, failed, why))
        if failed is None and not rule.shadow:
            break
    return tuple(asked)


def _standing(policy: Policy, identifier: str, instant: datetime) -> Standing:
    authority = policy.authorities[identifier]
    timeline = authority.timeline
    return Standing(authority, timeline.state_at(instant), timeline.since(instant), state_of(timeline, instant))


def _reason(policy: Policy, decision: Decision, apps: tuple[App, ...]) -> str:
    names = " and ".join(app.name for app in apps)
    match decision.reason:
        case Reason.RULE:
            assert decision.rule is not None
            rule = decision.rule
            where = f" ({place(rule)})" if place(rule) else ""
            sentence = f"rule {rule.id}{where} {_DOES[rule.action]} {names}"
            if rule.reason:
                sentence += f": {rule.reason}"
        case Reason.DEFAULT:
            sentence = f"no rule holds for {names}, so the default {_DOES[policy.settings.default]} it"
        case Reason.NO_OWNER:
            return "no app owns it"
        case _:
            sentence = f"{decision.error}, so it is refused"
    if decision.held_back and policy.settings.mode is Mode.MONITOR:
        sentence += "; the policy is in monitor mode, so it is only logged"
    elif decision.shadow_rule is not None and decision.would is not None:
        sentence += f"; the shadow rule {decision.shadow_rule} would {_verb(decision.would)} it"
    elif (trial := decision.trial) is not None:
        if decision.endpoint == trial.endpoint:
            return f"{trial.endpoint} is on trial, so what follows is only recorded: {sentence}"
        sentence += f"; {trial.endpoint} is on trial: with it, {trial.rule} would {_verb(trial.verdict)} {trial.app}"
    return sentence


def _what_the_law_spared(decision: Decision, names: tuple[JudgedName, ...]) -> str:
    """Which rule would have blocked, were an order in another state; empty where none would."""
    if decision.blocked or decision.name is None:
        return ""
    for judged in names:
        for ownership in judged.owners if judged.name.host == decision.name.host else ():
            for asked in ownership.asked:
                if asked.failed == "authority" and asked.rule.action is Action.BLOCK and not asked.rule.shadow:
                    return f"; rule {asked.rule.id} does not block it, since it {asked.why}"
    return ""


def _verb(verdict: Verdict) -> str:
    return next(action.value for action, said in VERDICTS.items() if said is verdict)


def _gets(policy: Policy, decision: Decision, surface: Surface) -> str:
    if decision.verdict is Verdict.PASS:
        return "what it asked for; nothing is recorded"
    if not decision.blocked:
        who = "without client, user and path" if decision.anonymous else "with client and user"
        return f"what it asked for; recorded {who}"
    if surface is Surface.DNS:
        wanted = decision.response_on(surface) or Respond.NXDOMAIN
        return f"{_DNS[wanted]}, with an extended error where the query carried EDNS"
    if surface not in _OVER_HTTP:
        return _REFUSED[surface]
    if decision.response_on(surface) is Respond.RESET:
        return "no answer: the connection is closed"
    if surface is not Surface.CONNECT:
        return f"HTTP {decision.status}; browsers see the block page, other clients a problem document"
    refused = f"HTTP {decision.status} at CONNECT"
    shown = policy.settings.decrypt is not Decrypt.NONE and decision.reason in (Reason.RULE, Reason.DEFAULT)
    return f"{refused}; browsers see the block page" if shown else refused
