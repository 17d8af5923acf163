"""`embargo ca`: the CA that opens TLS, shown, asked for, and put in place."""

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import click

from embargo.cli.loading import loaded_policy
from embargo.cli.options import json_option, policy_option
from embargo.cli.output import colourful, echo_json, printable
from embargo.core.ca_findings import colons, not_permitted, too_many
from embargo.core.opening import Opening, Why
from embargo.review.certificate import CaFacts, CertificateError, missing_lists, missing_names, unpermitted
from embargo.review.directory import DEFAULT, SIGNING, install, installed, read_bounded, write_private
from embargo.review.installation import prepare
from embargo.review.signing import KEY_SIZES, NothingToSign, Scope, make_request, scope

_UNUSABLE = 2  # exit: usage, or input that cannot be read (DESIGN 8)
_MOST_SHOWN = 20  # names of a list that are printed for people; --json has them all
_REASONS = {
    Why.PAGE: "banned: its block page is shown inside",
    Why.PATH: "a path there is banned, which is seen inside alone",
    Why.INSIDE: "requests inside are banned",
}

confdir_option = click.option(
    "--confdir",
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT,
    show_default=True,
    metavar="DIR",
    callback=lambda _ctx, _param, value: value.expanduser(),
    help="mitmproxy's directory of that name.",
)


@click.group(
    "ca",
    epilog="\b\nExamples:\n  embargo ca show\n  embargo ca request --policy site.yaml\n"
    "  embargo ca install chain.pem --key embargo-ca.key",
)
def command() -> None:
    """The CA that opens TLS: show it, ask the company for one, put that in place."""


@command.command("show")
@policy_option
@confdir_option
@json_option
def show(policy: tuple[Path, ...], confdir: Path, as_json: bool) -> None:
    """Show the CA that the proxy signs with: fingerprint, days left, what it may sign for, what the policy lacks.

    Exit 1 where it has expired or soon will, or does not permit a name whose verdict depends on what is inside.
    Example: embargo ca show --confdir /var/lib/embargo/mitmproxy
    """
    judged, now = loaded_policy(policy), datetime.now(UTC)
    try:
        ca = installed(confdir)
    except FileNotFoundError:
        _fail(f"{confdir / SIGNING}: there is none; the proxy makes one at its first start")
    except OSError as failure:
        _fail(f"{confdir / SIGNING}: {failure.strerror or failure}")
    except CertificateError as broken:
        _fail(f"{confdir / SIGNING}: {broken}")
    missing = unpermitted(judged, ca, now)
    findings = [
        *ca.findings(now),
        *map(not_permitted, missing_names(missing)),
        *map(too_many, missing_lists(judged, ca, now)),
    ]
    if as_json:
        echo_json(
            {
                "file": str(confdir / SIGNING),
                **_document(ca, now),
                "not_permitted": [_opening(each) for each in missing],
                "findings": findings,
            }
        )
    else:
        _echo_ca(ca, now)
        pages = [each.name for each in missing if not each.why.decides]
        _echo_names("without page", dict.fromkeys(pages), "names that are refused at CONNECT, without a page")
        for finding in findings:
            _line("finding", _alarm(finding))
    sys.exit(1 if findings else 0)


@command.command("request")
@policy_option
@click.option("--key", type=click.Path(path_type=Path), default="embargo-ca.key", show_default=True, metavar="FILE",
              help="Where the new private key goes; an existing file is never replaced.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), default="embargo-ca.csr", show_default=True, metavar="FILE",
              help="Where the request goes; an existing file is never replaced.")  # fmt: skip
@click.option("--name", default="embargo proxy CA", show_default=True, metavar="TEXT", help="Common name of the CA.")
@click.option("--key-size", type=click.Choice(list(map(str, KEY_SIZES))), default=str(KEY_SIZES[0]), show_default=True,
              help="Bits of the RSA key, with which each handshake is signed too.")  # fmt: skip
@click.option("--no-pages", is_flag=True, help="Leave out names that are opened for their block page alone.")
@json_option
def request(
    policy: tuple[Path, ...], key: Path, out: Path, name: str, key_size: str, no_pages: bool, as_json: bool
) -> None:
    """Write a key and a request for a CA that can sign for what the policy opens, and for nothing else.

    The company signs it as an intermediate; `embargo ca install` puts that in place. Exit 1 where the policy needs no
    CA. Example: embargo ca request --policy domains.yaml --policy site.yaml
    """
    if not 0 < len(name) <= 64:
        raise click.UsageError("--name: a common name has 1 to 64 characters (RFC 5280, ub-common-name)")
    if key.absolute() == out.absolute():
        raise click.UsageError("--key and --out name the same file")
    judged = loaded_policy(policy)
    try:
        wanted = scope(judged, datetime.now(UTC), pages=not no_pages)
    except NothingToSign as none:
        click.echo(f"no request: {printable(str(none))}", err=True)
        sys.exit(1)
    for path in (key, out):
        if path.exists():
            _fail(f"{path}: exists; move it away, or name another with {'--key' if path == key else '--out'}")
    made = make_request(
        wanted.permitted, wanted.excluded, name=name, organization=judged.settings.organization, bits=int(key_size)
    )
    try:
        write_private(key, made.key, fresh=True)
        write_private(out, made.request, 0o644, fresh=True)
    except OSError as failure:
        _fail(f"{failure.filename2 or failure.filename or key}: {failure.strerror or failure}")
    if as_json:
        echo_json({"key": str(key), "request": str(out), **_scope(wanted)})
        return
    _echo_scope(wanted)
    click.echo()
    _line("key", f"{key} (mode 600; it never leaves the proxy)")
    _line("request", f"{out}; next: have it signed with its extensions, then `embargo ca install`")


@command.command("install")
@click.argument("chain", type=click.Path(path_type=Path))
@click.option("--key", type=click.Path(path_type=Path), default="embargo-ca.key", show_default=True, metavar="FILE",
              help="The private key that `embargo ca request` wrote.")  # fmt: skip
@confdir_option
@json_option
def install_chain(chain: Path, key: Path, confdir: Path, as_json: bool) -> None:
    """Put the signed intermediate in place: CHAIN holds it and those above it, in PEM form.

    Refused, and nothing changed: a key of another certificate, one that is no CA or not valid now, a chain without the
    issuer. The proxy takes it at its next start. Example: embargo ca install chain.pem --key embargo-ca.key
    """
    now = datetime.now(UTC)
    try:
        prepared = prepare(_read(chain), _read(key), now)
    except CertificateError as refused:
        _fail(f"{chain}: {refused}")
    try:
        kept = install(confdir, prepared)
    except OSError as failure:
        _fail(f"{failure.filename or confdir}: {failure.strerror or failure}")
    if as_json:
        echo_json(
            {
                "file": str(confdir / SIGNING),
                **_document(prepared.ca, now),
                "kept": list(map(str, kept)),
                "warnings": list(prepared.warnings),
            }
        )
        return
    _echo_ca(prepared.ca, now)
    _line("file", f"{confdir / SIGNING}, taken at the proxy's next start")
    for path in kept:
        _line("former", f"{path}")
    for warning in prepared.warnings:
        _line("warning", _alarm(warning))


def _read(path: Path) -> bytes:
    try:
        return read_bounded(path)
    except OSError as failure:
        _fail(f"{path}: {failure.strerror or failure}")


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {printable(message)}", err=True)
    sys.exit(_UNUSABLE)


def _document(ca: CaFacts, now: datetime) -> dict[str, Any]:
    permitted, excluded = _names(ca)
    return {**ca.document(now), "permitted": permitted, "excluded": excluded}


def _names(ca: CaFacts) -> tuple[list[str] | None, list[str]]:
    """Permitted names (None: all) and excluded names and addresses, of all certificates with constraints."""
    lists = [each.permitted_names for each in ca.constraints if each.permitted_names is not None]
    permitted = sorted(frozenset[str]().union(*lists)) if lists else None
    excluded = [str(network) for each in ca.constraints for network in each.excluded_networks]
    return permitted, [*sorted({name for each in ca.constraints for name in each.excluded_names}), *excluded]


def _scope(wanted: Scope) -> dict[str, Any]:
    return {
        "permitted": list(wanted.permitted),
        "excluded": list(wanted.excluded),
        "openings": [_opening(each) for each in wanted.openings],
        "wide": [{"name": name, "reason": reason} for name, reason in wanted.wide()],
        "listed": wanted.listed,
        "warnings": list(wanted.warnings),
    }


def _opening(each: Opening) -> dict[str, Any]:
    return {
        "name": each.name,
        "below": each.below,
        "why": each.why.value,
        "app": each.app,
        "endpoint": each.endpoint,
        "rule": each.rule,
    }


def _echo_scope(wanted: Scope) -> None:
    for why, reason in _REASONS.items():
        names = dict.fromkeys(each.name for each in wanted.openings if each.why is why)
        _echo_names(why.value, names, reason)
    _line("permitted", f"{len(wanted.permitted)} names, each with all below it (X.509 knows no name alone)")
    _echo_names("excluded", wanted.excluded, "below these nothing is opened; nor is any address")
    for name, reason in wanted.wide():
        _line("wide", _alarm(f"{name}: {reason}"))
    for warning in wanted.warnings:
        _line("warning", _alarm(warning))


def _echo_ca(ca: CaFacts, now: datetime) -> None:
    _line("subject", ca.subject)
    _line("issuer", ca.issuer)
    _line("SHA-256", colons(ca.fingerprint))
    _line("valid until", f"{ca.not_after:%Y-%m-%d} ({ca.days_left(now)} days left)")
    permitted, excluded = _names(ca)
    if not ca.constrained:
        _line("may sign for", "every name")
        return
    if permitted is not None:
        _echo_names("may sign for", permitted, "names, each with all below it")
    _echo_names("never for", excluded, "names and networks")
    for each in ca.constraints:
        if each.unmet:
            _line("never for", _alarm(f"anything: {each.unmet}"))


def _echo_names(label: str, names: Iterable[str], reason: str) -> None:
    found = list(names)
    if not found:
        return
    _line(label, f"{len(found)}: {reason}")
    for name in found[:_MOST_SHOWN]:
        _line("", name)
    if len(found) > _MOST_SHOWN:
        _line("", f"and {len(found) - _MOST_SHOWN} more (--json has all)")


def _line(label: str, text: str) -> None:
    click.echo(f"{label:<13} {text if text.startswith(chr(27)) else printable(text)}")


def _alarm(text: str) -> str:
    return click.style(printable(text), fg="red") if colourful() else text
