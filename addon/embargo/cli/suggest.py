"""`embargo suggest`: hosts in past traffic that look like unknown parts of an app."""

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from embargo.cli.loading import loaded_policy
from embargo.cli.options import json_option, policy_option
from embargo.cli.output import Json, echo_json, printable
from embargo.cli.past_traffic import items, opened

if TYPE_CHECKING:
    from embargo.review.suggest import Suggestion, Survey

_MOST_TOLD = 3  # pieces that could not be read
_PLAIN = re.compile(r"[a-z][a-z0-9-]*(?:\.[a-z0-9_-]+)+")  # hosts that YAML takes for nothing but a text
_REFUSED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")  # as YAML 1.2, 5.1; and ends of lines


@click.command(
    epilog="""\b
Examples:
  embargo suggest --traffic access.log
  embargo suggest tiktok --traffic monday.flows --traffic tuesday.flows --top 20"""
)
@click.argument("app", metavar="[APP]", required=False)
@click.option(
    "--traffic",
    "traffic",
    multiple=True,
    required=True,
    metavar="SOURCE",
    help="Past traffic that names clients, in order of time: a file or directory that `embargo replay` reads, or - for "
    "standard input; repeat it for more.",
)
@policy_option
@click.option(
    "--top", type=click.IntRange(min=1), default=10, show_default=True, metavar="N", help="At most so many of each app."
)
@json_option
def command(app: str | None, traffic: tuple[str, ...], policy: tuple[Path, ...], top: int, as_json: bool) -> None:
    """Name hosts in past traffic that look like unknown parts of APP, or of any app, with the evidence.

    Met by the same client within seconds of the app's own hosts, more often than by chance; with the app's user agent;
    on a certificate with them; under the same registered name. Nothing is applied: judge each, then paste its line
    into a layer of your own. Exit 0, also where there is nothing to suggest.
    """
    from embargo.policy.problem import nearest
    from embargo.review.suggest import survey

    judged = loaded_policy(policy)
    if app is not None and app not in judged.apps:
        hint = nearest(app, judged.apps)
        raise click.UsageError(f"no app {app!r}; {hint or '`embargo apps` lists them'}")
    found = survey(judged, items(opened(traffic)), [app] if app is not None else None, top=top)
    if as_json:
        for suggestion in found.suggestions:
            document: dict[str, Json] = {**suggestion.document(), "line": _entry(suggestion, found, traffic)}
            echo_json(document)
    else:
        for line in _told(found, traffic):
            click.echo(printable(line))
    for line in _doubts(found, app):
        click.echo(f"note: {printable(line)}", err=True)


def _told(found: "Survey", sources: Sequence[str]) -> Iterator[str]:
    yield f"{found.requests} requests{_span(found)}, {len(found.suggestions)} to judge"
    apps = list(dict.fromkeys(each.app for each in found.suggestions))
    for app in apps:
        yield ""
        yield app
        for each in found.suggestions:
            if each.app == app:
                what = f"{each.name} and all below it ({each.hosts} hosts)" if each.below else each.name
                yield f"  {each.score:4.1f}  {what}"
                for reason in each.reasons():
                    yield f"        {reason}"
    if apps:
        yield ""
        yield "# In a layer of your own, what you have judged to be the app's (`shared: true` where others use it too):"
        yield "apps:"
    for app in apps:
        yield f"  {app}:"
        yield "    extend: true"
        yield "    endpoints:"
        for each in found.suggestions:
            if each.app == app:
                yield f"      - {_entry(each, found, sources)}"


def _entry(suggestion: "Suggestion", found: "Survey", sources: Sequence[str]) -> str:
    """The endpoint as a policy file has it, its evidence filled in."""
    names = ", ".join(Path(name).name for name in sources[:3]) + (" and others" if len(sources) > 3 else "")
    evidence = f"{names}{_span(found)}: {'; '.join(suggestion.reasons())}"
    kind = "domain" if suggestion.below else "host"
    name = suggestion.name if _PLAIN.fullmatch(suggestion.name) else _quoted(suggestion.name)
    return f"{{{kind}: {name}, evidence: [{_quoted(evidence)}]}}"


def _quoted(text: str) -> str:
    """*text* as YAML's double quotes have it: as in JSON, but no half of a pair, and nothing raw that YAML refuses."""
    whole = text.encode(errors="replace").decode()
    return _REFUSED.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(whole, ensure_ascii=False))


def _span(found: "Survey") -> str:
    if found.first is None or found.last is None:
        return ""
    first, last = f"{found.first:%Y-%m-%d}", f"{found.last:%Y-%m-%d}"
    return f" of {first}" if first == last else f" of {first} to {last}"


def _doubts(found: "Survey", app: str | None) -> Iterator[str]:
    """What makes the answer worth less than it looks."""
    if found.unreadable:
        first = "; ".join(f"{each.where}: {each.why}" for each in found.unread[:_MOST_TOLD])
        yield f"{found.unreadable} pieces could not be read: {first}"
    if found.requests and found.without_client == found.requests:
        yield "no request names a client and a time, so nothing is near anything (in a census or a list: never)"
    elif app is not None and not found.bases[app].anchors:
        yield f"nothing of {app} is in this traffic, so nothing can be near it"
