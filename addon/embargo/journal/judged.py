"""The line of a judged flow, put together from encoded pieces.

Built as one dictionary and encoded, a record costs 65 µs of CPU, which is above the goal of 50,000 records/s by
a factor of three. Most of it is the same for every flow that one rule decides, and clients and hosts come back;
so those pieces are encoded once and kept, and a line is their concatenation. Choices that DESIGN leaves open:

- `event.reason` is the why in words: what decided and, after a colon, the rule's own `reason`.
- `rule.name` is the rule's id: a rule has no other name. Ticket and approver are under `embargo`.
- `embargo.authority` is a list of `{id, state}`, as `explain --json` prints it.
- `embargo.names` (only on a mismatch) are texts `SOURCE:NAME`, as an endpoint is `KIND:PATTERN`.
- An anonymous record also leaves out what would give the client away by a detour: group and query.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted

from embargo.core.address import Address, parse_address
from embargo.core.catalogue import Endpoint
from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.hostname import MalformedHost, canonical
from embargo.core.inquiry import PORTS
from embargo.core.request import Surface
from embargo.core.rules import ClientForm, Rule
from embargo.journal.client import masked
from embargo.journal.ecs import DATASET, ECS_VERSION, MODULE, Document, Observer, encode_json, timestamp
from embargo.journal.event import Judged, Outcome
from embargo.journal.privacy import WILDCARD, keyword, path_and_query, without_user_information
from embargo.journal.pseudonym import Pseudonyms

_MOST_PIECES = 4096  # kept constant pieces: some kilobytes each; a policy has rules × endpoints × surfaces of them
_LONGEST_KEPT = 256  # characters of a text that is kept encoded: a client must not choose how much memory that takes
_ON_THE_WEB = frozenset({Surface.HTTP, Surface.WEBSOCKET})
_WHY = {  # reasons that no rule words
    Reason.NO_OWNER: "no app owns it",
    Reason.DEFAULT: "no rule of the app holds, so settings.default decides",
    Reason.MALFORMED: "what it names is no host",
    Reason.NAMELESS: "it names no host",
    Reason.UNKNOWN_PROTOCOL: "it is no protocol that is read, so settings.unknown_protocol decides",
    Reason.UNDECIDED: "what was sent never became a protocol that can be judged",
    Reason.NO_POLICY: "everything is refused until a policy has loaded",
    Reason.OWN_SERVICE: "it leads to a service of embargo's own, which nobody reaches through the proxy",
    Reason.ERROR: "judging failed",
}


@dataclass(frozen=True, slots=True)
class _Constant:
    """What every record of one decision, surface and policy has in common, encoded without its braces."""

    of: tuple[Rule | None, Endpoint | None]  # kept alive, so that their identities stay theirs
    frame: str  # the rest of `event`, then whole members, up to the first that varies
    embargo: str


@dataclass(frozen=True, slots=True)
class _Shown:
    """A host as it is written."""

    text: str  # canonical; as it came, cut, where it is malformed
    address: Address | None
    encoded: str  # quoted
    in_url: str  # an IPv6 address in brackets

    def relate(self, hosts: dict[str, None], addresses: dict[str, None]) -> None:
        """Files it under `related`: what a search across fields finds."""
        (hosts if self.address is None else addresses)[self.encoded] = None


@dataclass(frozen=True, slots=True)
class _Source:
    """A client as it is written."""

    address: Address | None
    encoded: str  # quoted address; "" where it is none
    members: str  # the record's `source`, as far as the port


class JudgedLines:
    """Makes lines for one observer. For one thread."""

    def __init__(self, observer: Observer, pseudonyms: Pseudonyms | None = None) -> None:
        self._observer = observer
        self._pseudonyms = pseudonyms
        self._constants: dict[tuple[object, ...], _Constant] = {}

    def line(self, event: Judged, sequence: int) -> str:
        """The record of *event* as one line of printable ASCII, without line feed."""
        decision = event.decision
        anonymous = decision.anonymous
        constant = self._constant(event)
        hosts: dict[str, None] = {}  # ordered sets of encoded texts
        addresses: dict[str, None] = {}
        pieces = [
            f'{{"@timestamp":"{timestamp(event.time)}","event":{{"sequence":{sequence},"id":{quoted(event.id)},',
            constant.frame,
        ]
        add = pieces.append
        client = user = None
        masking = ""
        if not anonymous:
            if event.client is not None and event.client_form is not ClientForm.FULL:
                client = _address(event.client)
                shown, masking = self._masked(event)
                add(shown)
            elif event.client is not None:
                source = _source(event.client)
                client = source.address
                add(source.members)
                add(f',"port":{event.client_port}}}' if event.client_port is not None else "}")
                if client is not None:
                    addresses[source.encoded] = None
            if event.user is not None:
                user = _kept(event.user)
                add(f',"user":{{"name":{user}}}')
            if event.user_agent is not None:
                add(f',"user_agent":{{"original":{_kept(event.user_agent)}}}')
        if event.destination is not None:
            add(_destination(event, event.destination, hosts, addresses))
        if event.host is not None:
            host = _shown(event.host)
            host.relate(hosts, addresses)
            add(_url(event, host, anonymous))
        if event.method is not None or event.status is not None:
            add(_http(event))
        if event.sni is not None:
            server_name = _shown(event.sni)
            server_name.relate(hosts, addresses)
            add(f',"tls":{{"client":{{"server_name":{server_name.encoded}}}}}')
        if event.question is not None:
            question = _shown(event.question)
            question.relate(hosts, addresses)
            asked = f',"type":{_kept(event.question_type)}' if event.question_type is not None else ""
            add(f',"dns":{{"question":{{"name":{question.encoded}{asked}}}}}')
        more = _varying(event, client, anonymous, hosts, addresses)
        related = f',"hosts":[{",".join(hosts)}]' if hosts else ""
        if addresses:
            related += f',"ip":[{",".join(addresses)}]'
        if user is not None:
            related += f',"user":[{user}]'
        if related:
            add(f',"related":{{{related[1:]}}}')
        if event.outcome is Outcome.FAILURE or decision.reason is Reason.ERROR:
            add(f',"error":{encode_json(_error(event))}')
        add(f',"embargo":{{"connection":{quoted(event.connection)}{masking}{more},{constant.embargo}}}}}')
        return "".join(pieces)

    def _masked(self, event: Judged) -> tuple[str, str]:
        """The record's `source` for a client that must not stand there, and what `embargo` says of it."""
        assert event.client is not None
        text = masked(event.client, event.client_form, self._pseudonyms)
        if text is None:
            return "", ',"masked":true'
        source = f',"source":{{"address":{quoted(text)}}}'
        if event.client_form is ClientForm.PSEUDONYM:
            return source, f',"client":{quoted(text)},"masked":true'
        return source, ',"masked":true'

    def _constant(self, event: Judged) -> _Constant:
        decision = event.decision
        if decision.error is not None or (event.reference is not None and len(event.reference) > _LONGEST_KEPT):
            return self._made(event)
        key = (
            id(decision.rule),
            id(decision.endpoint),
            decision.apps,
            decision.verdict,
            decision.reason,
            decision.would,
            decision.shadow_rule,
            decision.trial,
            decision.authorities,
            decision.against,
            decision.mismatch,
            event.surface,
            event.policy,
            event.outcome,
            event.transport,
            event.protocol,
            event.reference,
        )
        constant = self._constants.get(key)
        if constant is None:
            if len(self._constants) >= _MOST_PIECES:
                self._constants.clear()
            constant = self._constants[key] = self._made(event)
        return constant

    def _made(self, event: Judged) -> _Constant:
        decision = event.decision
        happened: Document = {
            "kind": "event",
            "category": ["network", "web"] if event.surface in _ON_THE_WEB else ["network"],
            "type": _type(event),
            "action": "log" if decision.verdict is Verdict.PASS else str(decision.verdict),
            # of what the observer meant to do: a block is a success (ECS, "Using the categorization fields")
            "outcome": "failure" if decision.reason is Reason.ERROR else str(event.outcome),
            "reason": _reason(decision),
            "dataset": DATASET,
            "module": MODULE,
        }
        network: Document = {"transport": keyword(event.transport), "direction": "outbound"}
        if event.protocol is not None:
            network["protocol"] = keyword(event.protocol)
        if decision.apps:
            network["application"] = decision.apps[0]
        members: Document = {
            "ecs": {"version": ECS_VERSION},
            "observer": self._observer.document,
            "network": network,
        }
        if rule := _rule(event):
            members["rule"] = rule
        return _Constant(
            of=(decision.rule, decision.endpoint),
            frame=encode_json(happened)[1:] + "," + encode_json(members)[1:-1],
            embargo=encode_json(_explanation(event))[1:-1],
        )


def _type(event: Judged) -> list[str]:
    decision = event.decision
    if not decision.blocked:
        return ["connection", "allowed"]
    if event.outcome is Outcome.FAILURE and decision.reason is not Reason.ERROR:
        return ["connection"]  # decided, not carried out
    return ["connection", "denied"]


def _reason(decision: Decision) -> str:
    if decision.trial is not None and decision.endpoint == decision.trial.endpoint:
        return keyword(f"on trial: {decision.trial.endpoint}")
    if (rule := decision.rule) is not None:
        return keyword(f"rule {rule.id}: {rule.reason}") if rule.reason else f"rule {rule.id}"
    why = _WHY.get(decision.reason, str(decision.reason))
    return keyword(f"{why}: {decision.error}") if decision.error else why


def _rule(event: Judged) -> Document:
    rule: Document = {}
    if (identifier := event.decision.rule_id) is not None:
        rule |= {"id": identifier, "name": identifier}
        if event.reference is not None:
            rule["reference"] = keyword(event.reference)
    if event.policy:
        rule["ruleset"] = event.policy
    return rule


def _explanation(event: Judged) -> Document:
    decision = event.decision
    ours: Document = {"app": list(decision.apps)}
    if (endpoint := decision.endpoint) is not None:
        ours |= {"endpoint": keyword(str(endpoint)), "role": endpoint.role.value, "shared": endpoint.shared}
    ours |= {
        "surface": event.surface.value,
        "verdict": str(decision.verdict),
        "reason": decision.reason.value,
        "mismatch": decision.mismatch,
    }
    if decision.would is not None:
        ours["would"] = str(decision.would)
    if decision.shadow_rule is not None:
        ours["shadow_rule"] = decision.shadow_rule
    if (trial := decision.trial) is not None:
        ours["trial"] = {"app": trial.app, "endpoint": keyword(str(trial.endpoint)), "would": str(trial.verdict)}
        if trial.rule is not None:
            ours["trial"]["rule"] = trial.rule
    if decision.authorities:
        ours["authority"] = [{"id": authority, "state": state} for authority, state in decision.authorities]
    if decision.against:
        ours["against"] = list(decision.against)
    if decision.anonymous:
        ours["anonymous"] = True
    if (rule := decision.rule) is not None:
        if rule.ticket is not None:
            ours["ticket"] = keyword(rule.ticket)
        if rule.approved_by is not None:
            ours["approved_by"] = keyword(rule.approved_by)
        if rule.author is not None:
            ours["author"] = keyword(rule.author)
        if rule.basis is not None:
            ours["basis"] = rule.basis.value
    return ours


def _error(event: Judged) -> Document:
    return {
        "message": keyword(event.error or event.decision.error or "no more is known", WILDCARD),
        "type": keyword(event.error_type or str(event.decision.reason)),
    }


def _varying(
    event: Judged, client: Address | None, anonymous: bool, hosts: dict[str, None], addresses: dict[str, None]
) -> str:
    """The members of `embargo` that few records have, each behind a comma."""
    decision = event.decision
    ours: Document = {}
    if decision.mismatch and event.names:
        texts: dict[str, None] = {}
        for name in event.names:
            shown = _shown(name.text)
            shown.relate(hosts, addresses)
            texts[keyword(f"{name.source}:{shown.text}")] = None
        ours["names"] = list(texts)
    if not anonymous:
        if decision.rule is not None and decision.rule.groups:
            ours["group"] = [group.id for group in decision.rule.groups if group.holds(client, event.user)]
        if event.identity_source is not None:
            ours["identity_source"] = keyword(event.identity_source)
    if event.break_glass is not None:
        ours["break_glass"] = {"id": event.break_glass}
    if (error := decision.error or event.error) is not None:
        ours["error"] = keyword(error)
    return "," + encode_json(ours)[1:-1] if ours else ""


def _bounded[T](function: Callable[[str], T]) -> Callable[[str], T]:
    """*function* with a memory for short texts."""
    remembering = lru_cache(maxsize=8192)(function)

    def call(text: str) -> T:
        return remembering(text) if len(text) <= _LONGEST_KEPT else function(text)

    return call


@_bounded
def _kept(text: str) -> str:
    """*text* as a JSON string."""
    return quoted(keyword(text))


@_bounded
def _address(text: str) -> Address | None:
    """The literal address that *text* is; a masked or truncated one is none, and so never stands in an `ip`."""
    return parse_address(text.lower())


@_bounded
def _shown(text: str) -> _Shown:
    text = without_user_information(text)
    try:
        host = canonical(text)
    except MalformedHost:
        text = keyword(text)
        return _Shown(text, None, quoted(text), text)
    in_url = f"[{host.text}]" if host.address is not None and host.address.version == 6 else host.text
    return _Shown(host.text, host.address, f'"{host.text}"', in_url)


@_bounded
def _source(text: str) -> _Source:
    address = _address(text)
    literal = f'"{address}"' if address is not None else ""
    return _Source(address, literal, f',"source":{{"address":{_kept(text)}' + (f',"ip":{literal}' if literal else ""))


def _destination(event: Judged, text: str, hosts: dict[str, None], addresses: dict[str, None]) -> str:
    shown = _shown(text)
    shown.relate(hosts, addresses)
    address = shown.address
    name = "" if address is not None else f',"domain":{shown.encoded}'
    if address is None and event.destination_address is not None:
        address = _address(event.destination_address)
    literal = ""
    if address is not None:
        literal = f',"ip":"{address}"'
        addresses[f'"{address}"'] = None
    port = f',"port":{event.destination_port}' if event.destination_port is not None else ""
    return f',"destination":{{"address":{shown.encoded}{name}{literal}{port}}}'


def _url(event: Judged, host: _Shown, anonymous: bool) -> str:
    if anonymous or event.target is None:
        return f',"url":{{"domain":{quoted(host.in_url)}}}'
    path, query = path_and_query(event.target, values=event.query_values)
    members = f',"url":{{"domain":{quoted(host.in_url)},"path":{quoted(path)}'
    if (scheme := event.scheme) is None:
        return members + "}"
    port = event.destination_port
    shown_port = "" if port is None or PORTS.get(scheme) == port else f":{port}"
    question = f"?{query}" if query else ""
    full = keyword(f"{scheme}://{host.in_url}{shown_port}{path}{question}", WILDCARD)
    return f'{members},"full":{quoted(full)}}}'


def _http(event: Judged) -> str:
    members = []
    if event.method is not None:
        members.append(f'"request":{{"method":{_kept(event.method)}}}')
    if event.status is not None:
        members.append(f'"response":{{"status_code":{event.status}}}')
    return f',"http":{{{",".join(members)}}}'
