"""What to mend, as far as what was seen tells it."""

from collections.abc import Iterator

from embargo.core.pattern import Kind
from embargo.core.request import Surface
from embargo.probe.outcome import Outcome
from embargo.probe.report import Report, Result


def mend(report: Report) -> list[str]:
    """What to do about the findings of *report*, the likeliest cause first. Empty where all was refused."""
    return list(_mend(report, report.findings)) if report.findings else []


def _mend(report: Report, findings: list[Result]) -> Iterator[str]:
    by = {outcome: [result for result in findings if result.finding.outcome is outcome] for outcome in Outcome}
    leaked = by[Outcome.LEAKED]
    if by[Outcome.MONITORED] and report.break_glass is not None:
        yield (
            f"break-glass is in force until {report.break_glass}, and nothing is refused: ask again after its end, "
            "or end it with `embargo break-glass --end`"
        )
    elif by[Outcome.MONITORED]:
        yield "the policy monitors and refuses nothing: set `settings.mode: enforce`"
    if leaked:
        yield from _leaks(report, leaked)
    if by[Outcome.FOREIGN]:
        yield (
            "something that is not embargo refused: another proxy before or behind it, or mitmproxy's `block_list`; "
            "embargo's own answer was not seen there, so nothing of it is proven"
        )
    if by[Outcome.UNCLEAR]:
        details = sorted({result.finding.detail for result in by[Outcome.UNCLEAR]})
        yield f"neither refused nor let through ({'; '.join(details[:3])}): ask again, with a longer --timeout"


def _leaks(report: Report, leaked: list[Result]) -> Iterator[str]:
    refused = report.counts[Outcome.REFUSED]
    if report.enforced and report.policy not in report.enforced:
        yield (
            "the proxy enforces another policy than the one that was asked for: see what `embargo status` says of a "
            "refused reload, and start the proxy with these files"
        )
    elif not report.answers and not refused:
        yield (
            "no process with the addon answers, and nothing was refused: the addon is missing. Start `embargo run`, or "
            "mitmproxy with `-s addon/enforce.py`"
        )
    elif not refused:
        yield (
            "the addon runs and nothing was refused: it is not in this proxy's way. Another script may have taken it "
            "out of mitmproxy's chain of addons (look at its `-s` options), or --proxy names another process"
        )
    insides = [r for r in leaked if r.way.name == "inside-tls" and r.target.kind is Kind.URL]
    if insides:
        yield (
            "a URL is seen only inside TLS that is opened: set `settings.decrypt` to `needed` or `all`, take the host "
            "off `never_decrypt`, and look for mitmproxy's `ignore_hosts` and `allow_hosts`"
        )
    beside = {r.way.listener.value for r in leaked} - {"proxy"}
    if beside and refused:
        yield f"what listens for {' and '.join(sorted(beside))} does not refuse: run it in the process with the addon"
    elif any(r.way.surface in (Surface.TLS, Surface.TCP) for r in leaked):
        yield (
            "streams go through tunnels unseen: without the addon mitmproxy's `ignore_hosts`, `allow_hosts`, "
            "`tcp_hosts` and `rawtcp` do that; with it, a script that chooses layers"
        )
