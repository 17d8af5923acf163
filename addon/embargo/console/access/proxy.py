"""A reverse proxy before the console: whose word is taken, and for what.

Headers that a proxy sets can be set by anybody else as well, so they count from the networks that the operator names
and are taken out of every other request before anything reads them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import Any, cast

from flask import request

from embargo.console.access.accounts import Account, Refused, Source, folded
from embargo.console.access.desk import desk
from embargo.console.access.detour import through_proxy
from embargo.console.access.rights import Role
from embargo.console.settings import AccessSettings
from embargo.core.address import is_loopback

type Environment = dict[str, Any]
type Application = Callable[[Environment, Callable[..., Any]], Iterable[bytes]]

_FORWARDED = ("HTTP_FORWARDED", "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_HOST")
# in the WSGI environment
_USER, _GROUPS, PASSED_BY, DETOUR = "embargo.user", "embargo.groups", "embargo.passed-by", "embargo.detour"
CONNECTION = "embargo.connection"  # what is known of the connection, a dictionary that the server keeps for it
_ORDER = (Role.ADMIN, Role.OPERATOR, Role.AUDITOR, Role.VIEWER)


@dataclass(frozen=True, slots=True)
class Vouched:
    """A user, as the proxy names him."""

    name: str
    groups: tuple[str, ...] | None  # None: it says nothing of groups


class Forwarding:
    """WSGI: takes the client's address and the user's name from a named proxy, and out of all other requests."""

    def __init__(self, application: Application, settings: AccessSettings, runtime: Path) -> None:
        proxy = settings.proxy
        self._runtime = runtime
        self._application = application
        self._secure = settings.secure
        self._alone = proxy is not None and not settings.direct
        self._networks = proxy.networks if proxy is not None else ()
        self._user = _key(proxy.user_header) if proxy is not None and proxy.user_header else None
        self._groups = _key(proxy.groups_header) if proxy is not None and proxy.groups_header else None

    def __call__(self, environ: Environment, start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answer a request."""
        environ.pop(_USER, None)
        environ.pop(_GROUPS, None)
        user = environ.pop(self._user, None) if self._user else None
        groups = environ.pop(self._groups, None) if self._groups else None
        forwarded = {name: environ.pop(name) for name in _FORWARDED if name in environ}
        environ.pop("REMOTE_USER", None)
        if self._secure:
            environ["wsgi.url_scheme"] = "https"  # as the browser sees it
        peer = environ.get("REMOTE_ADDR", "")
        environ[DETOUR] = self._detour(environ)
        trusted = self._trusted(peer) and not environ[DETOUR]
        environ[PASSED_BY] = self._alone and not trusted and not is_loopback(peer)
        if trusted:
            environ["REMOTE_ADDR"] = self._client(forwarded.get("HTTP_X_FORWARDED_FOR", ""), peer)
            if user:
                environ[_USER] = user
            if groups is not None:
                environ[_GROUPS] = groups
        return self._application(environ, start_response)

    def _detour(self, environ: Environment) -> bool:
        """Whether it came through the proxy that we watch; asked once a connection."""
        known: dict[str, bool] = environ.get(CONNECTION, {})
        if "detour" not in known:
            theirs, ours = str(environ.get("REMOTE_PORT", "")), str(environ.get("SERVER_PORT", ""))
            known["detour"] = (
                theirs.isdecimal() and ours.isdecimal() and through_proxy(self._runtime, int(theirs), int(ours))
            )
        return known["detour"]

    def _trusted(self, address: str) -> bool:
        try:
            found = ip_address(address)
        except ValueError:
            return False
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return any(found in network for network in self._networks if network.version == found.version)

    def _client(self, chain: str, peer: str) -> str:
        """The last address of X-Forwarded-For that is no proxy of ours: what stands before it anybody can write."""
        for hop in reversed([hop.strip() for hop in chain.split(",")]):
            try:
                address = ip_address(hop)
            except ValueError:
                return peer
            if not self._trusted(hop):
                return str(address)
            peer = str(address)
        return peer


def vouched() -> Vouched | None:
    """Whom the proxy says this is, if it may say so; None: it says nothing."""
    name = request.environ.get(_USER)
    if not name:
        return None
    groups = request.environ.get(_GROUPS)
    given = None if groups is None else tuple(part.strip() for part in _decoded(groups).split(",") if part.strip())
    return Vouched(_decoded(name), given)


def contradicts(account: Account, word: Vouched | None) -> bool:
    """Whether the session of *account* is not what the proxy says now: another's, or nobody's."""
    if account.source is not Source.PROXY:
        return False
    if word is None:
        return True
    now = desk().accounts.named(word.name)
    return now is None or now.id != account.id or (word.groups is not None and _role(word) is not account.role)


def account(word: Vouched) -> Account | None:
    """The account that the proxy vouches for; None, and recorded, where it has no role or its name is another's."""
    known = desk().accounts.named(word.name)
    role = _role(word)
    if role is None and word.groups is None and known is not None and known.source is Source.PROXY:
        role = known.role  # given by `embargo user add --source proxy`
    try:
        if role is None:
            raise Refused("no group of this user has a role")
        found = desk().accounts.vouched(Source.PROXY, folded(word.name), word.name, role, desk().now())
        if found.disabled:
            raise Refused("the account is disabled")
    except Refused as refused:
        desk().record_failure("proxy", account=word.name, reason=str(refused))
        return None
    return found


def role_of(groups: Iterable[str]) -> Role | None:
    """The role that *groups* of a provider or proxy give: the mightiest of theirs; None: no entry."""
    roles = desk().settings.access.roles
    given = {roles[group] for group in groups if group in roles}
    return next((role for role in _ORDER if role in given), None)


def _role(word: Vouched) -> Role | None:
    return None if word.groups is None else role_of(word.groups)


def install(app: Any, settings: AccessSettings, runtime: Path) -> None:
    """Set the reading of proxies' headers before *app*; *runtime* has the sockets of the proxies that it watches."""
    app.wsgi_app = Forwarding(cast(Application, app.wsgi_app), settings, runtime)


def by_detour() -> bool:
    """Whether the request came through the proxy that the console watches."""
    return bool(request.environ.get(DETOUR))


def passed_by() -> bool:
    """Whether the request came past the proxy that stands before the console, unencrypted as it is."""
    return bool(request.environ.get(PASSED_BY))


def _key(header: str) -> str:
    return "HTTP_" + header.upper().replace("-", "_")


def _decoded(text: str) -> str:
    """A header as UTF-8, which WSGI hands over as Latin-1."""
    try:
        return text.encode("latin-1").decode()
    except UnicodeError:
        return text
