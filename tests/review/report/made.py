"""A report as made by hand: three weeks with all that can happen, and with what nobody would wish to happen."""

from datetime import UTC, date, datetime, timedelta
from random import Random

from embargo.core.timeline import State as OrderState
from embargo.review.devices import Device, Presence
from embargo.review.enforcement import Course, Enforcement, State, Stretch
from embargo.review.report.blind_spots import blind_spots
from embargo.review.report.catalogue_age import CatalogueAge
from embargo.review.report.interventions import Act, Exemption, Interventions, Opening
from embargo.review.report.orders import NEVER_OPENED, NO_EVIDENCE, SHARED, AppUnderOrder, Order, Standing
from embargo.review.report.period import Period
from embargo.review.report.policies import Edit, InForce
from embargo.review.report.probed import Finding, Probed
from embargo.review.report.proof import Proof
from embargo.review.report.report import Loss, Report
from embargo.review.report.tallies import CLASSES, Moment, Ranked, Ranking, Tallies

START = datetime(2026, 11, 2, tzinfo=UTC)
END = START + timedelta(weeks=3)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
HOSTILE = "<script>alert(1)</script>\x1b[31m\u202e'\"=cmd|'/C calc'!A0"
OLD, NEW = "0cc949c0cbc7ce37a659aa9e0b968e24d4750a197cf2945b51f983749f25b92a", "5f" * 32
_NAMES = {"alipay": "Alipay", "wechat": "WeChat", "qq": "Tencent QQ", "vmate": "VMate"}


def made() -> Report:
    """The report."""
    chance = Random(7)
    moments = tuple(
        Moment(
            start=START + DAY * number / 2,
            end=START + DAY * (number + 1) / 2,
            counts={
                "blocked": int(chance.expovariate(1 / 90)) if number % 14 < 10 else 3,
                "would-block": int(chance.expovariate(1 / 40)) if 16 <= number < 22 else 0,
                "logged": int(chance.expovariate(1 / 30)),
                "allowed": chance.choice((0, 0, 0, 4)),
                "shared": 120 + int(chance.random() * 80),
            },
        )
        for number in range(42)
    )
    totals = {key: sum(each.counts[key] for each in moments) for key in CLASSES}
    return Report(
        period=Period(start=START, end=END),
        made=datetime(2026, 11, 23, 9, 30, tzinfo=UTC),
        version="0.1.0",
        organization="Example Corp",
        tallies=Tallies(
            totals=totals,
            moments=moments,
            rankings={
                "app": _ranking("app", *_NAMES.items(), total=totals["blocked"]),
                "client": _ranking("client", *((f"10.20.30.{n}",) * 2 for n in range(1, 8)), total=900, more=True),
                "user": _ranking("user", ("alice", "alice"), (HOSTILE, HOSTILE), total=300),
                "host": _ranking(
                    "host",
                    *(
                        (name, name)
                        for name in (
                            "mobilegw.alipay.com",
                            "short.weixin.qq.com",
                            "a-very-long-name.of.many.labels.that.somebody.made.up.so.that.it.does.not.fit.example.qq.com",
                            HOSTILE,
                        )
                    ),
                    total=700,
                    more=True,
                ),
                "rule": _ranking(
                    "rule", ("banned-apps", "banned-apps"), ("stayed-orders", "stayed-orders"), total=1500
                ),
                "authority": _ranking("authority", ("eo-13971", "Executive Order 13971"), total=1800),
            },
            shared=Ranking(
                dimension="app", rows=(Ranked(key="qq", label="Tencent QQ", counts={"shared": totals["shared"]}),)
            ),
            app_moments={app: moments for app in ("alipay", "wechat", "qq")},
        ),
        enforcement=_enforcement(),
        policies=(
            InForce(
                digest=OLD, start=START, end=START + 9 * DAY, files=("domains.yaml",), modes=("enforced", "monitored")
            ),
            InForce(
                digest=NEW,
                start=START + 9 * DAY,
                end=END,
                files=("domains.yaml", "site.yaml"),
                modes=("enforced", "break-glass"),
            ),
        ),
        edits=_edits(),
        interventions=_interventions(),
        blind_spots=tuple(blind_spots({"not-needed": 18_220, "pinned": 12, "nameless": 340, "never-decrypt": 0})),
        unseen=("Never opened, whatever the rules say: bank.example.",),
        losses=(Loss(time=START + 5 * DAY, count=14, since=START + 5 * DAY - HOUR, reason="no space left on device"),),
        begins=START + HOUR,
        broken=1,
        devices=_devices(),
        orders=_orders(totals),
        orders_by=NEW,
        catalogue=CatalogueAge(
            released=date(2026, 9, 1), days=83, apps=10, endpoints=412, without_evidence=3, unreviewed=("texas",)
        ),
        names=_NAMES,
        proof=Proof(
            whole=True,
            summary="The log is whole: 48,211 records in 4 files, 51 signed checkpoints.",
            transcript=("decisions.jsonl: 48,199 records, sequence 1 to 48,199: fine", "audit.jsonl: 12 records: fine"),
            keys=("9a8b7c6d5e4f3021",),
            warnings=("No anchor was given: whether records were cut off the end cannot be known.",),
        ),
        probe=Probed(
            file="probe.json",
            exit=1,
            proxy="127.0.0.1:8080",
            mode="enforce",
            policy=NEW,
            enforced=(NEW,),
            counts={"refused": 811, "leaked": 1},
            findings=(
                Finding(
                    app="qq",
                    endpoint="url:im.qq.com/download/*",
                    way="https",
                    outcome="leaked",
                    detail="not refused: 200",
                ),
            ),
            unasked=3,
        ),
    )


def _ranking(dimension: str, *things: tuple[str, str], total: int, more: bool = False) -> Ranking:
    rows = tuple(
        Ranked(
            key=key,
            label=label,
            counts={"blocked": total // (place + 1), "would-block": total // (7 * place + 9), "logged": place * 11},
        )
        for place, (key, label) in enumerate(things)
    )
    return Ranking(dimension=dimension, rows=rows, more=more)


def _enforcement() -> Enforcement:
    bounds = [
        (START, START + 4 * DAY, State.ENFORCED, None),
        (
            START + 4 * DAY,
            START + 4 * DAY + 3 * HOUR,
            State.GAP,
            "no worker was running: worker 1 was ended by SIGKILL",
        ),
        (START + 4 * DAY + 3 * HOUR, START + 8 * DAY, State.ENFORCED, None),
        (START + 8 * DAY, START + 11 * DAY, State.MONITORED, None),
        (START + 11 * DAY, START + 11 * DAY + 2 * HOUR, State.BREAK_GLASS, None),
        (START + 11 * DAY + 2 * HOUR, END, State.ENFORCED, None),
    ]
    course = Course(stretches=tuple(Stretch(begin=b, end=e, state=s, why=w) for b, e, s, w in bounds))
    return Enforcement(begin=START, end=END, site=course, workers={"proxy1": course})


def _edits() -> tuple[Edit, ...]:
    return (
        Edit(
            time=START + 9 * DAY,
            id="019dc9a8-0000-7000-8000-0000000000e1",
            old=OLD,
            new=NEW,
            accepted=True,
            stricter=("qq: rule banned-apps blocks it instead of logging it",),
            stricter_count=1,
        ),
        Edit(
            time=START + 10 * DAY,
            id="019dc9a8-0000-7000-8000-0000000000e2",
            old=NEW,
            new=None,
            accepted=False,
            problems=(f"site.yaml:41:13: unknown-role apps.alipay.endpoints[1].role: found {HOSTILE!r}",),
        ),
    )


def _interventions() -> Interventions:
    return Interventions(
        exemptions=(
            Exemption(
                time=START + 2 * DAY,
                id="except-20261104-alipay",
                event="019dc9a8-0000-7000-8000-0000000000e3",
                apps=("alipay",),
                whom=("alice",),
                until="2026-11-05T12:00:00Z",
                reason="press review",
                ticket="LEGAL-12",
                granted_by="bob",
                approved_by="carol",
                basis="counsel",
                against=("texas",),
            ),
            Exemption(
                time=START + 3 * DAY,
                id="except-20261105-qq",
                event="019dc9a8-0000-7000-8000-0000000000e4",
                apps=("qq",),
                whom=(),
                reason=HOSTILE,
                granted_by=HOSTILE,
                ended=START + 4 * DAY,
            ),
        ),
        openings=(
            Opening(
                time=START + 11 * DAY,
                id="g1",
                until="2026-11-13T02:00:00Z",
                author="alice",
                reason="payroll is blocked",
                ticket="INC-4711",
            ),
        ),
        acts=(
            Act(
                time=START + 12 * DAY,
                event="e5",
                action="catalogue-updated",
                who="bob",
                reason="release of 2026-09-01",
                outcome="success",
            ),
        ),
    )


def _devices() -> tuple[Device, ...]:
    return (
        Device(
            client="10.20.30.1",
            user="alice",
            app="alipay",
            presence=Presence.INSTALLED,
            first=START + HOUR,
            last=START + 5 * DAY,
            attempts=4120,
            machine_hours=88,
            gone=True,
            silent=False,
        ),
        Device(
            client="10.20.30.2",
            user=HOSTILE,
            app="qq",
            presence=Presence.VISITED,
            first=START + HOUR,
            last=END - HOUR,
            attempts=12,
            machine_hours=0,
            gone=False,
            silent=False,
        ),
    )


def _orders(totals: dict[str, int]) -> tuple[Order, ...]:
    def course(*changes: tuple[datetime, OrderState]) -> tuple[Standing, ...]:
        ends = [*(when for when, _ in changes[1:]), END]
        return tuple(
            Standing(state=state.value, start=when, end=end) for (when, state), end in zip(changes, ends, strict=True)
        )

    apps = (
        AppUnderOrder(
            id="alipay",
            name="Alipay",
            vendor="Ant Group",
            blocked=31,
            logged=2,
            unverifiable={SHARED: 4, NO_EVIDENCE: 1},
            rules=("banned-apps", "shared-infrastructure"),
            listings=12,
            hits={key: count // 2 for key, count in totals.items()},
        ),
        AppUnderOrder(id="qq", name="Tencent QQ", vendor=None, blocked=12, logged=0, unverifiable={NEVER_OPENED: 2}),
    )
    revoked = course(
        (datetime(2021, 1, 5, tzinfo=UTC), OrderState.ISSUED),
        (datetime(2021, 2, 19, tzinfo=UTC), OrderState.IN_FORCE),
        (datetime(2021, 6, 9, tzinfo=UTC), OrderState.REVOKED),
    )
    within = course((START, OrderState.STAYED), (START + 7 * DAY, OrderState.IN_FORCE))
    return (
        Order(
            id="eo-13971",
            title="Executive Order 13971: Applications and Other Software Developed or Controlled by Chinese Companies",
            jurisdiction="US",
            url="https://www.federalregister.gov/citation/86-FR-1249",
            reviewed=date(2026, 11, 1),
            binding=False,
            course=revoked,
            within=course((START, OrderState.REVOKED)),
            apps=apps,
        ),
        Order(
            id="texas",
            title="Texas: Covered Applications and Prohibited Technologies",
            jurisdiction="US-TX",
            url="javascript:alert(1)",
            reviewed=None,
            binding=True,
            course=(Standing(state="issued", start=datetime(2022, 12, 7, tzinfo=UTC), end=START), *within),
            within=within,
            apps=apps[:1],
        ),
    )
