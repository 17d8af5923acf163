"""Who asks: proxy authentication, else a named front proxy, else a map of addresses. Never a password, in any form."""

from enum import StrEnum
from typing import Any
from weakref import WeakKeyDictionary

from mitmproxy import connection as mitm
from mitmproxy import ctx, exceptions, http
from mitmproxy.addons.proxyauth import Ldap
from mitmproxy.proxy.mode_specs import RegularMode, UpstreamMode

from embargo.core.address import Network
from embargo.core.decision import Decision, Reason
from embargo.core.forwarded import Said, said
from embargo.core.request import Request
from embargo.core.rules import Policy, Rule
from embargo.enforce.connection import Connection
from embargo.enforce.gate import Gate, now
from embargo.enforce.identity.identity_map import IdentityMap
from embargo.enforce.identity.proxy_protocol import address_of, is_of

FORWARDED_FOR = "X-Forwarded-For"
_FORWARDED_FOR = FORWARDED_FOR.lower().encode()


class Known(StrEnum):
    """How it is known who asks, as records have it; the earlier counts before the later."""

    PROXYAUTH = "proxyauth"
    HEADER = "header"
    MAP = "map"
    FORWARDED = "forwarded"  # the client's address alone


_NOTHING = Said()


class Identity:
    """Finds the user and the client, and tells whether knowing them may change a verdict."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.front_proxies: tuple[Network, ...] = ()
        self.user_header = ""
        self.map: IdentityMap | None = None
        self._said: WeakKeyDictionary[http.HTTPFlow, Said] = WeakKeyDictionary()
        self._policy: Policy | None = None
        self._asks_for_user: frozenset[str] = frozenset()  # apps with a rule that a user can decide
        gate.identify = self.find

    def begin(self, flow: http.HTTPFlow, connection: Connection) -> None:
        """Before all other addons: take the front proxies' headers off, and find out who asks as far as known."""
        if self.front_proxies:
            self._take_headers(flow, connection)
        self.find(connection, flow)

    def settle(self, flow: http.HTTPFlow, connection: Connection) -> None:
        """After all others: proxy authentication has its user, whose password is of no more use."""
        self.find(connection, flow)
        _forget_password(flow, inside=connection.tunnel is not None)

    def find(self, connection: Connection, flow: http.HTTPFlow | None = None) -> None:
        """Find out who asks on *connection*, of *flow* where there is one."""
        if flow is not None and self._said:
            connection.said = self._said.get(flow, connection.said)
        if (by_proxy := connection.said) is not None:
            connection.client = by_proxy.client if by_proxy.forwarded else address_of(connection.peer)
        connection.user, connection.identity_source = self._user(connection, flow, by_proxy or _NOTHING)

    def find_again(self) -> None:
        """The map has changed, or its time has: who asks on each open connection."""
        for connection in self._gate.connections.values():
            if connection.identity_source not in (Known.PROXYAUTH, Known.HEADER):
                self.find(connection)

    def may_change(self, decision: Decision, request: Request, connection: Connection) -> bool:
        """Whether *decision* has to wait for the user: `proxyauth` runs after our first entry, and counts first."""
        policy = self._gate.policy
        addon = _proxyauth()
        if policy is None or addon is None or addon.validator is None:
            return False
        if connection.identity_source == Known.PROXYAUTH or decision.reason not in (Reason.RULE, Reason.DEFAULT):
            return False
        if policy is not self._policy:
            self._policy = policy
            self._asks_for_user = frozenset(
                app for app, rules in policy.rules_of.items() if any(map(_depends_on_user, rules))
            )
        return any(
            owner.app in self._asks_for_user for name in request.names for owner in policy.matcher.owners(name, request)
        )

    def _user(
        self, connection: Connection, flow: http.HTTPFlow | None, by_proxy: Said
    ) -> tuple[str | None, Known | None]:
        if (user := _authenticated(connection.peer, flow)) is not None:
            return user, Known.PROXYAUTH
        if by_proxy.user is not None:
            return by_proxy.user, Known.HEADER
        if self.map is not None and connection.client is not None:
            user = self.map.current.user(connection.client, now())
            if user is not None:
                return user, Known.MAP
        return None, Known.FORWARDED if by_proxy.client is not None else None

    def _take_headers(self, flow: http.HTTPFlow, connection: Connection) -> None:
        """Whoever sent them, they go no further; believed is what a named front proxy sends outside of any tunnel.

        Inside, they are the client's own, be the tunnel the front proxy's or not.
        """
        headers = flow.request.data.headers
        users, hops = headers.get_all(self.user_header), headers.get_all(FORWARDED_FOR)
        names = (self.user_header.lower().encode(), _FORWARDED_FOR)
        kept = tuple(field for field in headers.fields if field[0].strip().lower() not in names)
        if len(kept) < len(headers.fields):
            headers.fields = kept  # with a blank before its colon, too: lenient servers read that
        is_connect = flow.request.data.method == b"CONNECT"
        if connection.tunnel is not None and not is_connect:
            return  # what was said at the CONNECT holds
        peer = flow.client_conn
        by_proxy = _NOTHING
        if isinstance(peer.proxy_mode, RegularMode | UpstreamMode) and is_of(peer, self.front_proxies):
            by_proxy = said(users, hops, lambda address: any(address in network for network in self.front_proxies))
        self._said[flow] = connection.said = by_proxy


def check_proxyauth(updated: set[str]) -> None:
    """`configure` before all other addons. Raises OptionsError for what mitmproxy's own error would repeat in full."""
    if "proxyauth" in updated and (option := ctx.options.proxyauth) and option.startswith("ldap"):
        try:
            Ldap.parse_spec(option)
        except exceptions.OptionsError:
            expected = "ldap[s]:SERVER[:PORT]:DN:PASSWORD:SUBTREE[?search_filter_key=KEY]"
            raise exceptions.OptionsError(f"proxyauth: expected {expected}") from None


def _authenticated(peer: mitm.Client, flow: http.HTTPFlow | None) -> str | None:
    """The user that proxy authentication found: for *flow*, else for all of *peer*'s connection.

    mitmproxy keeps the password beside the user for as long as the connection, though it asks for it no more.
    """
    pair = flow.metadata.get("proxyauth") if flow is not None and flow.metadata else None
    addon = _proxyauth()
    if addon is not None and addon.authenticated and (held := addon.authenticated.get(peer)) is not None:
        pair = pair or held
        if held[1]:
            addon.authenticated[peer] = (held[0], "")
    return pair[0] if pair else None


def _forget_password(flow: http.HTTPFlow, *, inside: bool) -> None:
    """Keep a password out of flow files, and of the origin's hands.

    mitmproxy writes it to flow files with each flow, and passes on one that it did not ask for (measured, 12.2.3).
    What a client sends *inside* of a tunnel is not for us.
    """
    if (pair := flow.metadata.get("proxyauth")) is not None:
        flow.metadata["proxyauth"] = (pair[0], "")
    if inside and flow.request.data.method != b"CONNECT":
        return
    if not isinstance(flow.client_conn.proxy_mode, RegularMode):
        return
    headers = flow.request.data.headers
    for key, _ in headers.fields:  # a look first: to pop what is not there takes 5 µs of each request
        if len(key) == 19 and key.lower() == b"proxy-authorization":
            del headers["Proxy-Authorization"]
            return


def _depends_on_user(rule: Rule) -> bool:
    return bool(rule.users) or any(group.users for group in (*rule.groups, *rule.not_groups))


def _proxyauth() -> Any:
    return ctx.master.addons.get("proxyauth")
