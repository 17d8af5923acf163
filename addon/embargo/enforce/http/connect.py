"""CONNECT: the earliest point of a tunnel, where nothing has been opened yet."""

from mitmproxy import http

from embargo.core.decision import Decision, Reason
from embargo.core.request import Request, Surface
from embargo.core.rules import Decrypt, Respond
from embargo.enforce.answers import is_browser, status_of
from embargo.enforce.connection import Connection, Page
from embargo.enforce.gate import Gate, now
from embargo.enforce.gather import connect_request
from embargo.enforce.identity.users import Identity
from embargo.enforce.judgement import Judgement
from embargo.enforce.refusals import Refusals
from embargo.enforce.tls.decrypt import never_opened


class Connect:
    """Judges CONNECT requests."""

    def __init__(self, gate: Gate, refusals: Refusals, identity: Identity) -> None:
        self._gate = gate
        self._refusals = refusals
        self._identity = identity

    def first(self, flow: http.HTTPFlow) -> None:
        """Before all other addons: refuse what is refused whoever asks."""
        connection = self._gate.connection(flow.client_conn)
        connection.recorded.clear()  # after a refusal the same connection may ask for another tunnel
        connection.page = connection.tunnel_request = None
        connection.snis = ()
        connection.sealed = connection.nameless = False
        self._identity.begin(flow, connection)
        request = self._begin(flow, connection)
        decision = self._gate.decide(request)
        connection.asked = Judgement(self._state(flow), request, decision)
        if decision.blocked and not self._identity.may_change(decision, request, connection):
            self._refuse(flow, connection, request, decision)

    def last(self, flow: http.HTTPFlow) -> None:
        """After all others: the user is known, and what they changed or undid is judged again."""
        connection = self._gate.connection(flow.client_conn)
        self._identity.settle(flow, connection)
        asked, connection.asked = connection.asked, None  # its headers may hold a password
        refused = self._gate.refused.get(flow)
        if refused is not None:
            self._insist(flow, connection, refused)
            return
        if flow.error is not None or (flow.response is not None and flow.response.status_code >= 300):
            return  # refused by another addon: 407
        if asked is None or asked.request.user != connection.user or asked.state != self._state(flow):
            request = self._begin(flow, connection)
            asked = Judgement((), request, self._gate.decide(request))
        request, decision = asked.request, asked.decision
        if decision.blocked:
            self._refuse(flow, connection, request, decision)
            return
        connection.tunnel_request = request
        self._record(connection, request, decision)

    def ended(self, flow: http.HTTPFlow) -> None:
        """The CONNECT was refused, by us or others, or failed: what the client asks next has no part in its name."""
        connection = self._gate.connection(flow.client_conn)
        connection.tunnel = connection.tunnel_request = connection.asked = None
        connection.snis = ()

    def _state(self, flow: http.HTTPFlow) -> tuple[object, ...]:
        data = flow.request.data
        return (data.host, data.port, data.headers.fields, id(self._gate.policy))

    def _begin(self, flow: http.HTTPFlow, connection: Connection) -> Request:
        request = connect_request(connection, flow, now())
        connection.tunnel = request.names[0]
        connection.user_agent = request.user_agent
        return request

    def _refuse(self, flow: http.HTTPFlow, connection: Connection, request: Request, decision: Decision) -> None:
        incident = self._record(connection, request, decision)
        self._gate.refused[flow] = decision
        if self._shows_page(flow, connection, request, decision):
            connection.page = Page(incident or "", decision)
            _open_for_page(flow)
        else:
            self._refusals.connect(flow, decision, incident)

    def _insist(self, flow: http.HTTPFlow, connection: Connection, refused: Decision) -> None:
        """Another addon may have undone our answer, and so opened the tunnel."""
        if connection.page is not None:
            if flow.response is None or not 200 <= flow.response.status_code < 300:
                _open_for_page(flow)
        elif flow.error is None and (flow.response is None or flow.response.status_code < 300):
            self._refusals.connect(flow, refused, None)

    def _shows_page(self, flow: http.HTTPFlow, connection: Connection, request: Request, decision: Decision) -> bool:
        policy = self._gate.policy
        if policy is None or decision.reason not in (Reason.RULE, Reason.DEFAULT) or not is_browser(flow.request):
            return False
        if policy.settings.decrypt is Decrypt.NONE or decision.response_on(Surface.CONNECT) is Respond.RESET:
            return False
        if never_opened(policy, request) or not self._gate.ca.may_open(request):
            return False
        return not self._gate.rejections.rejects(connection, request.time)

    def _record(self, connection: Connection, request: Request, decision: Decision) -> str | None:
        return self._gate.record(
            decision,
            Surface.CONNECT,
            connection,
            request=request,
            asked=request.names[0],
            method="CONNECT",
            status=status_of(decision) if decision.status_on(Surface.CONNECT) is not None else None,
            protocol="http",
        )


def _open_for_page(flow: http.HTTPFlow) -> None:
    """Answer 200 ourselves: mitmproxy then opens nothing upstream and speaks TLS to the client (measured)."""
    flow.response = http.Response.make(200)
    flow.response.headers.clear()
