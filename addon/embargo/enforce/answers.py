"""What a refused client gets: a page, a problem document, a gRPC status, or nothing but the status.

RFC 7725 (451), RFC 9457 (problem+json), gRPC over HTTP/2 ("Trailers-Only"). Never in an answer: the rule's
reason, ticket, approver or group. What the client sent is only echoed escaped, by the template.
"""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from time import time
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, Template, TemplateRuntimeError, select_autoescape
from mitmproxy import http
from mitmproxy.net.http.status_codes import RESPONSES

from embargo.core.decision import Decision, Reason
from embargo.core.rules import Policy

TEMPLATE = "block.html"
GRPC_PERMISSION_DENIED = "7"
UNAVAILABLE = 503  # not the policy's word: there is none yet, or judging failed
_ALWAYS = (
    (b"cache-control", b"no-store"),  # 451 is cacheable by default (RFC 7725)
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)
_GRPC_PLAIN = " !#$&'()*+,-./:;<=>?@[]^_`{|}~"  # what grpc-message need not percent-encode (gRPC over HTTP/2)
_TYPES = {  # what `type` of the problem document names: the status's own definition
    451: "https://www.rfc-editor.org/rfc/rfc7725#section-3",
    403: "https://www.rfc-editor.org/rfc/rfc9110#section-15.5.4",
    503: "https://www.rfc-editor.org/rfc/rfc9110#section-15.6.4",
}
_LONGEST_TAG = 64  # characters of a language tag; the longest registered ones are shorter (RFC 5646, 4.4.1)
_BARE_DESTINATIONS = frozenset(  # Sec-Fetch-Dest values whose client would choke on HTML
    b"image script style font audio video track worker serviceworker sharedworker object".split()
)
_BARE_TYPES = (b"image/", b"font/", b"text/css", b"audio/", b"video/", b"application/javascript", b"text/javascript")
_TITLES = {451: "Blocked for legal reasons", 403: "Blocked by policy", 503: "Cannot be judged right now"}


@dataclass(frozen=True, slots=True)
class Refusal:
    """What an answer may say."""

    status: int
    incident: str
    title: str
    message: str
    language: str  # tag of the message's language; empty where the policy does not say
    apps: str  # names of the apps, for people; empty where none owns it
    rule: str | None
    authorities: tuple[tuple[str, str, str | None], ...]  # title, state, url
    organization: str | None
    contact: str | None  # an address or URL, the incident filled in
    console: str | None  # URL of this incident in the console


_BARE = Refusal(503, "", "", "", "", "", None, (), None, None, None)
_FULL = Refusal(
    451, "id", "title", "text", "de", "app", "rule", (("title", "in-force", "https://a.test"),), "o", "c@d", "e"
)
_SAMPLES = (_BARE, _FULL)


def refusal(
    policy: Policy | None, decision: Decision, incident: str, *, accept_language: str = "", console: str = ""
) -> Refusal:
    """What may be said about *decision*."""
    status = status_of(decision)
    settings = policy.settings if policy is not None else None
    named = [policy.apps[app].name for app in decision.apps if app in policy.apps] if policy is not None else []
    selecting = decision.rule.apps.named_in if decision.rule is not None else ()
    authorities = tuple(
        (policy.authorities[identifier].title, str(state), policy.authorities[identifier].url)
        for identifier, state in decision.authorities
        if policy is not None
        and state is not None
        and identifier in policy.authorities
        and (not selecting or identifier in selecting)
    )
    message, language = client_message(decision, accept_language)
    contact = settings.contact.replace("{incident}", quote(incident)) if settings and settings.contact else None
    return Refusal(
        status=status,
        incident=incident,
        title=_TITLES[status],
        message=message,
        language=language,
        apps=", ".join(named),
        rule=decision.rule_id,
        authorities=authorities,
        organization=settings.organization if settings else None,
        contact=contact,
        console=f"{console.rstrip('/')}/record/{quote(incident)}" if console else None,
    )


def status_of(decision: Decision) -> int:
    """The HTTP status of a refusal."""
    if decision.reason in (Reason.NO_POLICY, Reason.ERROR):
        return UNAVAILABLE
    return decision.status or 403


def connect_answer(refused: Refusal, request: http.Request, template: Template) -> http.Response:
    """The answer to a refused CONNECT: browsers hide its body, other clients print it."""
    if is_browser(request):
        return _page(refused, request, template)
    return _problem(refused, request)


def http_answer(refused: Refusal, request: http.Request, template: Template) -> http.Response:
    """The answer to a refused request, in the form that its client can show."""
    sent = {key.lower(): value.lower() for key, value in request.headers.fields}  # a look-up each costs 2 µs
    if sent.get(b"content-type", b"").startswith(b"application/grpc"):
        return _grpc(refused, request)
    if request.method == "OPTIONS" and b"access-control-request-method" in sent:
        return _response(refused, request, b"", None)
    destination, accept = sent.get(b"sec-fetch-dest", b""), sent.get(b"accept", b"")
    if destination in _BARE_DESTINATIONS or accept.startswith(_BARE_TYPES):
        return _response(refused, request, b"", None)
    if b"text/html" in accept or destination in (b"document", b"iframe", b"frame"):
        return _page(refused, request, template)
    return _problem(refused, request)


def is_grpc(request: http.Request) -> bool:
    """Whether *request* is a gRPC or gRPC-web call."""
    content_type: str = request.headers.get("content-type", "")
    return content_type.lower().startswith("application/grpc")


def is_browser(request: http.Request) -> bool:
    """Whether a person may be looking (DESIGN 6: the User-Agent begins with Mozilla/)."""
    agent: str = request.headers.get("user-agent", "")
    return agent.startswith("Mozilla/")


@lru_cache(maxsize=4)
def load_template(path: str) -> Template:
    """The block page's template, tried on samples: the file at *path*, or the shipped one where it is empty.

    Raises OSError, jinja2.TemplateError.
    """
    file = Path(path) if path else Path(__file__).parent / "templates" / TEMPLATE
    environment = Environment(loader=FileSystemLoader(file.parent), autoescape=select_autoescape(default=True))
    template = environment.get_template(file.name)
    for sample in _SAMPLES:  # a fault in it shall show when it is set, not when somebody is refused
        try:
            template.render(refusal=sample, host="www.example", nonce="nonce")
        except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as fault:
            raise TemplateRuntimeError(f"{type(fault).__name__}: {fault}") from fault
    return template


def client_message(decision: Decision, accept_language: str = "") -> tuple[str, str]:
    """What the client is told, and in which language."""
    match decision.reason:
        case Reason.MALFORMED | Reason.NAMELESS | Reason.UNDECIDED:
            return "The request names no host that could be checked, so it was refused.", "en"
        case Reason.NO_POLICY:
            return "The proxy has no policy yet. It refuses everything until one has loaded.", "en"
        case Reason.ERROR:
            return "The request could not be checked, so it was refused.", "en"
    texts = decision.rule.message if decision.rule is not None else {}
    if not texts:
        return "This app is not allowed on this network.", "en"
    language = pick_language(texts, accept_language)
    return texts[language], language


def pick_language(texts: Mapping[str, str], accept_language: str) -> str:
    """The key of the text, of at least one, that the client likes best (RFC 9110, 12.5.4; RFC 4647 lookup)."""
    wanted: list[tuple[float, str]] = []
    for item in accept_language.split(",")[:32]:
        tag, _, parameters = item.partition(";")
        weight = parameters.strip().removeprefix("q=")
        try:
            wanted.append((-float(weight or 1), tag.strip().lower()[:_LONGEST_TAG]))
        except ValueError:
            continue
    by_tag = {tag.lower(): tag for tag in texts}
    for _, tag in sorted(wanted, key=lambda pair: pair[0]):
        while tag:
            if tag in by_tag:
                return by_tag[tag]
            tag = tag.rpartition("-")[0]
    return next((tag for tag in ("", "en") if tag in texts), next(iter(texts)))


def _page(refused: Refusal, request: http.Request, template: Template) -> http.Response:
    nonce = secrets.token_urlsafe(12)
    body = template.render(refusal=refused, host=request.pretty_host, nonce=nonce).encode(errors="replace")
    response = _response(refused, request, body, "text/html; charset=utf-8")
    response.headers["content-security-policy"] = (
        f"default-src 'none'; style-src 'nonce-{nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    return response


def _problem(refused: Refusal, request: http.Request) -> http.Response:
    document = {
        "type": _TYPES[refused.status],
        "title": refused.title,
        "status": refused.status,
        "detail": refused.message,
        "instance": f"urn:uuid:{refused.incident}",
        "app": refused.apps or None,
        "rule": refused.rule,
        "authority": [title for title, _, _ in refused.authorities] or None,
        "contact": refused.contact,
    }
    body = json.dumps({key: value for key, value in document.items() if value is not None}).encode() + b"\n"
    return _response(refused, request, body, "application/problem+json")


def _grpc(refused: Refusal, request: http.Request) -> http.Response:
    content_type = request.headers["content-type"].split(";")[0].strip()
    response = http.Response.make(
        200,
        b"",
        {
            "content-type": content_type,
            "grpc-status": GRPC_PERMISSION_DENIED,
            "grpc-message": quote(f"{refused.message} Incident {refused.incident}", safe=_GRPC_PLAIN),
            "cache-control": "no-store",
        },
    )
    if "grpc-web" in content_type and (origin := request.headers.get("origin")):
        response.headers["access-control-allow-origin"] = origin
        response.headers["access-control-allow-credentials"] = "true"
        response.headers["access-control-expose-headers"] = "grpc-status, grpc-message"
    return response


def _response(refused: Refusal, request: http.Request, body: bytes, content_type: str | None) -> http.Response:
    headers = [*_ALWAYS, (b"content-length", str(len(body)).encode())]
    if content_type is not None:
        headers.append((b"content-type", content_type.encode()))
    if refused.status == UNAVAILABLE:
        headers.append((b"retry-after", b"2"))  # seconds; a policy loads within that
    if refused.status == 451 and refused.contact:
        target = refused.contact if "://" in refused.contact else f"mailto:{refused.contact}"
        link = f'<{quote(target, safe=":/?#[]@!$&*+,;=%~-._")}>; rel="blocked-by"'
        headers.append((b"link", link.encode()))
    # not Response.make, which takes half as long as all the rest of a refusal (measured)
    return http.Response(
        b"HTTP/1.1",
        refused.status,
        RESPONSES[refused.status].encode(),
        http.Headers(headers),
        b"" if request.method == "HEAD" else body,
        None,
        time(),
        time(),
    )
