"""What one client and user asked of one app in one hour: what tells an installed app from a visited site. Pure."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Counts of requests, by what they say of the app."""

    client: str
    user: str | None = None
    app: str
    hour: datetime  # aware, its beginning
    count: int  # to endpoints of the app alone
    told: int = 0  # of them: to those that an app asks for by itself, by a program that says so
    untold: int = 0  # the same, by nobody knows whom
    visits: int = 0  # by a browser, or to pages
    shared: int = 0  # beside `count`: to endpoints that also serve others, which say nothing of the app
    first: datetime | None = None  # of all of them; None: the hour's beginning
    last: datetime | None = None
