"""Who asks: the user that mitmproxy's proxy authentication found. Never the password, in any form."""

from typing import Any

from mitmproxy import connection as mitm
from mitmproxy import ctx, http

from embargo.core.decision import Decision, Reason
from embargo.core.request import Request
from embargo.core.rules import Policy, Rule
from embargo.enforce.gate import Gate


class Identity:
    """Reads the user, and tells whether knowing one may change a verdict."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self._policy: Policy | None = None
        self._asks_for_user: frozenset[str] = frozenset()  # apps with a rule that a user can decide

    def user(self, flow: http.HTTPFlow) -> str | None:
        """The authenticated user of *flow*, or of the connection it came on."""
        pair = flow.metadata.get("proxyauth") if flow.metadata else None
        return pair[0] if pair else self.user_of(flow.client_conn)

    def user_of(self, peer: mitm.Client) -> str | None:
        """The authenticated user of a connection; known to `proxyauth` before a flow's metadata has it."""
        addon = _proxyauth()
        pair = addon.authenticated.get(peer) if addon is not None and addon.authenticated else None
        return pair[0] if pair else None

    def may_change(self, decision: Decision, request: Request) -> bool:
        """Whether *decision*, made without a user, has to wait for one: `proxyauth` runs after our first entry."""
        policy = self._gate.policy
        addon = _proxyauth()
        if policy is None or addon is None or addon.validator is None or request.user is not None:
            return False
        if decision.reason not in (Reason.RULE, Reason.DEFAULT):
            return False
        if policy is not self._policy:
            self._policy = policy
            self._asks_for_user = frozenset(
                app for app, rules in policy.rules_of.items() if any(map(_depends_on_user, rules))
            )
        return any(
            owner.app in self._asks_for_user for name in request.names for owner in policy.matcher.owners(name, request)
        )


def _depends_on_user(rule: Rule) -> bool:
    return bool(rule.users) or any(group.users for group in (*rule.groups, *rule.not_groups))


def _proxyauth() -> Any:
    return ctx.master.addons.get("proxyauth")
