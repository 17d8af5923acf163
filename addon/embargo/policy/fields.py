"""The types of the policy file's values: what each takes, and what an editor is told of it.

Each is a pydantic annotation whose validator returns the core's value or raises the Mistake that an
operator reads. Validation is per field, so ten mistakes are ten problems.
"""

import re
from collections.abc import Callable
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, PlainValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from embargo.core.address import Network
from embargo.core.catalogue import Role
from embargo.core.inquiry import Inquiry, UnreadableRequest, requests
from embargo.core.pattern import Pattern, Protocol
from embargo.core.request import Surface
from embargo.core.rules import Action, Basis, ClientForm, Decrypt, Mode, NewEndpoints, Recording, Respond
from embargo.core.schedule import DAYS
from embargo.core.sink import Address, Batch, SinkFormat
from embargo.core.timeline import State
from embargo.policy import domains, instants, sinks, spelling
from embargo.policy.problem import Mistake, nearest, quoted

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*")  # the subset of RFC 5646 that pages are written in
_CONTACT = re.compile(r"(?:https?://|mailto:|tel:)[^\s<>\"]+|[^\s@<>\"]+@[^\s@<>\"]+", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}|[{}]")
_STORE_ID = {
    "apple": (re.compile(r"[0-9]{1,19}"), "the number in the listing's address"),
    "google_play": (re.compile(r"[A-Za-z]\w*(?:\.[A-Za-z]\w*)+", re.ASCII), "a package name like com.example.app"),
    "microsoft": (re.compile(r"[A-Za-z0-9]{8,32}"), "the product id in the listing's address"),
}  # fmt: skip
_WORST = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}  # of YAML 1.1


def refuse(mistake: Mistake) -> PydanticCustomError:
    """*mistake* as pydantic carries it."""
    context = {"message": mistake.message, "hint": mistake.hint}
    return PydanticCustomError("mistake", "{message}", {**context, "code": mistake.code})


def taking(parse: Callable[[str], object], expected: str = "text") -> PlainValidator:
    """A validator by *parse*, for values that must be text."""

    def validate(value: object) -> object:
        try:
            return parse(_text(value, expected))
        except Mistake as mistake:
            raise refuse(mistake) from None

    return PlainValidator(validate)


def _text(value: object, expected: str) -> str:
    if not isinstance(value, str):
        hint = "quote it to make it text" if isinstance(value, int | float) and expected in ("text", "an id") else ""
        raise Mistake("wrong-type", f"found {quoted(value)}, expected {expected}", hint)
    if not value.strip():
        raise Mistake("empty-text", f"found empty text, expected {expected}", "leave the key out, or fill it in")
    return value


def as_list(value: object) -> object:
    """*value* as a list of one, unless it is a list."""
    return value if isinstance(value, list) else [value]


def single(item: Any) -> BeforeValidator:
    """Takes one *item* where a list of them is wanted."""
    return BeforeValidator(as_list, json_schema_input_type=item | list[item])


NOT_EMPTY = Field(min_length=1)


def _word(kind: type[StrEnum], noun: str) -> PlainValidator:
    words = [member.value for member in kind]

    def parse(text: str) -> StrEnum:
        if text not in words:
            allowed = " and ".join(words) if len(words) == 2 else ", ".join(words)
            verb = "is" if len(words) == 1 else "are"
            raise Mistake(f"unknown-{noun}", f"found {quoted(text)}, allowed {verb} {allowed}", nearest(text, words))
        return kind(text)

    return taking(parse, f"one of {', '.join(words)}")


def _words(kind: type[StrEnum]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": [member.value for member in kind]})


RoleWord = Annotated[Role, _word(Role, "role"), _words(Role)]
ActionWord = Annotated[Action, _word(Action, "action"), _words(Action)]
ModeWord = Annotated[Mode, _word(Mode, "mode"), _words(Mode)]
NewEndpointsWord = Annotated[NewEndpoints, _word(NewEndpoints, "new-endpoints"), _words(NewEndpoints)]
DecryptWord = Annotated[Decrypt, _word(Decrypt, "decrypt"), _words(Decrypt)]
RespondWord = Annotated[Respond, _word(Respond, "respond"), _words(Respond)]
RecordingWord = Annotated[Recording, _word(Recording, "record"), _words(Recording)]
BasisWord = Annotated[Basis, _word(Basis, "basis"), _words(Basis)]
SurfaceWord = Annotated[Surface, _word(Surface, "surface"), _words(Surface)]
StateWord = Annotated[State, _word(State, "state"), _words(State)]
ProtocolWord = Annotated[Protocol, _word(Protocol, "protocol"), _words(Protocol)]


class Day(StrEnum):
    """A day of the week."""

    MON, TUE, WED, THU, FRI, SAT, SUN = DAYS


class Position(StrEnum):
    """Where a layer's rules stand relative to those of earlier layers."""

    BEFORE = "before"
    AFTER = "after"


class QueryValues(StrEnum):
    """What the log keeps of a query's values."""

    REDACT = "redact"
    KEEP = "keep"


class Expectation(StrEnum):
    """The verdict that a test expects."""

    BLOCK = "block"
    LOG = "log"
    ALLOW = "allow"
    PASS = "pass"


DayWord = Annotated[Day, _word(Day, "day"), _words(Day)]
PositionWord = Annotated[Position, _word(Position, "position"), _words(Position)]
QueryWord = Annotated[QueryValues, _word(QueryValues, "query"), _words(QueryValues)]
ClientWord = Annotated[ClientForm, _word(ClientForm, "client"), _words(ClientForm)]
VerdictWord = Annotated[Expectation, _word(Expectation, "verdict"), _words(Expectation)]


def _identifier(text: str) -> str:
    if _ID.fullmatch(text) is None:
        hint = "an id has up to 64 letters a-z, digits, '.', '_' and '-', and begins with a letter or digit"
        raise Mistake("wrong-id", f"{quoted(text)} is no id", hint)
    return text


def _rule_id(text: str) -> str:
    if text == "default":
        raise Mistake("reserved-id", "'default' is what the log calls `settings.default`", "choose another id")
    return _identifier(text)


def _app_id(text: str) -> str:
    if text == "all":
        raise Mistake("reserved-id", "'all' means every app", "choose another id")
    return _identifier(text)


def _language(text: str) -> str:
    if text == "*":  # as in Accept-Language: whoever asks for none of the others
        return ""
    if _LANGUAGE.fullmatch(text) is None:
        raise Mistake("unknown-language", f"found {quoted(text)}, expected a language tag such as en, de or zh-Hans")
    return text.lower()


def _contact(text: str) -> str:
    for found in _PLACEHOLDER.finditer(text):
        if found[1] != "incident":
            raise Mistake("wrong-contact", f"{quoted(found[0])} stands for nothing", "{incident} is the incident's id")
    if _CONTACT.fullmatch(text) is None:
        raise Mistake("wrong-contact", f"found {quoted(text)}, expected a mail address or a URL")
    return text


def _web_address(text: str) -> str:
    if re.fullmatch(r"https?://[^\s<>\"]+", text, re.IGNORECASE) is None:
        raise Mistake("wrong-url", f"found {quoted(text)}, expected a URL that begins with https://")
    return text


def _file(text: str) -> str:
    if "\0" in text:
        raise Mistake("wrong-file", f"{quoted(text)} is no name of a file")
    return text


def _network(text: str) -> Network:
    return domains.network(text)


def _address(text: str) -> Network:
    found = domains.network(text)
    if found.num_addresses != 1:
        raise Mistake("not-an-address", f"found the network {quoted(text)}, expected one address")
    return found


def _request(text: str) -> str:
    try:
        requests(Inquiry(request=text, time=instants.instant("2000-01-01")))
    except UnreadableRequest as refused:
        raise Mistake("unreadable-request", str(refused)) from None
    return text


def store_id(store: str) -> PlainValidator:
    """A validator for ids in *store*; whole numbers are taken as text."""
    form, expected = _STORE_ID[store]

    def validate(value: object) -> str:
        text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(text, str) or form.fullmatch(text) is None:
            hint = "quote it to make it text" if isinstance(value, float) else ""
            raise refuse(Mistake("wrong-store-id", f"found {quoted(value)}, expected {expected}", hint))
        return text

    return PlainValidator(validate)


def _domain(value: object, info: ValidationInfo) -> str:
    whole = bool((info.data or {}).get("whole_suffix", False))  # a short form has no keys beside it
    try:
        return domains.domain_name(_text(value, "a domain"), whole_suffix=whole)
    except Mistake as mistake:
        raise refuse(mistake) from None


def _port(value: object) -> int:
    if type(value) is not int or not 1 <= value <= 65_535:
        raise refuse(Mistake("not-a-port", f"found {quoted(value)}, expected a port from 1 to 65535"))
    return value


def _whole(parse: Callable[[object], int]) -> PlainValidator:
    """A validator by *parse*, for numbers."""

    def validate(value: object) -> int:
        try:
            return parse(value)
        except Mistake as mistake:
            raise refuse(mistake) from None

    return PlainValidator(validate)


def _version(value: object) -> int:
    if type(value) is not int:
        raise refuse(Mistake("wrong-type", f"found {quoted(value)}, expected 1", "write `version: 1`"))
    if value != 1:
        raise refuse(Mistake("unknown-version", f"found version {value}, of which this embargo reads 1"))
    return value


def _status(value: object) -> int | None:
    if value is not None and (type(value) is not int or value not in (403, 451)):
        raise refuse(Mistake("wrong-status", f"found {quoted(value)}, allowed are 403, 451 and null (no refusal)"))
    return None if value is None else int(str(value))


def _or_nothing(word: PlainValidator) -> PlainValidator:
    """A validator that takes null beside what *word* takes."""
    return PlainValidator(lambda value: None if value is None else word.func(value))  # type: ignore[call-arg]


def _words_or_null(kind: type[StrEnum]) -> WithJsonSchema:
    return WithJsonSchema({"enum": [*(member.value for member in kind), None]})


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        meant = _WORST.get(value.lower()) if isinstance(value, str) else None
        hint = f"did you mean {meant}? In YAML 1.2 {value!r} is text" if meant else ""
        raise refuse(Mistake("wrong-type", f"found {quoted(value)}, expected true or false", hint))
    return value


def _bounded(parse: Callable[[str], Any], least: float, at_least: str) -> Callable[[str], Any]:
    def bounded(text: str) -> Any:
        value = parse(text)
        if value < least:
            raise Mistake("too-small", f"found {quoted(text)}, of which at least {at_least} is needed")
        return value

    return bounded


def _flush(text: str) -> float:
    seconds = instants.duration(text)
    if seconds > 60:
        raise Mistake(
            "too-large-value", f"found {quoted(text)}, of which at most 60s is allowed", "a crash loses that much"
        )
    return seconds


Switch = Annotated[bool, PlainValidator(_switch), WithJsonSchema({"type": "boolean"})]
Text = Annotated[str, taking(str), WithJsonSchema(spelling.TEXT)]
Id = Annotated[str, taking(_identifier, "an id"), WithJsonSchema(spelling.ID)]
RuleId = Annotated[str, taking(_rule_id, "an id"), WithJsonSchema(spelling.RULE_ID)]
AppId = Annotated[str, taking(_app_id, "an id"), WithJsonSchema(spelling.APP_ID)]
Language = Annotated[str, taking(_language), WithJsonSchema(spelling.LANGUAGE)]
Contact = Annotated[str, taking(_contact), WithJsonSchema(spelling.CONTACT)]
WebAddress = Annotated[str, taking(_web_address, "a URL"), WithJsonSchema(spelling.WEB_ADDRESS)]
FileName = Annotated[str, taking(_file, "the name of a file"), WithJsonSchema(spelling.FILE)]
Instant = Annotated[datetime, taking(instants.instant, "a date or time"), WithJsonSchema(spelling.INSTANT)]
Moment = Annotated[datetime, taking(instants.moment, "a date or time"), WithJsonSchema(spelling.INSTANT)]
CalendarDay = Annotated[date, taking(instants.day, "a date"), WithJsonSchema(spelling.DAY)]
Hours = Annotated[tuple[int, int], taking(instants.hours, "hours"), WithJsonSchema(spelling.HOURS)]
Timezone = Annotated[ZoneInfo, taking(instants.timezone, "a time zone"), WithJsonSchema(spelling.TIMEZONE)]
Flush = Annotated[float, taking(_flush, "a duration"), WithJsonSchema(spelling.DURATION)]
Age = Annotated[float, taking(_bounded(instants.duration, 60, "1m"), "a duration"), WithJsonSchema(spelling.DURATION)]
CheckpointAge = Annotated[
    float, taking(_bounded(instants.duration, 1, "1s"), "a duration"), WithJsonSchema(spelling.DURATION)
]
Retention = Annotated[
    float, taking(_bounded(instants.duration, 86_400, "1d"), "a duration"), WithJsonSchema(spelling.DURATION)
]
Size = Annotated[int, taking(_bounded(instants.size, 65_536, "64KiB"), "a size"), WithJsonSchema(spelling.SIZE)]
DomainName = Annotated[str, PlainValidator(_domain), WithJsonSchema(spelling.DOMAIN)]
HostName = Annotated[str, taking(domains.host_name, "a host name"), WithJsonSchema(spelling.HOST)]
UrlText = Annotated[Pattern, taking(domains.url_pattern, "host and path"), WithJsonSchema(spelling.URL)]
NetworkText = Annotated[Any, taking(_network, "a network"), WithJsonSchema(spelling.NETWORK)]
AddressText = Annotated[Any, taking(_address, "an address"), WithJsonSchema(spelling.ADDRESS)]
RequestText = Annotated[str, taking(_request, "a URL, a host or an address"), WithJsonSchema(spelling.REQUEST)]
SinkFormatWord = Annotated[SinkFormat, _word(SinkFormat, "format"), _words(SinkFormat)]
BatchWord = Annotated[Batch, _word(Batch, "batch"), _words(Batch)]
SinkAddress = Annotated[Address, taking(sinks.address, "an address"), WithJsonSchema(spelling.SINK)]
AbsoluteFile = Annotated[str, taking(sinks.absolute, "the path of a file"), WithJsonSchema(spelling.ABSOLUTE_FILE)]
Facility = Annotated[int, _whole(sinks.facility), WithJsonSchema(spelling.FACILITY)]
Count = Annotated[int, _whole(sinks.count), WithJsonSchema(spelling.COUNT)]
Port = Annotated[int, PlainValidator(_port), WithJsonSchema(spelling.PORT)]
Version = Annotated[int, PlainValidator(_version), WithJsonSchema(spelling.VERSION)]
Would = Annotated[Action | None, _or_nothing(_word(Action, "verdict")), _words_or_null(Action)]
Response = Annotated[Respond | None, _or_nothing(_word(Respond, "respond")), _words_or_null(Respond)]
Recorded = Annotated[Recording | None, _or_nothing(_word(Recording, "record")), _words_or_null(Recording)]
Status = Annotated[int | None, PlainValidator(_status), WithJsonSchema(spelling.STATUS)]
AppleId = Annotated[str, store_id("apple"), WithJsonSchema(spelling.APPLE_ID)]
PlayId = Annotated[str, store_id("google_play"), WithJsonSchema(spelling.PLAY_ID)]
MicrosoftId = Annotated[str, store_id("microsoft"), WithJsonSchema(spelling.MICROSOFT_ID)]
