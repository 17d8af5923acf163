"""What a console is started with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path

from embargo.console.access.rights import Role


def utc_now() -> datetime:
    """The time, aware, UTC."""
    return datetime.now(UTC)


SCOPES = ("openid", "profile", "email", "groups")  # of OpenID Connect, by default


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySignIn:
    """Sign-in by a reverse proxy that has already asked who it is."""

    networks: tuple[IPv4Network | IPv6Network, ...]  # peers whose word is taken; of all others it is stripped
    user_header: str | None = None  # names the user, e.g. X-Remote-User; None: the proxy signs nobody in
    groups_header: str | None = None  # his groups, separated by commas


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIdConnect:
    """Sign-in by an OpenID Connect provider, code flow with PKCE."""

    issuer: str  # its URL; the rest is found below it (/.well-known/openid-configuration)
    client_id: str
    client_secret: str | None = field(default=None, repr=False)  # None: a public client
    scopes: tuple[str, ...] = SCOPES
    user_claim: str = "preferred_username"  # else `email`, where verified; else `sub`
    groups_claim: str = "groups"
    ca: Path | None = None  # certificates to trust, PEM; None: the system's


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """How one signs in, and how long that lasts."""

    secure: bool = False  # the browser speaks TLS (to us, or to the proxy before us): `__Host-` cookie, HSTS
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1", "[::1]")  # that the Host header may name; against DNS rebinding
    proxy: ProxySignIn | None = None
    direct: bool = True  # whether others than the proxy are answered, where there is one
    oidc: OpenIdConnect | None = None
    roles: Mapping[str, Role] = field(default_factory=dict)  # group of the provider or proxy: role; none: no entry
    idle: int = 3_600  # seconds without a request after which a session ends
    absolute: int = 43_200  # seconds after which it ends whatever happens: a working day
    password_length: int = 12  # least, in characters (NIST SP 800-63B asks for 8, better 15)
    tails: int = 8  # live views at a time; each holds a thread


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """A console."""

    log: Path  # the decision log's directory
    state: Path  # of the console: accounts and sessions lie in `console/` below it
    policy: tuple[Path, ...]  # policy files, the layers as for `--policy`
    runtime: Path | None = None  # where the proxies' sockets lie; None: as `embargo.paths` finds it
    now: Callable[[], datetime] = utc_now
    access: AccessSettings = field(default_factory=AccessSettings)
