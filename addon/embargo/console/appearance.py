"""How one account's browser wants the pages: theme, zone of the times, keys. In a cookie that only the server reads.

A theme that a script set would flash, so the server writes it into the page; without JavaScript a form changes it.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Self

COOKIE = "embargo_display"
THEMES = (("auto", "as the system"), ("light", "light"), ("dark", "dark"))
ZONES = (("utc", "UTC"), ("site", "the site's zone"), ("browser", "this browser's zone"))
_LABELS = {"utc": "UTC", "site": "site", "browser": "browser"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Appearance:
    """What was chosen, and the site's zone for those who chose that."""

    theme: str = "auto"
    zone: str = "utc"
    keys: bool = True  # keys of single letters (WCAG 2.1.4: they can be turned off)
    site: tzinfo = UTC  # settings.timezone of the policy

    themes = THEMES
    zones = ZONES

    @classmethod
    def read(cls, cookie: str | None, site: tzinfo = UTC) -> Self:
        """What *cookie* says; what it does not say, or says wrongly, is as at first."""
        theme, zone, keys = [*(cookie or "").split("."), "", "", ""][:3]
        return cls(
            theme=theme if theme in dict(THEMES) else "auto",
            zone=zone if zone in dict(ZONES) else "utc",
            keys=keys != "off",
            site=site,
        )

    def cookie(self) -> str:
        """The cookie's value."""
        return f"{self.theme}.{self.zone}.{'on' if self.keys else 'off'}"

    @property
    def zone_label(self) -> str:
        """A word for the head of the page."""
        return _LABELS[self.zone]

    @property
    def zone_name(self) -> str:
        """The zone by name: what the foot of each page says."""
        if self.zone == "site":
            return str(self.site)
        return "UTC" if self.zone == "utc" else "this browser's zone (UTC without JavaScript)"

    @property
    def typed(self) -> tzinfo:
        """The zone of a time that is typed without an offset."""
        return self.site if self.zone == "site" else UTC

    def local(self, instant: datetime) -> datetime:
        """*instant* on the chosen clock; the browser's own is set by its script."""
        return instant.astimezone(self.typed)

    def shown(self, instant: datetime, *, precise: bool = False) -> str:
        """*instant* for people: `2026-11-29 06:01:15`, with milliseconds and offset where *precise*."""
        local = self.local(instant)
        if not precise:
            return f"{local:%Y-%m-%d %H:%M:%S}"
        return f"{local:%Y-%m-%d %H:%M:%S}.{local.microsecond // 1000:03} {local:%Z}"
