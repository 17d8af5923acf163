"""`embargo console`: the web console alone, in a process of its own."""

import signal
import ssl
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import urlsplit

import click

from embargo.cli.console_place import address, certified, hosts, why_not
from embargo.cli.options import NetworkType, log_option, policy_option
from embargo.cli.output import printable
from embargo.core.address import Network, is_loopback
from embargo.paths import runtime_directory, state_directory
from embargo.priority import give_way

if TYPE_CHECKING:
    from embargo.console.access.desk import Desk
    from embargo.console.ingest import Ingest
    from embargo.console.server import Server
    from embargo.console.settings import OpenIdConnect, ProxySignIn

PORT = 8090
_ROLES = ("viewer", "auditor", "operator", "admin")


class GroupRole(click.ParamType[tuple[str, str]]):
    """`GROUP=ROLE`."""

    name = "GROUP=ROLE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Group and role; a usage error where *value* is none such."""
        if not isinstance(value, str):
            return value
        group, _, role = value.rpartition("=")
        if not group or role not in _ROLES:
            self.fail(f"{value!r} is not GROUP=ROLE with a role of {', '.join(_ROLES)}", param, ctx)
        return group, role


_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.command(context_settings={"auto_envvar_prefix": "EMBARGO_CONSOLE"})
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Address to listen on.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(0, 65535), help="Port to listen on.")
@policy_option
@log_option
@click.option("--tls-certificate", type=_FILE, metavar="FILE", help="Certificate chain, PEM: the console speaks TLS.")
@click.option("--tls-key", type=_FILE, metavar="FILE", help="Its key, PEM.")
@click.option(
    "--host-name",
    "host_names",
    multiple=True,
    metavar="NAME",
    help="A name by which browsers reach the console, besides localhost, --host and the certificate's; repeatable.",
)
@click.option(
    "--trusted-proxy",
    "trusted",
    multiple=True,
    type=NetworkType(),
    help="A reverse proxy before the console, which speaks TLS to browsers; its X-Forwarded-For counts. Repeatable.",
)
@click.option("--user-header", metavar="HEADER", help="The header in which --trusted-proxy names who has signed in.")
@click.option("--groups-header", metavar="HEADER", help="And the one with the user's groups, separated by commas.")
@click.option("--oidc-issuer", metavar="URL", help="Sign-in by this OpenID Connect provider.")
@click.option("--oidc-client-id", metavar="ID", help="What the provider calls the console.")
@click.option(
    "--oidc-secret-file",
    type=_FILE,
    metavar="FILE",
    help="The client's secret; without: a public client.",
)
@click.option("--oidc-scope", "scopes", multiple=True, metavar="SCOPE", help="[openid profile email groups]")
@click.option(
    "--oidc-user-claim", default="preferred_username", show_default=True, metavar="CLAIM", help="Names the user."
)
@click.option("--oidc-groups-claim", default="groups", show_default=True, metavar="CLAIM", help="Lists the groups.")
@click.option("--oidc-ca", type=_FILE, metavar="FILE", help="Certificates by which the provider is known, PEM.")
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=GroupRole(),
    help="The role of a group of the provider or proxy; who is in none has no entry. Repeatable.",
)
@click.option(
    "--idle",
    default=60,
    show_default=True,
    type=click.IntRange(1, 1_440),
    metavar="MINUTES",
    help="A session ends after so long without a request.",
)
@click.option(
    "--session",
    "absolute",
    default=720,
    show_default=True,
    type=click.IntRange(1, 10_080),
    metavar="MINUTES",
    help="And after so long in any case.",
)
@click.option(
    "--tails", default=8, show_default=True, type=click.IntRange(1, 16), help="Live views that may be open at a time."
)
@click.option("--no-store", is_flag=True, help="Do not fill the store: something else runs `embargo store follow`.")
def command(
    host: str,
    port: int,
    policy: tuple[Path, ...],
    log: Path,
    tls_certificate: Path | None,
    tls_key: Path | None,
    host_names: tuple[str, ...],
    trusted: tuple[Network, ...],
    user_header: str | None,
    groups_header: str | None,
    oidc_issuer: str | None,
    oidc_client_id: str | None,
    oidc_secret_file: Path | None,
    scopes: tuple[str, ...],
    oidc_user_claim: str,
    oidc_groups_claim: str,
    oidc_ca: Path | None,
    roles: tuple[tuple[str, str], ...],
    idle: int,
    absolute: int,
    tails: int,
    no_store: bool,
) -> None:
    """Serve the web console; `embargo run` does so by itself, on loopback.

    Others than this machine reach it by TLS alone: with --tls-certificate, or behind a --trusted-proxy. While nobody
    is admin, it prints a link that makes the first one. Each option can be given as EMBARGO_CONSOLE_… in the
    environment, too.

    Example: embargo console --host 0.0.0.0 --tls-certificate chain.pem --tls-key key.pem
    """
    from embargo.console.access.rights import Role  # not at the top: Flask takes a quarter of a second
    from embargo.console.settings import AccessSettings, ConsoleSettings

    if (tls_certificate is None) != (tls_key is None):
        raise click.UsageError("--tls-certificate and --tls-key go together.")
    if not is_loopback(host) and tls_certificate is None and not trusted:
        raise click.UsageError(
            f"--host {host} lets others reach the console, and what they send could be read on the way: add "
            "--tls-certificate and --tls-key, or --trusted-proxy with the address of the proxy that speaks TLS for it."
        )
    secure = tls_certificate is not None or bool(trusted)
    settings = ConsoleSettings(
        log=log,
        state=state_directory(),
        policy=policy,
        runtime=runtime_directory(),
        access=AccessSettings(
            secure=secure,
            hosts=hosts(host, host_names, tls_certificate),
            proxy=_proxy(trusted, user_header, groups_header),
            direct=tls_certificate is not None,
            oidc=_provider(
                oidc_issuer, oidc_client_id, oidc_secret_file, scopes, oidc_user_claim, oidc_groups_claim, oidc_ca
            ),
            roles={group: Role(role) for group, role in roles},
            idle=idle * 60,
            absolute=absolute * 60,
            tails=tails,
        ),
    )
    if (settings.access.oidc is not None or user_header) and not roles:
        click.echo("warning: no --role gives a group of theirs a role, so nobody gets in that way", err=True)
    give_way()
    _serve(settings, host, port, tls_certificate, tls_key, host_names, fills=not no_store)


def _serve(
    settings: Any,
    host: str,
    port: int,
    certificate: Path | None,
    key: Path | None,
    names: tuple[str, ...],
    *,
    fills: bool,
) -> None:
    from embargo.console.access.desk import KEY
    from embargo.console.app import create_app
    from embargo.console.ingest import Ingest
    from embargo.console.server import Server

    try:
        app = create_app(settings)
    except OSError as failure:
        _fail(f"{failure.filename}: {failure.strerror}" if failure.filename else str(failure))
    try:
        server = Server(app, (host, port), certificate=certificate, key=key)
        server.prepare()
    except ssl.SSLError as failure:
        _fail(f"{certificate}, {key}: {failure.reason or failure}: the certificate and its key, both PEM?")
    except OSError as failure:
        _fail(f"{host}:{port}: {why_not(failure)}")
    try:
        known = certified(certificate) if certificate is not None else []
        _announce(app.extensions[KEY], address(settings, host, server.bind_addr[1], names or tuple(known)))
        _until_told(server, Ingest(settings.log) if fills else None)
    except BaseException:
        server.stop()  # its threads would keep the process alive
        raise


def _announce(desk: "Desk", url: str) -> None:
    """Say where it is, and how to become its first admin."""
    desk.database.set_url(url)
    click.echo(f"the console is at {url}")
    if not desk.accounts.any_admin() and not desk.settings.access.roles:
        link = f"{url}link/{desk.links.make(None, desk.now())}"
        click.echo(f"nobody is admin yet; this link makes the first one, once, within the hour:\n{link}")
    sys.stdout.flush()


def _until_told(server: "Server", ingest: "Ingest | None") -> None:
    """Serve until SIGTERM or SIGINT."""
    stopped = threading.Event()

    def stop(_number: int, _frame: Any) -> None:
        if not stopped.is_set():
            stopped.set()
            threading.Thread(target=server.stop, name="stop").start()  # it waits for the threads, one of them ours

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    if ingest is not None:
        ingest.start()
    try:
        server.run()
    finally:
        if ingest is not None:
            ingest.stop()
    if not stopped.is_set():
        _fail("the server ended by itself")


def _proxy(trusted: tuple[Network, ...], user_header: str | None, groups_header: str | None) -> "ProxySignIn | None":
    from embargo.console.access.detour import can_tell
    from embargo.console.settings import ProxySignIn

    if not trusted:
        if user_header or groups_header:
            raise click.UsageError(
                "--user-header and --groups-header are taken from a --trusted-proxy alone: say which, since anybody "
                "can send a header."
            )
        return None
    for network in trusted:
        if network.prefixlen == 0:
            raise click.UsageError(f"--trusted-proxy {network} is everybody: name the proxy's address.")
    if user_header and any(network.is_loopback for network in trusted) and not can_tell():
        raise click.UsageError(
            "--user-header from a proxy on this machine needs Linux: elsewhere it cannot be told from a client that "
            "comes through the proxy that the console watches."
        )
    if groups_header and not user_header:
        raise click.UsageError("--groups-header goes with --user-header.")
    return ProxySignIn(networks=trusted, user_header=user_header, groups_header=groups_header)


def _provider(
    issuer: str | None,
    client: str | None,
    secret: Path | None,
    scopes: tuple[str, ...],
    user_claim: str,
    groups_claim: str,
    ca: Path | None,
) -> "OpenIdConnect | None":
    from embargo.console.settings import SCOPES, OpenIdConnect

    if issuer is None and client is None:
        return None
    if issuer is None or client is None:
        raise click.UsageError("--oidc-issuer and --oidc-client-id go together.")
    parts = urlsplit(issuer)
    if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(parts.hostname or "")):
        raise click.UsageError(f"--oidc-issuer {issuer} is not https: whoever is on the way could sign in as anybody.")
    return OpenIdConnect(
        issuer=issuer,
        client_id=client,
        client_secret=secret.read_text().strip() if secret is not None else None,
        scopes=tuple(dict.fromkeys(("openid", *scopes))) if scopes else SCOPES,
        user_claim=user_claim,
        groups_claim=groups_claim,
        ca=ca,
    )


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {printable(message)}", err=True)
    sys.exit(2)
