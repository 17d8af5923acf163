"""The members of a line that a row is made of, typed as `Record` takes them; msgspec passes over all others."""

from msgspec import UNSET, Raw, Struct, UnsetType


class Event(Struct, gc=False):
    """Of ECS event."""

    id: str
    sequence: int
    action: str
    category: tuple[str, ...] | None = None
    outcome: str | None = None


class Rule(Struct, gc=False):
    """Of ECS rule."""

    id: str | None = None
    ruleset: str | None = None


class Source(Struct, gc=False):
    """Of ECS source."""

    ip: str | None = None
    address: str | None = None


class Destination(Struct, gc=False):
    """Of ECS destination."""

    domain: str | None = None
    ip: str | None = None
    address: str | None = None


class User(Struct, gc=False):
    """Of ECS user."""

    name: str | None = None


class Agent(Struct, gc=False):
    """Of ECS user_agent."""

    original: str | None = None


class Url(Struct, gc=False):
    """Of ECS url."""

    domain: str | None = None


class Question(Struct, gc=False):
    """Of ECS dns.question."""

    name: str | None = None


class Dns(Struct, gc=False):
    """Of ECS dns."""

    question: Question | UnsetType = UNSET


class Client(Struct, gc=False):
    """Of ECS tls.client."""

    server_name: str | None = None


class Tls(Struct, gc=False):
    """Of ECS tls."""

    client: Client | UnsetType = UNSET


class Related(Struct, gc=False):
    """Of ECS related."""

    hosts: tuple[str, ...] | None = None


class Request(Struct, gc=False):
    """Of ECS http.request."""

    method: str | None = None


class Response(Struct, gc=False):
    """Of ECS http.response."""

    status_code: int | None = None


class Http(Struct, gc=False):
    """Of ECS http."""

    request: Request | UnsetType = UNSET
    response: Response | UnsetType = UNSET


class Trial(Struct, gc=False, frozen=True):
    """Of embargo.trial."""

    app: str
    endpoint: str


class Authority(Struct, gc=False, frozen=True):
    """One of embargo.authority."""

    id: str
    state: str | None = None


class Ours(Struct, gc=False):
    """Of embargo. What many records share comes first: `decoded` takes that much of it as a key."""

    verdict: str | None = None
    would: str | None = None
    surface: str | None = None
    app: tuple[str, ...] | None = None
    shadow_rule: str | None = None
    endpoint: str | None = None
    role: str | None = None
    shared: bool | None = None
    authority: tuple[Authority, ...] = ()
    trial: Trial | None = None
    anonymous: bool | None = None
    mismatch: bool | None = None
    connection: str | None = None  # the first that is not shared
    heartbeat: Raw | UnsetType = UNSET


SHARED = Ours.__struct_fields__.index("connection")  # members


class Line(Struct, gc=False, rename={"time": "@timestamp"}):
    """A record."""

    time: str
    event: Event
    embargo: Ours | UnsetType = UNSET
    rule: Rule | UnsetType = UNSET
    source: Source | UnsetType = UNSET
    destination: Destination | UnsetType = UNSET
    user: User | UnsetType = UNSET
    user_agent: Agent | UnsetType = UNSET
    url: Url | UnsetType = UNSET
    http: Http | UnsetType = UNSET
    dns: Dns | UnsetType = UNSET
    tls: Tls | UnsetType = UNSET
    related: Related | UnsetType = UNSET
