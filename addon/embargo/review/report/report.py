"""All that a report says of a period, as one value."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from embargo.review.devices import Device
from embargo.review.enforcement import Enforcement, State
from embargo.review.report.blind_spots import BlindSpot
from embargo.review.report.catalogue_age import CatalogueAge
from embargo.review.report.interventions import Interventions
from embargo.review.report.orders import Order
from embargo.review.report.period import Period
from embargo.review.report.policies import Edit, InForce
from embargo.review.report.probed import Probed
from embargo.review.report.proof import Proof
from embargo.review.report.tallies import Tallies


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Records that never reached the disk."""

    time: datetime
    count: int
    since: datetime | None
    reason: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A period, told whole. Masked, it names no client and no user."""

    period: Period
    made: datetime
    version: str  # of embargo
    organization: str | None
    tallies: Tallies
    enforcement: Enforcement
    policies: tuple[InForce, ...]
    edits: tuple[Edit, ...]
    interventions: Interventions
    blind_spots: tuple[BlindSpot, ...]
    unseen: tuple[str, ...]  # what the policy leaves unseen, in sentences
    losses: tuple[Loss, ...]
    begins: datetime | None  # of the log: its first record; None: it has none
    broken: int  # lines of the log that could not be read
    devices: tuple[Device, ...]
    orders: tuple[Order, ...]
    orders_by: str | None  # digest of the policy that `orders` is told by; None: no policy could be read
    catalogue: CatalogueAge | None
    names: dict[str, str]  # of apps, by id
    proof: Proof
    probe: Probed | None = None
    masked: bool = False

    @property
    def edits_refused(self) -> tuple[Edit, ...]:
        """Those that never took effect."""
        return tuple(edit for edit in self.edits if not edit.accepted)

    @property
    def share_since(self) -> float | None:
        """The share enforced of the time since the log begins; None where that is the whole period, or none of it."""
        if self.begins is None or not self.period.start < self.begins < self.enforcement.end:
            return None
        enforced = sum(
            (
                max(each.end - max(each.begin, self.begins), timedelta())
                for each in self.enforcement.site.of(State.ENFORCED)
            ),
            timedelta(),
        )
        return enforced / (self.enforcement.end - self.begins)

    @property
    def lost(self) -> int:
        """Records that are known to be missing."""
        return sum(loss.count for loss in self.losses)

    def name(self, app: str) -> str:
        """The app's name, for people; its id where no policy names it."""
        return self.names.get(app, app)
