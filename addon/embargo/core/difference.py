"""What one policy blocks that another does not, in words short enough for a record."""

from collections.abc import Iterator
from datetime import datetime

from embargo.core.catalogue import App, Endpoint
from embargo.core.criteria import failed_criterion
from embargo.core.decide import VERDICTS
from embargo.core.decision import Verdict
from embargo.core.matcher import Owner
from embargo.core.pattern import Kind
from embargo.core.request import Name, Request, Source, Surface
from embargo.core.rules import Mode, Policy

_MOST_LINES = 50


def summarize(old: Policy | None, new: Policy, time: datetime) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What grew stricter and what grew milder from *old* to *new*, at *time*, for a client of no group.

    Each is a line an app and role, at most 50 of them; the whole difference is `embargo diff`'s to show.
    """
    before = dict(_verdicts(old, time)) if old is not None else {}
    after = dict(_verdicts(new, time))
    stricter, milder = [], []
    for key in sorted({*before, *after}):
        was, now = before.get(key, Verdict.PASS), after.get(key, Verdict.PASS)
        line = f"{key}: {was} to {now}"
        if now > was:
            stricter.append(line)
        elif now < was:
            milder.append(line)
    return tuple(stricter[:_MOST_LINES]), tuple(milder[:_MOST_LINES])


def _verdicts(policy: Policy, time: datetime) -> Iterator[tuple[str, Verdict]]:
    for app in policy.apps.values():
        for endpoint in app.endpoints:
            shared = " shared" if endpoint.shared else ""
            yield f"{app.id} {endpoint.role}{shared} {endpoint}", _verdict(policy, app, endpoint, time)


def _verdict(policy: Policy, app: App, endpoint: Endpoint, time: datetime) -> Verdict:
    pattern = endpoint.pattern
    text = pattern.host if pattern.kind is Kind.URL else pattern.text
    name = Name.parse(Source.HOST, text.partition("/")[0] if pattern.kind is Kind.CIDR else text)
    request = Request(surface=Surface.HTTP, time=time, names=(name,))
    owner = Owner(app.id, endpoint, pattern.specificity)
    verdict = VERDICTS[policy.settings.default]
    for rule in policy.rules_of[app.id]:
        if not rule.shadow and failed_criterion(policy, rule, owner, name, request) is None:
            verdict = VERDICTS[rule.action]
            break
    if verdict is Verdict.BLOCK and (endpoint.shadow or policy.settings.mode is Mode.MONITOR):
        return Verdict.LOG
    return verdict
