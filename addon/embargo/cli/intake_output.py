"""How `embargo apps import` words what it made of lists: for people on standard error, for machines as JSON."""

from collections import Counter
from collections.abc import Sequence

from embargo.cli.findings import counted, problem_object
from embargo.cli.layer_file import say
from embargo.cli.output import Json, echo_problems, printable
from embargo.review.list_intake import Intake, ReadList

_MOST_SHOWN = 20  # of each kind that are printed for people; --json has them all


def show(lists: Sequence[ReadList], intake: Intake, *, trial: bool) -> None:
    """Tell what was found."""
    for one in lists:
        say(f"{one.name}: {one.format}, {counted(len(one.items), 'entry').replace('entrys', 'entries')}, of {one.day}")
    echo_problems(printable(str(problem)) for problem in intake.problems[:_MOST_SHOWN])
    if len(intake.problems) > _MOST_SHOWN:
        say(f"and {counted(len(intake.problems) - _MOST_SHOWN, 'line')} more; --json lists them")
    if intake.problems:
        say(f"refused: {counted(len(intake.problems), 'line')}")
    for what, count in sorted(intake.unsaid.items()):
        say(f"not said by a policy: {what}, {counted(count, 'time')}")
        for sample in intake.samples[what]:
            say(f"  {sample}")
    for note, count in intake.notes.items():
        say(f"note: {note} ({counted(count, 'time')})")
    for words, count in (("twice in the lists", intake.duplicates), ("below another of the lists", intake.covered)):
        if count:
            say(f"left out, {words}: {count}")
    if intake.known:
        say(f"left out, the app has them: {len(intake.known)}")
        for text in intake.known[:_MOST_SHOWN]:
            say(f"  {text}")
    met = Counter((str(each.endpoint), each.overlap, each.app) for each in intake.meetings)
    first = {(str(each.endpoint), each.overlap, each.app): each.other for each in reversed(intake.meetings)}
    for key, count in list(met.items())[:_MOST_SHOWN]:
        endpoint, overlap, app = key
        more = f" and {count - 1} more of it" if count > 1 else ""
        say(f"warning: {endpoint} {overlap} {app} {first[key]}{more}")
    if len(met) > _MOST_SHOWN:
        say(f"and {len(met) - _MOST_SHOWN} more such; --json lists them")
    for exclude in intake.exclude[:_MOST_SHOWN]:
        say(f"warning: {exclude} is excluded by the list: it would never be this app's")
    how = "on trial" if trial else "enforced"
    say(f"{counted(len(intake.endpoints), 'endpoint')} {how}, {counted(len(intake.exclude), 'exclude')}")


def document(lists: Sequence[ReadList], intake: Intake, file: str, *, written: bool) -> dict[str, Json]:
    """What `apps import --json` prints."""
    return {
        "file": file,
        "written": written,
        "lists": [
            {"file": one.name, "format": one.format.value, "source": one.source, "day": one.day.isoformat()}
            for one in lists
        ],
        "endpoints": [str(endpoint) for endpoint in intake.endpoints],
        "exclude": [str(endpoint) for endpoint in intake.exclude],
        "duplicates": intake.duplicates,
        "covered": intake.covered,
        "known": list(intake.known),
        "overlaps": [
            {"endpoint": str(each.endpoint), "how": each.overlap.name.lower(), "app": each.app, "other": each.other}
            for each in intake.meetings
        ],
        "unsaid": dict(intake.unsaid),
        "samples": {what: list(texts) for what, texts in intake.samples.items()},
        "notes": dict(intake.notes),
        "problems": [problem_object(problem) for problem in intake.problems],
    }
