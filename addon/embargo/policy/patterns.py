"""The forms of a pattern in the policy file, each a model: of endpoints, of excludes, of hosts in criteria."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, ValidatorFunctionWrapHandler, WrapValidator

from embargo.core.catalogue import Endpoint, Role
from embargo.core.pattern import Kind, Pattern, Protocol
from embargo.policy.domains import all_plain, cidr_pattern, domain_pattern
from embargo.policy.fields import (
    DomainName,
    HostName,
    NetworkText,
    Port,
    ProtocolWord,
    RoleWord,
    Switch,
    Text,
    UrlText,
    single,
)

MARK = "\0"  # begins each tag of a union, so that no key of a document is taken for one
_WORTH_A_LOOK = 64  # names from which on they are checked in bulk


class Model(BaseModel):
    """A mapping of the policy file: no unknown keys, no conversions."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, arbitrary_types_allowed=True)


class DomainForm(Model):
    """A name and all below it."""

    whole_suffix: Switch = Field(False, description="Take the domain though it is a public suffix or a whole TLD.")
    domain: DomainName = Field(description="The name and all below it.")

    def pattern(self) -> Pattern:
        """The pattern it spells."""
        return domain_pattern(self.domain)


class HostForm(Model):
    """One name alone."""

    host: HostName = Field(description="This name alone, nothing below it.")

    def pattern(self) -> Pattern:
        """The pattern it spells."""
        return Pattern(Kind.HOST, self.host)


class UrlForm(Model):
    """One host and a path."""

    url: UrlText = Field(description="Host, path with * for any characters, optional ?key=value. Seen only inside TLS.")

    def pattern(self) -> Pattern:
        """The pattern it spells."""
        return self.url


class CidrForm(Model):
    """A network."""

    cidr: NetworkText = Field(description="A network such as 203.0.113.0/24, compared with literal addresses.")
    port: Port | None = Field(None, description="This port alone.")
    protocol: ProtocolWord | None = Field(None, description="This transport alone.")

    def pattern(self) -> Pattern:
        """The pattern it spells."""
        return cidr_pattern(self.cidr, self.port, Protocol(self.protocol) if self.protocol else None)


class AgentForm(Model):
    """A client that names itself."""

    user_agent: Text = Field(description="A part of the request's own User-Agent, case-sensitive.")

    def pattern(self) -> Pattern:
        """The pattern it spells."""
        return Pattern(Kind.USER_AGENT, self.user_agent)


class Known(Model):
    """What the catalogue says of a pattern."""

    role: RoleWord = Field(Role.API, description="What it is to the app.")
    shared: Switch = Field(False, description="Also serves others: the default policy only logs it.")
    evidence: Annotated[list[Text], single(Text)] = Field([], description="Where this is known from.")

    def pattern(self) -> Pattern:
        """The pattern it spells."""
        raise NotImplementedError

    def endpoint(self) -> Endpoint:
        """The endpoint it spells."""
        return Endpoint(self.pattern(), self.role, self.shared, tuple(self.evidence))


class DomainExclude(DomainForm, Known):
    """An exclude: a name and all below it."""


class HostExclude(HostForm, Known):
    """An exclude: one name alone."""


class UrlExclude(UrlForm, Known):
    """An exclude: one host and a path."""


class CidrExclude(CidrForm, Known):
    """An exclude: a network."""


class AgentExclude(AgentForm, Known):
    """An exclude: a client that names itself."""


class Tried(Known):
    """What the catalogue says of an endpoint."""

    shadow: Switch = Field(False, description="On trial: what it would do is recorded, and it does nothing.")

    def endpoint(self) -> Endpoint:
        """The endpoint it spells."""
        return Endpoint(self.pattern(), self.role, self.shared, tuple(self.evidence), self.shadow)


class DomainEndpoint(DomainForm, Tried):
    """An endpoint: a name and all below it."""


class HostEndpoint(HostForm, Tried):
    """An endpoint: one name alone."""


class UrlEndpoint(UrlForm, Tried):
    """An endpoint: one host and a path."""


class CidrEndpoint(CidrForm, Tried):
    """An endpoint: a network."""


class AgentEndpoint(AgentForm, Tried):
    """An endpoint: a client that names itself."""


type Kinds = tuple[str, ...]

KINDS: Kinds = ("domain", "host", "url", "cidr", "user_agent")


def _form(kinds: Kinds, prefix: str) -> Callable[[object], str | None]:
    def form(value: object) -> str | None:
        if isinstance(value, str):
            return f"{MARK}text"
        if isinstance(value, dict):
            return next((f"{MARK}{prefix}{kind}" for kind in kinds if kind in value), None)
        return None

    return form


def _discriminator(kinds: Kinds, prefix: str = "") -> Discriminator:
    return Discriminator(_form(kinds, prefix), custom_error_type="no-form", custom_error_message=",".join(kinds))


_ShortForm = Annotated[DomainName, Tag(f"{MARK}text")]
EndpointForm = Annotated[
    _ShortForm
    | Annotated[DomainEndpoint, Tag(f"{MARK}+domain")]
    | Annotated[HostEndpoint, Tag(f"{MARK}+host")]
    | Annotated[UrlEndpoint, Tag(f"{MARK}+url")]
    | Annotated[CidrEndpoint, Tag(f"{MARK}+cidr")]
    | Annotated[AgentEndpoint, Tag(f"{MARK}+user_agent")],
    _discriminator(KINDS, "+"),
]
ExcludeForm = Annotated[
    _ShortForm
    | Annotated[DomainExclude, Tag(f"{MARK}-domain")]
    | Annotated[HostExclude, Tag(f"{MARK}-host")]
    | Annotated[UrlExclude, Tag(f"{MARK}-url")]
    | Annotated[CidrExclude, Tag(f"{MARK}-cidr")]
    | Annotated[AgentExclude, Tag(f"{MARK}-user_agent")],
    _discriminator(KINDS, "-"),
]
HostPattern = Annotated[
    _ShortForm
    | Annotated[DomainForm, Tag(f"{MARK}domain")]
    | Annotated[HostForm, Tag(f"{MARK}host")]
    | Annotated[UrlForm, Tag(f"{MARK}url")]
    | Annotated[CidrForm, Tag(f"{MARK}cidr")],
    _discriminator(("domain", "host", "url", "cidr")),
]
TunnelPattern = Annotated[
    _ShortForm
    | Annotated[DomainForm, Tag(f"{MARK}domain")]
    | Annotated[HostForm, Tag(f"{MARK}host")]
    | Annotated[CidrForm, Tag(f"{MARK}cidr")],
    _discriminator(("domain", "host", "cidr")),
]

FORMS: dict[str, type[Model]] = {
    f"{MARK}+domain": DomainEndpoint,
    f"{MARK}+host": HostEndpoint,
    f"{MARK}+url": UrlEndpoint,
    f"{MARK}+cidr": CidrEndpoint,
    f"{MARK}+user_agent": AgentEndpoint,
    f"{MARK}-domain": DomainExclude,
    f"{MARK}-host": HostExclude,
    f"{MARK}-url": UrlExclude,
    f"{MARK}-cidr": CidrExclude,
    f"{MARK}-user_agent": AgentExclude,
    f"{MARK}domain": DomainForm,
    f"{MARK}host": HostForm,
    f"{MARK}url": UrlForm,
    f"{MARK}cidr": CidrForm,
}  # model by tag, for the keys that an unknown one may have meant


def _in_bulk(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """Take a long list of plain domains as it is; one by one they cost three times as much."""
    if isinstance(value, list) and len(value) >= _WORTH_A_LOOK and set(map(type, value)) == {str} and all_plain(value):
        return list(value)
    return handler(value)


EndpointForms = Annotated[list[EndpointForm], WrapValidator(_in_bulk)]
ExcludeForms = Annotated[list[ExcludeForm], WrapValidator(_in_bulk)]


def pattern_of(form: str | DomainForm | HostForm | UrlForm | CidrForm) -> Pattern:
    """The pattern of *form*, a short one being a domain."""
    return domain_pattern(form) if isinstance(form, str) else form.pattern()


def endpoint_of(form: str | Known) -> Endpoint:
    """The endpoint of *form*, a short one being a domain of role api."""
    return Endpoint(domain_pattern(form)) if isinstance(form, str) else form.endpoint()


type Section = Literal["endpoints", "exclude"]
