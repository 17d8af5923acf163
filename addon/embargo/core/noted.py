"""A decision with what endpoints on trial would have made of it (`trials`)."""

from embargo.core.decision import Decision, Trial, Verdict
from embargo.core.matcher import Owner


def noted(without: Decision, within: Decision, met: Owner) -> Decision:
    """*without*, made as if nothing were on trial, with what would be stricter *within*; *met* is one that is met.

    What nothing else logs is logged, so that it is on record. A block is never made of it.
    """
    was, would = _meant(without), _meant(within)
    if would <= was:
        return without
    endpoint, app = within.endpoint, within.apps[0] if within.apps else ""
    if endpoint is None or not endpoint.shadow:  # it made way for another app, by whose own endpoint that decides
        endpoint, app = met.endpoint, met.app
    trial = Trial(
        verdict=would, app=app, endpoint=endpoint, rule=within.rule_id, unowned=without.verdict is Verdict.PASS
    )
    capped = min(would, Verdict.LOG)
    shown = without if capped <= without.verdict else within._replace(verdict=capped, mismatch=without.mismatch)
    if shown.shadow_rule is not None and shown.would is not None and shown.would >= would:
        return shown._replace(trial=trial)  # a shadow rule would do as much, and is told as ever
    return shown._replace(would=would, shadow_rule=None, trial=trial)


def _meant(decision: Decision) -> Verdict:
    """The verdict, as enforce would have it."""
    return Verdict.BLOCK if decision.held_back else decision.verdict
