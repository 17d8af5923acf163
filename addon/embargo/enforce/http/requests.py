"""HTTP requests and WebSocket upgrades: each request of each connection, each stream of HTTP/2."""

from weakref import WeakKeyDictionary

from mitmproxy import http
from mitmproxy.flow import Error

from embargo.core import dns_framing
from embargo.core.decision import Decision, Verdict
from embargo.core.request import Request, Source
from embargo.enforce.connection import Connection
from embargo.enforce.dns.doh import Doh
from embargo.enforce.dns.doh_request import has_query_body
from embargo.enforce.gate import Gate, close, now
from embargo.enforce.gather import http_request
from embargo.enforce.identity.users import Identity
from embargo.enforce.judgement import Judgement
from embargo.enforce.refusals import Refusals


class Http:
    """Judges requests."""

    def __init__(self, gate: Gate, refusals: Refusals, identity: Identity, doh: Doh) -> None:
        self._gate = gate
        self._refusals = refusals
        self._doh = doh
        self._identity = identity
        # Those for which `last` has not been asked; with an error where that alone may let them go on.
        self._pending: WeakKeyDictionary[http.HTTPFlow, Error | None] = WeakKeyDictionary()
        self._bodies: WeakKeyDictionary[http.HTTPFlow, bytes | None] = WeakKeyDictionary()  # DNS, as it was judged

    def first(self, flow: http.HTTPFlow) -> None:
        """`requestheaders` before all other addons."""
        connection = self._gate.connection(flow.client_conn)
        if connection.page is not None:
            page = connection.page
            self._refusals.request(flow, page.decision, self._refusals.status(flow, page.decision), page.incident)
            self._gate.refused[flow] = page.decision
            return
        if flow.request.data.method == b"CONNECT":
            return  # judged as such
        # Of a tunnel; requests of several users may follow one another where there is none.
        self._identity.begin(flow, connection)
        request = http_request(connection, flow, now())
        decision = self._decide(flow, request)
        if decision.blocked and not self._identity.may_change(decision, request, connection):
            self._refuse(flow, connection, request, decision)
            return
        self._gate.judged[flow] = Judgement(_state(flow), request, decision)
        self._pending[flow] = None
        if decision.blocked and flow.error is None:  # a user may change that
            # It stays killed where another addon's `AddonHalt` keeps `last` from being asked.
            flow.error = self._pending[flow] = Error(Error.KILLED_MESSAGE)

    def last(self, flow: http.HTTPFlow) -> None:
        """`requestheaders` after all others: the user is known, and what they changed is judged again."""
        connection = self._gate.connection(flow.client_conn)
        pending = self._pending.pop(flow, None)
        if pending is not None and flow.error is pending:
            flow.error = None
        self._identity.settle(flow, connection)
        if self._insists(flow) or flow.request.data.method == b"CONNECT":
            return
        judged = self._gate.judged.get(flow)
        user, state = connection.user, _state(flow)
        if judged is None or user != judged.request.user or judged.decision.blocked or judged.state != state:
            request = http_request(connection, flow, now())
            judged = Judgement(_state(flow), request, self._decide(flow, request))
            self._gate.judged[flow] = judged
        if flow.response is not None and flow.response.status_code == 407:
            return  # another addon asks for a password first
        if judged.decision.blocked:
            self._refuse(flow, connection, judged.request, judged.decision)
            return
        if judged.decision.verdict is Verdict.PASS:
            self._gate.passed(judged.decision, connection, judged.request)
        else:
            self._record(flow, connection, judged.request, judged.decision)
        if flow.response is None:
            self._doh.headers(flow, connection)

    def failed(self, flow: http.HTTPFlow) -> None:
        """`error` before all other addons: where `last` was never asked, what `first` found stands."""
        if self._pending.pop(flow, None) is not None:
            connection, judged = self._gate.connection(flow.client_conn), self._gate.judged[flow]
            self._identity.settle(flow, connection)
            self._gate.refused[flow] = judged.decision
            self._record(flow, connection, judged.request, judged.decision)

    def resume(self, flow: http.HTTPFlow) -> None:
        """`request` before all other addons: their `AddonHalt` keeps `complete` from being asked, or kept `last`."""
        if flow in self._pending:
            self.last(flow)
        if flow not in self._gate.refused and flow.response is None and has_query_body(flow.request):
            self._bodies[flow] = flow.request.raw_content
            self._doh.complete(flow)

    def complete(self, flow: http.HTTPFlow) -> None:
        """`request` after all others: map_remote and scripts may have turned it elsewhere since."""
        if self._insists(flow):
            return
        judged = self._gate.judged.get(flow)
        if judged is None or flow.response is not None:
            return
        if judged.state != _state(flow):
            connection = self._gate.connection(flow.client_conn)
            self._identity.settle(flow, connection)  # other streams may have come between
            request = http_request(connection, flow, now())
            decision = self._decide(flow, request)
            self._gate.judged[flow] = Judgement(_state(flow), request, decision)
            if decision.blocked:
                self._refuse(flow, connection, request, decision)
                return
            self._bodies.pop(flow, None)  # its encoding may be another
            self._doh.headers(flow, connection)
        if flow.response is None and (flow not in self._bodies or self._bodies[flow] != flow.request.raw_content):
            self._doh.complete(flow)

    def websocket_message(self, flow: http.HTTPFlow) -> None:
        """A message on an open WebSocket: its connection was judged, and is judged again when policy changes."""
        if flow.websocket is None:
            return
        if flow in self._gate.refused:
            flow.websocket.messages[-1].drop()
            close(self._gate.connection(flow.client_conn).peer)
        if not self._gate.keep_messages:
            del flow.websocket.messages[:-1]  # a long-lived connection would hold all it ever carried

    def _decide(self, flow: http.HTTPFlow, request: Request) -> Decision:
        decision = self._gate.decide(request)
        if not decision.blocked and flow.request.data.port in _DNS_PORTS and _has_body(flow.request):
            return self._gate.undecided(
                "a body to a server of DNS, which may skip it up to a query in it", decision.name
            )
        return decision

    def _insists(self, flow: http.HTTPFlow) -> bool:
        """Refuse again what another addon has let go; whether the flow was refused before."""
        refused = self._gate.refused.get(flow)
        if refused is None:
            return False
        if flow.response is not None:
            flow.request.stream = False  # a script's wish, with which an answer cannot be given (measured)
        elif flow.error is None:
            page = self._gate.connection(flow.client_conn).page
            status = self._refusals.status(flow, refused)
            self._refusals.request(flow, refused, status, page.incident if page is not None else None)
        return True

    def _refuse(self, flow: http.HTTPFlow, connection: Connection, request: Request, decision: Decision) -> None:
        status = self._refusals.status(flow, decision)
        incident = self._record(flow, connection, request, decision, status=status)
        self._gate.refused[flow] = decision
        self._refusals.request(flow, decision, status, incident)

    def _record(
        self,
        flow: http.HTTPFlow,
        connection: Connection,
        request: Request,
        decision: Decision,
        *,
        status: int | None = None,
    ) -> str | None:
        """Write the record of *decision*; *status* is that of the answer, where one is given."""
        data = flow.request.data
        asked = decision.name
        if asked is None or asked.host is None or asked.source not in _URL_HOST[:3]:
            asked = next(
                (name for source in _URL_HOST for name in request.names if name.source is source and name.host),
                None,
            )
        host = str(asked.host) if asked is not None else data.host
        return self._gate.record(
            decision,
            request.surface,
            connection,
            request=request,
            destination=host,
            destination_port=data.port,
            scheme=data.scheme.decode("ascii", "replace"),
            host=host,
            target=data.path.decode("utf-8", "replace"),
            method=data.method.decode("ascii", "replace"),
            status=status,
            protocol="http",
        )


_DNS_PORTS = dns_framing.PORTS | {dns_framing.TLS_PORT}
_URL_HOST = (Source.AUTHORITY, Source.HOST, Source.URL, Source.CONNECT)  # whose host the URL of a record has


def _state(flow: http.HTTPFlow) -> tuple[object, ...]:
    data = flow.request.data
    return (data.host, data.port, data.authority, data.path, data.headers.fields)


def _has_body(request: http.Request) -> bool:
    """Whether a body may follow the head; HTTP/2 and HTTP/3 need not say so."""
    if request.is_http2 or request.is_http3:
        return True
    return "content-length" in request.headers or "transfer-encoding" in request.headers
