"""`embargo apps new`: a layer with an app of one's own."""

import sys
from collections.abc import Container
from pathlib import Path
from typing import Any

import click

from embargo.cli.findings import now
from embargo.cli.layer_file import (
    app_id,
    force_option,
    id_option,
    message_option,
    name_option,
    out_option,
    target,
    told,
    vendor_option,
    write,
)
from embargo.cli.options import policy_option
from embargo.core.catalogue import Endpoint, Role, Stores
from embargo.core.pattern import Kind, Pattern
from embargo.core.rules import Action
from embargo.policy import domains
from embargo.policy.load import load
from embargo.policy.problem import Mistake
from embargo.review.own_app import OwnApp

_KINDS = ("domain", "host", "url", "cidr", "user_agent")


@click.command("new")
@id_option
@name_option
@vendor_option
@click.option("--domain", multiple=True, metavar="NAME", help="A name and all below it; repeatable.")
@click.option("--host", multiple=True, metavar="NAME", help="A name alone; repeatable.")
@click.option("--url", multiple=True, metavar="HOST/PATH", help="One host and a path; repeatable.")
@click.option("--cidr", multiple=True, metavar="NETWORK", help="A network; repeatable.")
@click.option("--user-agent", multiple=True, metavar="TEXT", help="A part of the User-Agent; repeatable.")
@click.option("--role", type=click.Choice([role.value for role in Role]), help="Of those that name none; api.")
@click.option("--evidence", multiple=True, metavar="TEXT", help="Where it is known from; repeatable.")
@click.option("--apple", multiple=True, metavar="ID", help="Number in the App Store; repeatable.")
@click.option("--google-play", multiple=True, metavar="ID", help="Package on Google Play; repeatable.")
@click.option("--microsoft", multiple=True, metavar="ID", help="Product in the Microsoft Store; repeatable.")
@click.option("--action", type=click.Choice([Action.BLOCK.value, Action.LOG.value]), help="What its rule does; block.")
@message_option
@click.option("--shadow", is_flag=True, help="On trial at first: recorded, not enforced.")
@policy_option
@out_option
@force_option
def new(
    identifier: str | None,
    name: str | None,
    vendor: str | None,
    domain: tuple[str, ...],
    host: tuple[str, ...],
    url: tuple[str, ...],
    cidr: tuple[str, ...],
    user_agent: tuple[str, ...],
    role: str | None,
    evidence: tuple[str, ...],
    apple: tuple[str, ...],
    google_play: tuple[str, ...],
    microsoft: tuple[str, ...],
    action: str | None,
    message: str | None,
    shadow: bool,
    policy: tuple[Path, ...],
    out: Path | None,
    force: bool,
) -> None:
    """Write a layer with an app of your own: its endpoints, a rule, and tests.

    On a terminal it asks for what is not given. An endpoint may say its role, and that it also serves others, behind
    commas: --domain cdn.filedrop.example,cdn,shared. The layer is loaded on top of the policy, and its tests are run,
    before it is written. Its rule stands behind those that are there, and spares what is shared.

    Example: embargo apps new --id filedrop --name FileDrop --domain filedrop.example --evidence "vendor's page"
    """
    given = dict(zip(_KINDS, (domain, host, url, cidr, user_agent), strict=True))
    stores = Stores(apple, google_play, microsoft)
    with told():
        taken = load(policy).policy.apps
    if (not any(given.values()) and stores == Stores()) or identifier is None:
        asked = _asked(identifier, name, vendor, given, evidence, action, known=taken, stores=stores != Stores())
        identifier, name, vendor, given, evidence, action = asked
    endpoints = tuple(
        _endpoint(kind, text, Role(role or Role.API), evidence, shadow=shadow)
        for kind in _KINDS
        for text in given[kind]
    )
    app = OwnApp(
        id=_free(identifier, taken),
        name=name,
        vendor=vendor,
        endpoints=endpoints,
        stores=stores,
        action=Action(action or Action.BLOCK),
        message=message,
        head=(f"{name or identifier}: made by `embargo apps new` on {now():%Y-%m-%d}.",),
    )
    with told():
        write(policy, target(out, app.id), app, force=force)


def _free(identifier: str, taken: Container[str]) -> str:
    """*identifier*, if an app may be called so; a usage error where not."""
    known = app_id(identifier)
    if known in taken:
        raise click.UsageError(
            f"the policy has an app {known!r} already: extend it in a layer of yours (`extend: true`), or import "
            "a list into it by `embargo apps import`"
        )
    return known


def _asked(
    identifier: str | None,
    name: str | None,
    vendor: str | None,
    given: dict[str, tuple[str, ...]],
    evidence: tuple[str, ...],
    action: str | None,
    *,
    known: Container[str],
    stores: bool,
) -> tuple[str, str | None, str | None, dict[str, tuple[str, ...]], tuple[str, ...], str]:
    """What was not given, asked for on a terminal, each until it is right; a usage error where there is none.

    *known* are the ids that are taken; *stores*: with a store's id it need have no endpoint.
    """
    if not on_terminal():
        missing = "--id" if identifier is None else "--domain, --host, --url, --cidr, --user-agent or a store id"
        raise click.UsageError(f"give {missing}; on a terminal it is asked for")
    if identifier is None:
        identifier = _prompt("Id (letters, digits, . _ -)", value_proc=lambda text: _free(text, known))
    name = name or _prompt("Name", default=identifier)
    vendor = vendor or _prompt("Vendor", default="", show_default=False) or None
    domains = list(given["domain"])

    def domain(text: str) -> str:
        if text:
            _endpoint("domain", text, Role.API, (), shadow=False)
        elif not (domains or stores or any(given.values())):
            raise click.UsageError("an app has one at least")
        return text

    while text := _prompt(
        "Domain, with all below it; NAME,cdn,shared says role and sharing (empty: no more)",
        default="",
        show_default=False,
        value_proc=domain,
    ):
        domains.append(text)
    if not evidence and (from_where := _prompt("Where are they known from", default="", show_default=False)):
        evidence = (from_where,)
    action = action or _prompt("Action", type=click.Choice(["block", "log"]), default="block")
    return identifier, name, vendor, given | {"domain": tuple(domains)}, evidence, action


def _prompt(question: str, **options: Any) -> str:
    """The answer to *question*; asked on standard error, since the layer may go to standard output."""
    return str(click.prompt(question, err=True, **options))


def on_terminal() -> bool:
    """Whether a person can be asked."""
    return sys.stdin.isatty()


def _endpoint(kind: str, text: str, role: Role, evidence: tuple[str, ...], *, shadow: bool) -> Endpoint:
    """The endpoint in `TEXT[,ROLE][,shared]`; a usage error where it is none."""
    roles = {each.value for each in Role}
    shared = False
    while (words := text.rpartition(","))[1] and words[2].strip() in roles | {"shared"}:
        word = words[2].strip()
        text = words[0]
        if word == "shared":
            shared = True
        else:
            role = Role(word)
    try:
        match kind:
            case "domain":
                pattern = domains.domain_pattern(domains.domain_name(text))
            case "host":
                pattern = Pattern(Kind.HOST, domains.host_name(text))
            case "url":
                pattern = domains.url_pattern(text)
            case "cidr":
                pattern = domains.cidr_pattern(domains.network(text), None, None)
            case _ if text.strip():
                pattern = Pattern(Kind.USER_AGENT, text)
            case _:
                raise click.UsageError("--user-agent: empty text is part of every User-Agent")
    except Mistake as mistake:
        raise click.UsageError(f"--{kind.replace('_', '-')}: {mistake}") from mistake
    return Endpoint(pattern, role, shared, evidence, shadow)
