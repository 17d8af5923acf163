"""What becomes of a flow whose protocol is not read, where no app owns its destination: `settings.unknown_protocol`.

SSH, mail, servers that greet first and binary protocols are such; so is TLS, or anything else, to a bare address
that shows no name: a blind spot, told apart as nameless. What has an owner is governed by rules as ever.
"""

from embargo.core.decide import monitored
from embargo.core.decision import Decision, Reason, Verdict
from embargo.core.request import Request
from embargo.core.rules import Action, Policy


def unread(policy: Policy | None, request: Request, decision: Decision, *, opened: bool = False) -> Decision:
    """*decision* on *request*, a raw stream, datagrams or TLS, with what the setting makes of it where no app owns it.

    *opened*: what is inside gets read and judged, so that there is nothing to refuse for the lack of a name.
    """
    if policy is None or not decision.unowned:
        return decision
    made = _unread(policy, request, opened=opened)
    if decision.trial is None or made.blocked or made.held_back:
        return made
    return decision  # an endpoint on trial is told in its place


def _unread(policy: Policy, request: Request, *, opened: bool) -> Decision:
    reason = Reason.NAMELESS if nameless(request) else Reason.UNKNOWN_PROTOCOL
    name = request.names[0]  # one that passed has a name, if only an address
    match policy.settings.unknown_protocol:
        case Action.BLOCK if not opened:
            return monitored(policy, Decision(verdict=Verdict.BLOCK, reason=reason, name=name))
        case Action.ALLOW:
            return Decision(verdict=Verdict.PASS, reason=reason, name=name)
        case _:
            return Decision(verdict=Verdict.LOG, reason=reason, name=name)


def nameless(request: Request) -> bool:
    """Whether *request* carries nothing but addresses, so that nobody can tell whom it is for."""
    return all(name.host is None or name.host.address is not None for name in request.names)
