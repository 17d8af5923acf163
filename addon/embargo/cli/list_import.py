"""`embargo apps import`: a layer with what lists of others hold."""

from pathlib import Path

import click

from embargo.blocklists.adguard import ChooseService
from embargo.blocklists.formats import Format
from embargo.cli.findings import counted, now
from embargo.cli.intake_output import document, show
from embargo.cli.layer_file import (
    REFUSED,
    UNUSABLE,
    app_id,
    end,
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
from embargo.cli.options import json_option, policy_option
from embargo.cli.output import echo_json
from embargo.core.rules import Action, NewEndpoints
from embargo.policy.load import load
from embargo.policy.problem import Mistake
from embargo.policy.reading import NotUtf8
from embargo.review.list_intake import ReadList, read_list, take_in
from embargo.review.own_app import OwnApp


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE...")
@id_option
@name_option
@vendor_option
@click.option(
    "--format",
    "form",
    type=click.Choice(["v2fly", "adguard", "clash", "hosts", "plain"]),
    help="Of the files. Default: by what they hold.",
)
@click.option("--service", metavar="ID", help="Of a file of several AdGuard services: which one; the app's id.")
@click.option(
    "--source", metavar="TEXT", help="What evidence calls the list. Default: its title, else its file's name."
)
@click.option(
    "--as", "reading", type=click.Choice(["domain", "host"]), help="Take names with all below them, or alone."
)
@click.option(
    "--action", type=click.Choice([Action.BLOCK.value, Action.LOG.value]), help="What a new app's rule does; block."
)
@message_option
@click.option("--enforce/--shadow", default=None, help="At once, or on trial. Default: settings.new_endpoints.")
@click.option("--strict", is_flag=True, help="Write nothing where a line cannot be read or is refused.")
@policy_option
@out_option
@force_option
@json_option
def importing(
    files: tuple[Path, ...],
    identifier: str | None,
    name: str | None,
    vendor: str | None,
    form: str | None,
    service: str | None,
    source: str | None,
    reading: str | None,
    action: str | None,
    message: str | None,
    enforce: bool | None,
    strict: bool,
    policy: tuple[Path, ...],
    out: Path | None,
    force: bool,
    as_json: bool,
) -> None:
    """Write a layer with the endpoints of somebody else's lists: v2fly, AdGuard, Clash, hosts files, plain lists.

    Each endpoint has its list, day, file and line as evidence. What the app has already is left out; where names meet
    another app's is told; what a policy has no word for (keywords, regular expressions) is counted and shown, never
    guessed; public suffixes are refused. An app that the policy has is extended, a new one gets a rule.

    Example: embargo apps import domain-list-community/data/zoom --id zoom --name Zoom --source v2fly
    """
    if identifier is None:
        raise click.UsageError("say which app it is by --id; an app that the policy has is extended")
    named = app_id(identifier)
    with told():
        judged = load(policy).policy
        lists = [_read(file, Format(form) if form else None, source, service or named) for file in files]
        trial = judged.settings.new_endpoints is NewEndpoints.SHADOW if enforce is None else not enforce
        intake = take_in(lists, judged, named, exact=None if reading is None else reading == "host", shadow=trial)
        known = named in judged.apps
        app = OwnApp(
            id=named,
            name=None if known else name,
            vendor=None if known else vendor,
            endpoints=tuple(intake.endpoints),
            exclude=tuple(intake.exclude),
            action=None if known else Action(action or Action.BLOCK),
            message=None if known else message,
            contested=frozenset(meeting.endpoint.pattern for meeting in intake.meetings),
            head=(
                f"{name or named}: made by `embargo apps import` on {now():%Y-%m-%d}, from",
                *(f"  {one.source} ({one.format}, {one.day})" for one in lists),
            ),
        )
        refused = strict and bool(intake.problems)
        written = not refused and bool(app.endpoints or (known and app.exclude))
        layer = target(out, named)
        if not as_json:
            show(lists, intake, trial=trial)
        if written:
            write(policy, layer, app, force=force, quiet=as_json)
        if as_json:
            echo_json(document(lists, intake, str(layer), written=written))
        if not written:
            why = f"{counted(len(intake.problems), 'line')} refused (--strict)" if refused else "no endpoint is left"
            end(f"{why}; nothing was written", REFUSED)


def _read(file: Path, form: Format | None, source: str | None, service: str) -> ReadList:
    try:
        return read_list(file, form=form, source=source, service=service)
    except Mistake as mistake:
        end(f"{file}: {mistake}", UNUSABLE)
    except NotUtf8 as broken:
        end(f"{file}:{broken.line}:{broken.column}: {broken}", UNUSABLE)
    except ChooseService as several:
        end(f"{file}: {several}; name one by --service: {', '.join(several.services[:50])}", UNUSABLE)
