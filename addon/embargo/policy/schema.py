"""The policy file as models: what keys there are, what each takes, what an editor says of it."""

from typing import Annotated, Any

from pydantic import Discriminator, Field, Tag, model_validator

from embargo.policy.anchors import anchor
from embargo.policy.fields import (
    NOT_EMPTY,
    AbsoluteFile,
    ActionWord,
    AddressText,
    Age,
    AppId,
    AppleId,
    BasisWord,
    BatchWord,
    CalendarDay,
    CheckpointAge,
    ClientWord,
    Contact,
    Count,
    DayWord,
    DecryptWord,
    Facility,
    FileName,
    Flush,
    Hours,
    Id,
    Instant,
    Language,
    MicrosoftId,
    ModeWord,
    Moment,
    NetworkText,
    NewEndpointsWord,
    PlayId,
    PositionWord,
    QueryWord,
    Recorded,
    RecordingWord,
    RequestText,
    RespondWord,
    Response,
    Retention,
    RoleWord,
    RuleId,
    SinkAddress,
    SinkFormatWord,
    Size,
    StateWord,
    Status,
    SurfaceWord,
    Switch,
    Text,
    Timezone,
    VerdictWord,
    Version,
    WebAddress,
    Would,
    refuse,
    single,
)
from embargo.policy.patterns import FORMS, MARK, EndpointForms, ExcludeForms, HostPattern, Model, TunnelPattern
from embargo.policy.problem import Mistake
from embargo.policy.sinks import contradiction


class SinkForm(Model):
    """Where records go besides the log."""

    to: SinkAddress = Field(
        description="udp, tcp, tls, relp, relps://HOST:PORT (syslog), http or https://HOST:PORT/PATH, or a file's path."
    )
    enabled: Switch = Field(True, description="false: as if it were not there.")
    format: SinkFormatWord | None = Field(None, description="ecs (the default), ocsf, cef, eve or syslog.")
    filter: Text | None = Field(None, description="Which records, in the terms of `embargo log`; by default every one.")
    batch: BatchWord | None = Field(None, description="Of HTTP: lines (the default), elasticsearch, splunk or loki.")
    index: Text | None = Field(None, description="Of Elasticsearch: the index or data stream.")
    token_file: AbsoluteFile | None = Field(None, description="A file with what the Authorization header says.")
    ca_file: AbsoluteFile | None = Field(None, description="The receiver's CA (PEM); by default the system's.")
    certificate: AbsoluteFile | None = Field(None, description="Our own certificate (PEM), for a receiver that asks.")
    key_file: AbsoluteFile | None = Field(None, description="Its key; by default in the same file.")
    facility: Facility | None = Field(None, description="Of syslog; 13, log audit, by default.")
    enterprise: Count | None = Field(None, description="Of syslog: your private enterprise number.")
    rotate_size: Size | None = Field(None, description="Of a file: begin a new one from this size on, such as 64MiB.")
    rotate_keep: Count | None = Field(None, description="Of a file: how many rotated ones stay.")

    @model_validator(mode="after")
    def _consistent(self) -> "SinkForm":
        if (mistake := contradiction(self.said)) is not None:
            raise refuse(mistake)
        return self

    @property
    def said(self) -> dict[str, Any]:
        """The keys that have a value."""
        return {key: value for key in type(self).model_fields if (value := getattr(self, key)) is not None}


class AnchorForm(Model):
    """Where the log's checkpoints go, so that a cut or rewritten log is found: one of file, syslog and http."""

    file: AbsoluteFile | None = Field(None, description="Append them to this file, on another system's disk.")
    syslog: Text | None = Field(None, description="Send them to the syslog server HOST:PORT, over TCP.")
    http: WebAddress | None = Field(None, description="POST them to this URL, one JSON object a line.")
    tls: Switch | None = Field(None, description="Of syslog: whether inside TLS; false by default.")
    token_file: AbsoluteFile | None = Field(None, description="Of http: a file with what Authorization says.")
    ca_file: AbsoluteFile | None = Field(None, description="The receiver's CA (PEM); by default the system's.")
    certificate: AbsoluteFile | None = Field(None, description="Our own certificate (PEM), for a receiver that asks.")
    key_file: AbsoluteFile | None = Field(None, description="Its key; by default in the same file.")

    @model_validator(mode="after")
    def _is_one(self) -> "AnchorForm":
        try:
            anchor(self.said)
        except Mistake as mistake:
            raise refuse(mistake) from None
        return self

    @property
    def said(self) -> dict[str, Any]:
        """The keys that have a value."""
        return {key: value for key in type(self).model_fields if (value := getattr(self, key)) is not None}


class CheckpointForm(Model):
    """How often the log's seal is signed."""

    records: Count | None = Field(None, description="After this many records at most, such as 1000.")
    age: CheckpointAge | None = Field(None, description="This long after a record at most, such as 60s.")


class LogForm(Model):
    """How the decision log is kept."""

    flush: Flush | None = Field(None, description="The most that a crash can lose, such as 200ms.")
    rotate_size: Size | None = Field(None, description="Begin a new file from this size on, such as 256MiB.")
    rotate_age: Age | None = Field(None, description="Begin a new file from this age on, such as 1d.")
    retention: Retention | None = Field(None, description="Delete whole files that are older, such as 365d.")
    audit_retention: Retention | None = Field(
        None, description="The same of the audit files: what commands and the console change; by default as retention."
    )
    checkpoint: CheckpointForm | None = Field(None, description="How often the log's seal is signed.")
    sinks: dict[Id, SinkForm] = Field({}, description="Where records go besides the log, by a name of yours.")
    anchors: Annotated[list[AnchorForm], single(AnchorForm)] | None = Field(
        None, description="Where the seal's checkpoints go: on systems that this host cannot change."
    )


class PrivacyForm(Model):
    """How much of who and what the log keeps."""

    query: QueryWord | None = Field(None, description="Values of a URL's query: redact (the default) or keep.")
    client: ClientWord | None = Field(
        None, description="The client's address: full (the default), truncated, or pseudonym."
    )


class SettingsForm(Model):
    """What holds for the whole policy; a later layer merges into it key by key."""

    mode: ModeWord | None = Field(None, description="enforce, or monitor: log what would have been blocked.")
    default: ActionWord | None = Field(None, description="What an app's traffic gets when no rule holds.")
    decrypt: DecryptWord | None = Field(None, description="Which TLS is opened; the rest is tunnelled untouched.")
    never_decrypt: Annotated[list[TunnelPattern], single(TunnelPattern)] | None = Field(
        None, description="Never opened, whatever decrypt says."
    )
    unknown_protocol: ActionWord | None = Field(
        None, description="What no app owns, in a protocol that is not read: block, log or allow."
    )
    bound_by: Annotated[list[Id], single(Id)] | None = Field(
        None, description="Authorities that bind this organization by law: only these give status 451."
    )
    organization: Text | None = Field(None, description="Shown on the block page.")
    contact: Contact | None = Field(None, description="Shown on the block page: an address or a URL, with {incident}.")
    timezone: Timezone | None = Field(None, description="Of schedules that name none, such as Europe/Berlin.")
    log: LogForm | None = Field(None, description="How the decision log is kept.")
    privacy: PrivacyForm | None = Field(None, description="How much of who and what the log keeps.")
    new_endpoints: NewEndpointsWord | None = Field(
        None, description="How endpoints of a newer catalogue come in: shadow (on trial, the default) or enforce."
    )
    census: Switch | None = Field(
        None, description="Whether the hosts that pass are counted, without a client or path; true by default."
    )


class AuthorityForm(Model):
    """An order, statute or ruling that names apps."""

    title: Text | None = Field(None, description="Its name in full; by default the id.")
    jurisdiction: Text | None = Field(None, description="Whose law it is, such as US.")
    url: WebAddress | None = Field(None, description="Where its text is.")
    reviewed: CalendarDay | None = Field(None, description="When a person last checked the timeline.")
    timeline: dict[Instant, StateWord] = Field({}, description="Its state from each date on.")


class StoresForm(Model):
    """Ids of the app in the app stores; its listings there become url endpoints of role store."""

    apple: Annotated[list[AppleId], single(AppleId)] = Field([], description="Numbers in the App Store.")
    google_play: Annotated[list[PlayId], single(PlayId)] = Field([], description="Package names on Google Play.")
    microsoft: Annotated[list[MicrosoftId], single(MicrosoftId)] = Field([], description="Microsoft product ids.")


class AppForm(Model):
    """An app: what it is called, who names it, where it is met."""

    extend: Switch = Field(
        False, description="Add to the app of this id in an earlier layer, in place of replacing it."
    )
    name: Text | None = Field(None, description="Shown to people; by default the id.")
    vendor: Text | None = Field(None, description="Who makes it.")
    named_in: Annotated[list[Id], single(Id)] = Field([], description="Authorities that name it.")
    endpoints: Annotated[EndpointForms, NOT_EMPTY] | None = Field(None, description="Where the app is met.")
    endpoints_from: Annotated[list[FileName], single(FileName), NOT_EMPTY] | None = Field(
        None, description="Plain lists, one domain a line, relative to this file."
    )
    exclude: ExcludeForms = Field([], description="Never this app, though an endpoint covers it.")
    stores: StoresForm | None = Field(None, description="Ids in the app stores.")


class GroupForm(Model):
    """Clients and users under one name; a member is who matches any of them."""

    clients: Annotated[list[NetworkText], single(NetworkText)] | None = Field(
        None, description="Addresses and networks."
    )
    users: Annotated[list[Text], single(Text)] | None = Field(
        None, description="Names as proxy authentication has them."
    )


class SelectorForm(Model):
    """Apps by what they have in common."""

    named_in: Annotated[list[Id], single(Id), NOT_EMPTY] | None = Field(None, description="Named by any of these.")
    vendor: Annotated[list[Text], single(Text), NOT_EMPTY] | None = Field(None, description="Made by any of these.")

    @model_validator(mode="after")
    def _one(self) -> "SelectorForm":
        if (self.named_in is None) == (self.vendor is None):
            hint = "for apps by either write a list: [{named_in: …}, {vendor: …}]"
            raise refuse(Mistake("wrong-selector", "expected one of named_in and vendor", hint))
        return self


def _selector(value: object) -> str | None:
    if isinstance(value, str):
        return f"{MARK}text"
    return f"{MARK}selector" if isinstance(value, dict) else None


_Selector = Annotated[
    Annotated[Id, Tag(f"{MARK}text")] | Annotated[SelectorForm, Tag(f"{MARK}selector")],
    Discriminator(_selector, custom_error_type="no-form", custom_error_message="named_in,vendor"),
]


class ScheduleForm(Model):
    """When in the week."""

    days: Annotated[list[DayWord], single(DayWord), NOT_EMPTY] | None = Field(None, description="mon to sun.")
    hours: Annotated[list[Hours], single(Hours), NOT_EMPTY] | None = Field(None, description='Such as "22:00-06:00".')
    timezone: Timezone | None = Field(None, description="By default settings.timezone.")

    @model_validator(mode="after")
    def _something(self) -> "ScheduleForm":
        if self.days is None and self.hours is None:
            raise refuse(Mistake("missing-key", "a schedule needs days or hours"))
        return self


def _message(value: object) -> str | None:
    if isinstance(value, str):
        return f"{MARK}text"
    return f"{MARK}languages" if isinstance(value, dict) else None


_Message = Annotated[
    Annotated[Text, Tag(f"{MARK}text")] | Annotated[dict[Language, Text], Tag(f"{MARK}languages"), NOT_EMPTY],
    Discriminator(_message, custom_error_type="no-form", custom_error_message=""),
]


class RuleForm(Model):
    """One line of policy; the first whose criteria all hold decides."""

    id: RuleId = Field(description="Names the rule in the log; a later layer replaces a rule by it.")
    apps: Annotated[list[_Selector], single(_Selector), NOT_EMPTY] = Field(
        description="all, ids, {named_in: ids} or {vendor: name}."
    )
    action: ActionWord = Field(description="block, log or allow.")
    hosts: Annotated[list[HostPattern], single(HostPattern), NOT_EMPTY] | None = Field(
        None, description="The name that is judged lies under one of these."
    )
    roles: Annotated[list[RoleWord], single(RoleWord), NOT_EMPTY] | None = Field(None, description="Of the endpoint.")
    shared: Switch | None = Field(None, description="Whether the endpoint also serves others.")
    surfaces: Annotated[list[SurfaceWord], single(SurfaceWord), NOT_EMPTY] | None = Field(
        None, description="Where the flow is judged."
    )
    groups: Annotated[list[Id], single(Id), NOT_EMPTY] | None = Field(None, description="A member of any.")
    not_groups: Annotated[list[Id], single(Id), NOT_EMPTY] | None = Field(
        None, description="Known to be a member of none."
    )
    users: Annotated[list[Text], single(Text), NOT_EMPTY] | None = Field(None, description="Any of these users.")
    clients: Annotated[list[NetworkText], single(NetworkText), NOT_EMPTY] | None = Field(
        None, description="Addresses and networks."
    )
    schedule: ScheduleForm | None = Field(None, description="When in the week.")
    authority: Annotated[list[StateWord], single(StateWord), NOT_EMPTY] | None = Field(
        None, description="State, at that instant, of an authority that selects the app."
    )
    since: Instant | None = Field(None, alias="from", description="The first instant that counts.")
    until: Instant | None = Field(None, description="The first instant that no longer counts.")
    respond: Annotated[list[RespondWord], single(RespondWord), NOT_EMPTY] | None = Field(
        None, description="How a refusal looks; the first that fits the surface."
    )
    shadow: Switch = Field(False, description="Note what the rule would have done, and go on to the next.")
    final: Switch = Field(False, description="Asked before all rules without it; no later layer opens what it closes.")
    enabled: Switch = Field(True, description="false: as if it were not there.")
    message: _Message | None = Field(None, description="Shown to the client: text, or one for each language.")
    reason: Text | None = Field(None, description="For the log alone.")
    ticket: Text | None = Field(None, description="For the log alone.")
    approved_by: Text | None = Field(
        None, description="For the log; an exception from an order in force needs another than the author."
    )
    author: Text | None = Field(None, description="Who wrote the rule: for the log, and see approved_by.")
    basis: BasisWord | None = Field(
        None, description="By what right an exception from an order in force is made: license, counsel or agency-head."
    )
    record: RecordingWord | None = Field(None, description="full, or anonymous: no client, user or path in the record.")


EXPECTATIONS = ("expect", "app", "rule", "endpoint", "status", "would", "respond", "record")  # of a test, one at least


class CaseForm(Model):
    """A row of a test's table: what it says goes before what the test says for all its rows."""

    name: Text | None = Field(None, description="What it is about, for reports and -k.")
    request: Annotated[list[RequestText], single(RequestText), NOT_EMPTY] | None = Field(
        None, description="A URL, a host or an address; of a list each one is a test."
    )
    surface: SurfaceWord | None = Field(None, description="Judge at this surface alone, such as dns.")
    client: AddressText | None = Field(None, description="The client's address.")
    user: Text | None = Field(None, description="The user.")
    group: Id | None = Field(
        None, description="Judge as a member of this group: its first client, or its first user where it has none."
    )
    at: Moment | None = Field(None, description="Judge as of then; by default now.")
    user_agent: Text | None = Field(None, description="The request's User-Agent.")
    expect: VerdictWord | None = Field(None, description="The verdict.")
    app: Id | None = Field(None, description="The app that decides.")
    rule: Id | None = Field(None, description="The rule that decides, or default.")
    endpoint: Text | None = Field(
        None, description="The endpoint that matches, such as domain:alipay.com or alipay.com."
    )
    status: Status = Field(None, description="HTTP status of the answer; null where nothing is refused.")
    would: Would = Field(None, description="What a shadow rule would have done; null where none held.")
    respond: Response = Field(None, description="How the refusal looks at that surface; null where nothing is refused.")
    record: Recorded = Field(None, description="How it is recorded: full or anonymous; null where no app owns it.")


class TestForm(CaseForm):
    """A request and what the policy must say to it; with cases a table of them."""

    cases: Annotated[list[CaseForm], NOT_EMPTY] | None = Field(
        None, description="Rows: each is a test, and what stands beside `cases` holds for all of them."
    )


class PolicyForm(Model):
    """A policy file, one layer of a policy."""

    version: Version = Field(description="The version of this format.")
    released: CalendarDay | None = Field(None, description="Of a catalogue: the day of its release.")
    include: Annotated[list[FileName], single(FileName)] = Field(
        [], description="Earlier layers, relative to this file."
    )
    settings: SettingsForm | None = Field(None, description="What holds for the whole policy.")
    authorities: dict[Id, AuthorityForm] = Field({}, description="Orders, statutes and rulings, by id.")
    apps: dict[AppId, AppForm] = Field({}, description="The catalogue: apps by id.")
    groups: dict[Id, GroupForm] = Field({}, description="Clients and users, by id.")
    rules_position: PositionWord | None = Field(
        None, description="Where this layer's rules stand relative to those of earlier layers: before, or after."
    )
    rules: list[RuleForm] = Field([], description="The first match decides.")
    tests: list[TestForm] = Field([], description="What the policy must say; run by check, test and each reload.")


_SECTIONS: dict[str, type[Model]] = {
    "apps": AppForm,
    "authorities": AuthorityForm,
    "groups": GroupForm,
    "rules": RuleForm,
    "tests": TestForm,
}
_BLOCKS: dict[str, type[Model]] = {
    "settings": SettingsForm,
    "log": LogForm,
    "checkpoint": CheckpointForm,
    "privacy": PrivacyForm,
    "schedule": ScheduleForm,
    "stores": StoresForm,
}


def keys_beside(location: tuple[Any, ...]) -> list[str]:
    """The keys that a mapping may have in which pydantic found the unknown one at *location*."""
    parent = location[:-1]
    model: type[Model] = PolicyForm
    if parent:
        last = parent[-1]
        if last == f"{MARK}selector":
            model = SelectorForm
        elif last in FORMS:
            model = FORMS[last]
        elif len(parent) > 1 and parent[-2] == "sinks":
            model = SinkForm
        elif "anchors" in parent:
            model = AnchorForm
        elif parent[0] == "tests" and "cases" in parent:
            model = CaseForm
        elif len(parent) == 2:
            model = _SECTIONS.get(parent[0], _BLOCKS.get(last, PolicyForm))
        else:
            model = _BLOCKS.get(last, PolicyForm)
    return [field.alias or name for name, field in model.model_fields.items()]
