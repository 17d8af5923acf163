"""A layer with one app of one's own: its text, with a rule that stands where it should, and tests that it must pass.

The rule stands behind those of earlier layers (`rules_position: after`) and is for what is not shared: so exemptions,
shared infrastructure and store listings stay what the policy says of them.
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from embargo.core.catalogue import Endpoint, Role, Stores
from embargo.core.decision import Verdict
from embargo.core.inquiry import Inquiry, answer
from embargo.core.pattern import Kind, Pattern
from embargo.core.rules import Action, Policy
from embargo.core.stores import listing_urls
from embargo.policy.cases import cases_of, enforcing, run
from embargo.policy.domains import url_pattern
from embargo.policy.layers import EXCEPTIONS
from embargo.policy.load import load
from embargo.policy.problem import PolicyError, Problem
from embargo.policy.suffix import suffixes

MOST_TESTS = 50  # endpoints that are tested one by one
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./@ ()'-]*(?<! )")  # what YAML takes as the text that it is
_WORDS = frozenset({"true", "false", "null", "yes", "no", "on", "off"})


class NotMade(Exception):
    """The layer would not do what it is for; says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnApp:
    """An app, and what happens to it."""

    id: str
    endpoints: tuple[Endpoint, ...]
    exclude: tuple[Endpoint, ...] = ()
    stores: Stores = field(default_factory=Stores)
    name: str | None = None
    vendor: str | None = None
    action: Action | None = None  # None: the policy has it already, with its rules
    message: str | None = None
    reason: str | None = None
    head: tuple[str, ...] = ()  # comments at the top
    contested: frozenset[Pattern] = frozenset()  # endpoints that other apps own too: their rules may decide

    @property
    def extends(self) -> bool:
        """Whether it adds to an app that the policy has."""
        return self.action is None


def made(policy_paths: Sequence[Path], file: Path, app: OwnApp, now: datetime) -> str:
    """The text of the layer *file*, which need not exist, on top of the policy; it loads, and its tests pass.

    Raises PolicyError with the problems of the policy with it, and NotMade where it would not do what it is for.
    """
    before = load(policy_paths).policy
    rule = _rule_id(before, app)
    bare = layer_text(app, rule, ())
    policy = enforcing(load([*policy_paths, file], instead={file: bare.encode()}).policy)
    listings = [Endpoint(url_pattern(url), Role.STORE) for url in list(listing_urls(app.stores))[:1]]
    tried = [*app.endpoints[:MOST_TESTS], *listings]
    tests = [test for endpoint in tried for test in _tests(policy, app, endpoint, now)]
    text = layer_text(app, rule, tests)
    loaded = load([*policy_paths, file], instead={file: text.encode()})
    failed = [result for result in run(loaded, list(cases_of(loaded)), now) if not result.passed]
    if failed:
        cases = [(result.case, f"{result.case.request}: {result.explanation}") for result in failed]
        raise PolicyError(
            [Problem(each.file, each.line, each.column, "failed-test", each.path, why) for each, why in cases]
        )
    found = loaded.policy.apps[app.id]
    if not set(app.endpoints) <= set(found.endpoints) or not set(app.exclude) <= set(found.exclude):
        raise NotMade("the layer does not say what it should: this is an error of embargo's own, please report it")
    return text


def layer_text(app: OwnApp, rule: str, tests: Iterable[str]) -> str:
    """The layer as YAML."""
    lines = [f"# {_plain(line)}".rstrip() for line in app.head]
    lines += ["version: 1"]
    if not app.extends:
        lines += ["rules_position: after  # behind exemptions, shared infrastructure and store listings"]
    lines += ["", "apps:", f"  {spelled(app.id)}:"]
    if app.extends:
        lines += ["    extend: true"]
    lines += [f"    {key}: {spelled(text)}" for key, text in (("name", app.name), ("vendor", app.vendor)) if text]
    for key, entries in (("endpoints", app.endpoints), ("exclude", app.exclude)):
        if entries:
            lines += [f"    {key}:", *(f"      - {endpoint_text(entry)}" for entry in entries)]
    if stores := _stores(app.stores):
        lines += [f"    stores: {{{', '.join(stores)}}}"]
    if app.action is not None:
        lines += ["", "rules:", f"  - id: {rule}", f"    apps: {spelled(app.id)}", "    shared: false"]
        lines += [f"    action: {app.action}"]
        lines += [
            f"    {key}: {spelled(text)}" for key, text in (("message", app.message), ("reason", app.reason)) if text
        ]
    if listed := list(tests):
        lines += ["", "tests:", *(f"  - {test}" for test in listed)]
    return "\n".join(lines) + "\n"


def _stores(stores: Stores) -> list[str]:
    named = (("apple", stores.apple), ("google_play", stores.google_play), ("microsoft", stores.microsoft))
    return [f"{key}: [{', '.join(map(json.dumps, ids))}]" for key, ids in named if ids]


def endpoint_text(endpoint: Endpoint) -> str:
    """An endpoint as one line of YAML."""
    pattern = endpoint.pattern
    pairs = [f"{pattern.kind.key}: {spelled(pattern.text)}"]
    if pattern.kind is Kind.DOMAIN and pattern.text in suffixes():
        pairs.append("whole_suffix: true")
    if pattern.port is not None:
        pairs.append(f"port: {pattern.port}")
    if pattern.protocol is not None:
        pairs.append(f"protocol: {pattern.protocol}")
    if endpoint.role is not Role.API:
        pairs.append(f"role: {endpoint.role}")
    pairs += [f"{key}: true" for key, set_ in (("shared", endpoint.shared), ("shadow", endpoint.shadow)) if set_]
    if endpoint.evidence:
        pairs.append(f"evidence: [{', '.join(map(_in_quotes, endpoint.evidence))}]")
    return f"{{{', '.join(pairs)}}}"


def spelled(text: str) -> str:
    """*text* as a YAML scalar that is text again, in brackets too."""
    if _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS:
        return text
    return _in_quotes(text)


def _in_quotes(text: str) -> str:
    """*text* in double quotes, with escapes for what YAML does not take as it is."""
    return "".join(map(_escaped, json.dumps(text, ensure_ascii=False)))


def _escaped(character: str) -> str:
    if character.isprintable():
        return character
    if "\ud800" <= character <= "\udfff":  # bytes of an argument or a file's name that are no text
        raise NotMade("what was given is not UTF-8 all of it")
    return f"\\U{ord(character):08x}" if ord(character) > 0xFFFF else f"\\u{ord(character):04x}"


def _plain(text: str) -> str:
    """*text* in one line, without what would not stand in a comment."""
    return "".join(character if character.isprintable() else " " for character in text)


def _rule_id(policy: Policy, app: OwnApp) -> str:
    """`block-ID`, with a number behind it where that is taken."""
    taken = {rule.id for rule in policy.rules}
    stem = f"{app.action or Action.BLOCK}-{app.id}"[:60]
    number = 1
    while (identifier := stem if number == 1 else f"{stem}-{number}") in taken:
        number += 1
    return identifier


def _tests(policy: Policy, app: OwnApp, endpoint: Endpoint, now: datetime) -> Iterable[str]:
    """A test of *endpoint*; none where the policy says more of it than a test could promise."""
    given = _request(endpoint.pattern)
    inquiry = Inquiry(request=given[0], time=now, user_agent=given[1])
    decision = answer(policy, inquiry).decision
    said = {"request": given[0], **({"user_agent": given[1]} if given[1] else {})}
    promised = not (endpoint.shared or endpoint.role is Role.STORE or endpoint.pattern in app.contested)
    if app.action is None or not promised:
        if app.id not in decision.apps:
            return
    else:
        wanted = Verdict[app.action.name]
        if decision.verdict is not wanted or app.id not in decision.apps:
            who = f"{decision.rule_id} of {', '.join(decision.apps)}" if decision.apps else "no app"
            raise NotMade(
                f"{endpoint} would not get {app.action} by this app's rule: {who} decides, {decision.verdict}; "
                f"an earlier rule, or a more specific endpoint, stands before it (`embargo explain {given[0]}`)"
            )
    said |= {"expect": str(decision.verdict), "app": app.id, "rule": str(decision.rule_id)}
    yield f"{{{', '.join(f'{key}: {spelled(text)}' for key, text in said.items())}}}"


def _request(pattern: Pattern) -> tuple[str, str | None]:
    """A request that *pattern* covers, and its user agent."""
    match pattern.kind:
        case Kind.URL:
            query = "&".join(f"{key}={value}" for key, value in sorted(pattern.pairs))
            return f"https://{pattern.host}{'x'.join(pattern.path)}" + (f"?{query}" if query else ""), None
        case Kind.CIDR:
            address = str(pattern.network.network_address) if pattern.network is not None else ""
            address = f"[{address}]" if ":" in address else address
            return f"{address}:{pattern.port}" if pattern.port is not None else address, None
        case Kind.USER_AGENT:
            return "any.invalid", pattern.text
        case _:
            return pattern.text, None


def stacking(policy_paths: Sequence[Path], file: Path) -> tuple[str, ...]:
    """How to use the layer *file* on top of the policy, a line each."""
    last = policy_paths[-1]
    named = " ".join(f"--policy {path}" for path in (*policy_paths, file))
    lines = [f"embargo run {named}"]
    if (last.parent / EXCEPTIONS).exists() and file.parent != last.parent:
        lines.append(
            f"{EXCEPTIONS} is looked for beside the last file: include {file} from {last} in place of naming it last"
        )
    return tuple(lines)
