"""An explanation as labelled lines of text: what a person reads on a terminal or in the console."""

from collections.abc import Iterator

from embargo.core.decision import DEFAULT_RULE
from embargo.review.explain import Asked, Explanation, JudgedName, Ownership, place, spelled

type Line = tuple[str, str]  # label, text; equal labels belong together


def account(explanation: Explanation) -> list[Line]:
    """The lines of *explanation*, the most important first."""
    return list(_lines(explanation))


def _lines(explanation: Explanation) -> Iterator[Line]:
    decision, request = explanation.decision, explanation.request
    yield "why", explanation.reason
    for app in explanation.apps:
        vendor = f", {app.vendor}" if app.vendor else ""
        yield "app", f"{app.id}: {app.name}{vendor}"
    if decision is not None and decision.endpoint is not None:
        endpoint = decision.endpoint
        yield "endpoint", f"{endpoint}, role {endpoint.role}{', shared with others' if endpoint.shared else ''}"
        for evidence in endpoint.evidence:
            yield "evidence", evidence
    if decision is not None and (rule := decision.rule) is not None:
        yield "rule", f"{rule.id} {place(rule)}".strip()
        if rule.ticket:
            yield "ticket", rule.ticket
        if rule.approved_by:
            yield "approved by", rule.approved_by
        if rule.author:
            yield "author", rule.author
        if rule.basis:
            yield "basis", rule.basis.value
        if decision.against:
            yield "against", f"{' and '.join(decision.against)}: in force, and binding on this organization"
    elif decision is not None and decision.rule_id == DEFAULT_RULE:
        yield "rule", f"{DEFAULT_RULE} (settings.default)"
    for standing in explanation.standings:
        authority = standing.authority
        yield "authority", f"{authority.id}: {authority.title}, {standing.text}"
        if authority.url:
            yield "authority", authority.url
    if decision is not None and decision.would is not None:
        by = f" (shadow rule {decision.shadow_rule})" if decision.shadow_rule else " (enforce in place of monitor)"
        if decision.shadow_rule is None and decision.trial is not None:
            by = f" ({decision.trial.app} by {decision.trial.endpoint}, on trial)"
        yield "would", f"{decision.would}{by}"
    if decision is not None and decision.mismatch:
        yield "mismatch", "its host names have different owners: domain fronting, or an attempt at it"
    if request is not None:
        yield "surface", request.surface.value
        yield "names", ", ".join(f"{spelled(name)} ({name.source})" for name in request.names)
        yield "client gets", explanation.gets
    for judged in explanation.names:
        yield from _owners(judged, several=len(explanation.names) > 1)


def _owners(judged: JudgedName, *, several: bool) -> Iterator[Line]:
    for ownership in judged.owners:
        of = f"{spelled(judged.name)}, " if several else ""
        if len(judged.owners) > 1:
            yield "owner", f"{of}{_owner(ownership)}"
        for asked in ownership.asked:
            yield "asked", _asked(asked)
        if not ownership.asked and len(judged.owners) > 1:
            yield "asked", "no rule: a more specific owner had decided, or none names the app"


def _owner(ownership: Ownership) -> str:
    endpoint = ownership.owner.endpoint
    return f"{ownership.app.id} by {endpoint}, role {endpoint.role}{', shared' if endpoint.shared else ''}"


def _asked(asked: Asked) -> str:
    shadow = " (shadow)" if asked.rule.shadow else ""
    if asked.failed is None:
        return f"{asked.rule.id}{shadow}: holds, {asked.rule.action}"
    return f"{asked.rule.id}{shadow}: {asked.failed} fails, {asked.why}"
