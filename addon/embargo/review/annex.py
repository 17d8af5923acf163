"""The annex for a works council as Markdown (`review.privacy` has the facts)."""

from collections.abc import Sequence
from datetime import timedelta

from embargo.core.opening import Opening, Why
from embargo.core.rules import Action, ClientForm, Decrypt, Mode
from embargo.core.sink import Sink
from embargo.review.privacy import CENSUS, MEMORY, NEVER, PERSONAL, READERS, REMAINING, Annex, RuleAccount
from embargo.review.unmet import when

_OPENED = {
    Decrypt.ALL: "Every TLS connection is opened, of innocent hosts too, save those below `never opened`.",
    Decrypt.NEEDED: "TLS is opened only at the names below, where what is inside can turn the verdict into block. All "
    "other TLS is tunnelled untouched, end to end.",
    Decrypt.NONE: "No TLS is opened. Hosts are judged by the names that connections show by themselves.",
}
_WHY = {
    Why.PAGE: "the name is banned; a browser is shown the block page inside, and nothing is opened upstream",
    Why.PATH: "a path there is banned, which only what is inside tells; requests for other paths pass unrecorded",
    Why.INSIDE: "requests inside are banned",
}
_CLIENTS = {
    ClientForm.FULL: "- The client's address stands in full records (settings.privacy.client is full).",
    ClientForm.TRUNCATED: "- Of the client's address only its network stands in records, /24 of IPv4 and /48 of IPv6, "
    "and no port (settings.privacy.client is truncated).",
    ClientForm.PSEUDONYM: "- In place of the client's address a keyed pseudonym stands in records, and no port "
    "(settings.privacy.client is pseudonym).",
}
_UNKNOWN = {
    Action.LOG: "Connections of no app are recorded, in full, where no protocol explains them or they show nothing but "
    "an address (settings.unknown_protocol is log).",
    Action.BLOCK: "Connections of no app are refused and recorded, in full, where no protocol explains them or they "
    "show nothing but an address (settings.unknown_protocol is block).",
    Action.ALLOW: "Connections of no app leave no record, whatever they are (settings.unknown_protocol is allow).",
}


def markdown(annex: Annex) -> list[str]:
    """*annex* as people read it, a line each."""
    policy, settings = annex.policy, annex.policy.settings
    title = f" at {settings.organization}" if settings.organization else ""
    lines = [
        f"# What the proxy opens and records{title}",
        "",
        f"Of the policy `{policy.digest}` ({', '.join(policy.files)}) as of {when(annex.time)}, made by `embargo "
        "privacy`.",
        "",
        "## What is opened, and why",
        "",
        *_opened(annex),
        "",
        "## What is recorded about whom",
        "",
        "What no app of the catalogue owns passes without a record. Recorded is what an app owns, by the rules below,"
        " and what is refused because it cannot be read or judged.",
    ]
    if settings.mode is Mode.MONITOR:
        lines.append("Nothing is refused (mode: monitor): what a rule would block passes and is recorded as such.")
    lines += [
        _UNKNOWN[settings.unknown_protocol],
        "",
        "| rule | does | record | apps | about |",
        "| --- | --- | --- | --- | --- |",
        *(_row(rule) for rule in annex.rules),
        f"| default | {settings.default} | full | {_listed(annex.by_default)} | whoever no rule is for |",
        "",
        f"- A full record holds, where known: {_codes((*PERSONAL, *REMAINING))}.",
        f"- An anonymous record leaves out: {_codes(PERSONAL)}. Records of one connection stay linked by "
        "`embargo.connection`.",
        _query(settings.query_values),
        _CLIENTS[settings.client],
        f"- Never recorded: {'; '.join(NEVER)}.",
        "",
        *_census(settings.census),
        "",
        "Kept in memory alone, and lost when the proxy ends:",
        "",
        *(f"- {text}" for text in MEMORY),
        "",
        "## For how long",
        "",
        f"{_span(settings.log.retention)} (settings.log.retention), then whole files of the log are deleted. A file "
        f"is closed after {_span(settings.log.rotate_age)}, so its oldest record may be kept for that much longer. "
        "The policies that were in force stay beside the log (`policies/`) and are not "
        "deleted; they hold the users and addresses of their groups.",
        "",
        f"{_span(settings.log.kept_for(audit=True))} (settings.log.audit_retention): who changed what, who signed in "
        "to the console, who took records out.",
        "",
        *_sent(settings.log.sinks),
        "## Who can see it",
        "",
        *(f"- {text}" for text in READERS),
    ]
    return lines


def _census(counted: bool) -> list[str]:
    if not counted:
        return ["What passes is not counted by host either (settings.census is false)."]
    return [
        "What passes is counted by host (settings.census is true), so that a change of the policy can be tried on it"
        " beforehand. The census holds:",
        "",
        *(f"- {text}" for text in CENSUS),
    ]


def _opened(annex: Annex) -> list[str]:
    settings = annex.policy.settings
    lines = [_OPENED[settings.decrypt]]
    if settings.mode is Mode.MONITOR and settings.decrypt is Decrypt.NEEDED:
        lines.append("For now none is (mode: monitor): nothing would be blocked, so nothing needs to be seen.")
    for why, reason in _WHY.items():
        found = [each for each in annex.openings if each.why is why]
        if not found:
            continue
        lines += ["", f"Because {reason}:", ""]
        names: dict[str, list[Opening]] = {}
        for each in found:
            names.setdefault(each.name + (" and all below it" if each.below else ""), []).append(each)
        for name, reasons in names.items():
            rules = dict.fromkeys(f"{each.app}, rule {each.rule}" for each in reasons)
            lines.append(f"- {name} ({'; '.join(rules)})")
    if annex.policy.lists and settings.decrypt is not Decrypt.NONE:
        count = sum(names.count for names in annex.policy.lists)
        lines += ["", f"{count} names of lists (endpoints_from) are opened for the block page alone, where banned."]
    if settings.never_decrypt:
        lines += ["", "Never opened (settings.never_decrypt), whatever else holds:", ""]
        lines += [f"- {pattern.text}" for pattern in settings.never_decrypt]
    lines += ["", "A CA with name constraints may open less; `embargo ca show` tells what it permits."]
    return lines


def _row(rule: RuleAccount) -> str:
    action = f"{rule.action}{', shadow: noted only' if rule.shadow else ''}"
    record = "**anonymous**" if rule.anonymous else "full"
    return f"| {rule.id} | {action} | {record} | {_listed(rule.apps)} | {_cell(rule.about)} |"


def _listed(apps: Sequence[str]) -> str:
    return ", ".join(apps) or "none"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _codes(fields: Sequence[str]) -> str:
    return ", ".join(f"`{field}`" for field in fields)


def _query(values: bool) -> str:
    if values:
        return (
            "- Values of a URL's query are **recorded** (settings.privacy.query is keep): search terms and tokens too."
        )
    return "- Values of a URL's query are not recorded: `?token=<redacted>`."


def _sent(sinks: Sequence[Sink]) -> list[str]:
    """To whom records go besides."""
    sent = [sink for sink in sinks if sink.enabled]
    if not sent:
        return ["Records are sent to nobody (settings.log.sinks names none).", ""]
    lines = [
        f"- {sink.id}: to {sink.to}, as {sink.format}{f', of these: {sink.filter}' if sink.filter else ''}"
        for sink in sent
    ]
    return ["Records are sent to receivers, which keep them as they have it:", "", *lines, ""]


def _span(seconds: float) -> str:
    span = timedelta(seconds=seconds)
    if span >= timedelta(days=2) and span.seconds == 0:
        return f"{span.days} days"
    hours = seconds / 3600
    return f"{hours:g} hours" if hours >= 1 else f"{seconds:g} seconds"
