"""Whether a TLS connection has to be opened for the policy to be enforced.

`needed` opens only where what is inside can turn the verdict into block: a url pattern, or a rule for the
surfaces inside. A user agent is a hint of an app on any host, so it is no reason to open all of them.
"""

from dataclasses import replace

from embargo.core.criteria import failed_criterion
from embargo.core.decide import decide
from embargo.core.decision import Verdict
from embargo.core.matcher import Owner
from embargo.core.pattern import Kind
from embargo.core.request import Name, Request, Surface
from embargo.core.rules import Action, Decrypt, Mode, Policy
from embargo.core.url import Target

_INSIDE = (Surface.HTTP, Surface.WEBSOCKET)


def must_open(policy: Policy, request: Request) -> bool:
    """Whether the TLS connection that *request* (surface tls, not blocked) stands for is opened."""
    settings = policy.settings
    if settings.decrypt is Decrypt.NONE or never_opened(policy, request):
        return False
    if settings.decrypt is Decrypt.ALL:
        return True
    return settings.mode is Mode.ENFORCE and can_block_inside(policy, request)


def can_stay_closed(policy: Policy, request: Request) -> bool:
    """Whether a TLS connection that was left closed may go on under *policy*.

    What is open already is not cut for `decrypt: all`, only where the verdict now depends on what is inside.
    """
    settings = policy.settings
    if settings.decrypt is Decrypt.NONE or settings.mode is not Mode.ENFORCE or never_opened(policy, request):
        return True
    return not can_block_inside(policy, request)


def never_opened(policy: Policy, request: Request) -> bool:
    """Whether `never_decrypt` holds for any name of *request*."""
    return any(pattern.covers(name, request) for pattern in policy.settings.never_decrypt for name in request.names)


def can_block_inside(policy: Policy, request: Request) -> bool:
    """Whether some request inside the tunnel, to the names it was opened for, would be blocked."""
    return any(_blocks_inside(policy, replace(request, surface=surface, target=Target("/"))) for surface in _INSIDE)


def _blocks_inside(policy: Policy, inside: Request) -> bool:
    if decide(policy, inside).verdict is Verdict.BLOCK:
        return True
    return any(_url_can_block(policy, inside, name) for name in inside.names)


def _url_can_block(policy: Policy, inside: Request, name: Name) -> bool:
    if name.host is None:
        return False
    owners = [entry.owner for entry in policy.matcher.urls_of_host(name.host.text) if not entry.excluded]
    if any(_first_action(policy, inside, name, owner) is Action.BLOCK for owner in owners):
        return True
    # a rule that selects by url blocks only inside, for whichever owner the name has already
    return any(
        rule.action is Action.BLOCK
        and not rule.shadow
        and any(pattern.kind is Kind.URL and pattern.host == name.host.text for pattern in rule.hosts)
        for owner in (*owners, *policy.matcher.owners(name, inside))
        for rule in policy.rules_of[owner.app]
    )


def _first_action(policy: Policy, inside: Request, name: Name, owner: Owner) -> Action:
    for rule in policy.rules_of[owner.app]:
        if not rule.shadow and failed_criterion(policy, rule, owner, name, inside) is None:
            return rule.action
    return policy.settings.default
