"""The registry: who wears what, on which legal ground, within which zones and hours.

These types are the registry file (``docs/registry.md`` shows every object) and equally what the
store loads, so a capture is judged by the same rules with or without a database. Types check
shape; whether references resolve and the law is kept is ``store.registry_check``'s.
"""

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple

import msgspec
from msgspec import Meta

from schemas.alerts import AlertCode

Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._-]{1,64}$")]
Instant = Annotated[datetime, Meta(tz=True)]
TimeOfDay = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]
Positive = Annotated[float, Meta(gt=0)]

FOREVER_MS: Final = 2**62
"""In a column of times: no such moment ahead."""


class Grade(StrEnum):
    """Supervision grade, strictest first; it selects reporting plan and thresholds, never the facts."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    BLUE = "blue"
    GREEN = "green"


class Ground(StrEnum):
    """The closed list of grounds on which positioning is lawful (社区矫正法 Art. 29)."""

    COURT_PROHIBITION = "court_prohibition"
    LEFT_WITHOUT_APPROVAL = "left_without_approval"
    REFUSED_TO_REPORT = "refused_to_report"
    PUBLIC_SECURITY_PENALTY = "public_security_penalty"
    REVOCATION_PROPOSED = "revocation_proposed"


class ZoneKind(StrEnum):
    """What a zone asks of its wearer; an interest zone asks nothing."""

    KEEP_IN = "keep_in"
    KEEP_OUT = "keep_out"
    CURFEW = "curfew"
    INTEREST = "interest"


class Datum(StrEnum):
    """The frame of a geometry; there is no default, because a wrong guess moves a fence by 425 m."""

    WGS84 = "WGS-84"
    CGCS2000 = "CGCS2000"
    GCJ02 = "GCJ-02"


class Day(StrEnum):
    """Days of a weekly schedule, Monday first."""

    MON = "mon"
    TUE = "tue"
    WED = "wed"
    THU = "thu"
    FRI = "fri"
    SAT = "sat"
    SUN = "sun"


class _Object(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A registry object: immutable, by keyword, refusing names it does not know."""


class Org(_Object, frozen=True, kw_only=True):
    """A node of the organisation tree; ``timezone`` is how its people read times."""

    id: Name
    name: str
    name_en: str = ""
    parent: Name | None = None
    timezone: str = "Asia/Shanghai"


class Wearer(_Object, frozen=True, kw_only=True):
    """A person under supervision."""

    id: Name
    org: Name
    name: str = ""
    grade: Grade = Grade.YELLOW
    minor: bool = False


class Device(_Object, frozen=True, kw_only=True):
    """A band; its MQTT topic is ``wb/v1/{org}/{id}/up``."""

    id: Name
    org: Name
    model: str = ""


class Assignment(_Object, frozen=True, kw_only=True):
    """Which wearer has which band, and when."""

    device: Name
    wearer: Name
    valid_from: Instant
    valid_to: Instant | None = None


class Order(_Object, frozen=True, kw_only=True):
    """The legal ground of positioning: at most three months, an extension is an order of its own."""

    id: Name
    wearer: Name
    ground: Ground
    document: str
    approver: str
    valid_from: Instant
    valid_to: Instant


class Consent(_Object, frozen=True, kw_only=True):
    """The separate, revocable consent without which physiology is not kept."""

    wearer: Name
    document: str
    valid_from: Instant
    valid_to: Instant | None = None
    scope: str = "physiology"


class Window(_Object, frozen=True, kw_only=True):
    """A weekly time window, local time; ``end`` at or before ``start`` runs into the next day."""

    days: Annotated[list[Day], Meta(min_length=1)]
    start: TimeOfDay
    end: TimeOfDay


class DayWindow(_Object, frozen=True, kw_only=True):
    """A window of one day, local time; ``end`` at or before ``start`` runs into the next day."""

    start: TimeOfDay
    end: TimeOfDay


class DatedWindows(_Object, frozen=True, kw_only=True):
    """Days on which other windows hold than the week's: ``first`` to ``last``, both included; none is a day off."""

    first: date
    last: date | None = None
    windows: list[DayWindow] = []


class Calendar(_Object, frozen=True, kw_only=True):
    """Holidays that schedules share."""

    id: Name
    dates: Annotated[list[date], Meta(min_length=1)]


class Schedule(_Object, frozen=True, kw_only=True):
    """When a zone's demand holds: any of its windows, in its time zone.

    A day's windows are those of the first that speaks of it: a dated exception (the later one in the list wins over
    the earlier), the holiday calendar, the week. A window belongs to the day on which it starts.
    """

    id: Name
    windows: Annotated[list[Window], Meta(min_length=1)]
    timezone: str = "Asia/Shanghai"
    exceptions: list[DatedWindows] = []
    calendar: Name | None = None
    holiday_windows: list[DayWindow] = []


class Zone(_Object, frozen=True, kw_only=True):
    """A place and what it asks.

    Its shape is GeoJSON (RFC 7946): Point with ``radius_m``, Polygon, MultiPolygon, or LineString and MultiLineString
    with ``width_m`` from edge to edge (a corridor). It holds for the wearers named, or for all of its org's wearers
    where ``wearers`` is absent; always, or while its schedule holds.

    ``approach_m`` is a ring before the line: nearing the line within it rings ``zone.approach``. ``dwell_s``: staying
    so long inside an interest zone, or in the ring of a keep-out zone, rings ``zone.dwell``.

    Where zones overlap, a keep-out stands before a leave, a leave before keep-in and curfew, and those before interest.
    """

    id: Name
    org: Name
    name: str
    kind: ZoneKind
    datum: Datum
    geometry: dict[str, Any]
    radius_m: Positive | None = None
    width_m: Positive | None = None
    approach_m: Positive | None = None
    dwell_s: Positive | None = None
    wearers: list[Name] | None = None
    schedule: Name | None = None
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    version: int = 0


class LeavePlace(_Object, frozen=True, kw_only=True):
    """A place that a leave allows; shape and datum as a zone's."""

    name: str
    datum: Datum
    geometry: dict[str, Any]
    radius_m: Positive | None = None
    width_m: Positive | None = None


class Leave(_Object, frozen=True, kw_only=True):
    """An approved absence: while it runs, keep-in and curfew ask nothing of the wearer.

    With ``places`` it opens the fence for those places only: outside them and outside the zone is still outside.
    ``permit`` is the six-month form for people who cross the line all the time; a trip lasts at most thirty days.
    It is recorded before it begins, and never opens a keep-out zone.
    """

    id: Name
    wearer: Name
    document: str
    approver: str
    recorded_at: Instant
    valid_from: Instant
    valid_to: Instant
    places: list[LeavePlace] = []
    permit: bool = False


class Contact(_Object, frozen=True, kw_only=True):
    """Who is told: any Apprise URL; ``${NAME}`` in it is read from the environment when sending."""

    id: Name
    org: Name
    name: str
    url: str
    language: Annotated[str, Meta(pattern="^(zh|en)$")] = "zh"
    min_priority: Annotated[str, Meta(pattern="^(welfare|low|medium|high|highest)$")] = "high"


class GradePlan(_Object, frozen=True, kw_only=True):
    """What a grade asks of its bands: how often to report, how long silence may last, how sure an alert must be.

    ``patience`` multiplies the thresholds of where a band is and whether it is worn. It leaves welfare alone: a body
    is no more ill because of a grade.
    """

    grade: Grade
    interval_s: Positive
    silence_after_s: Positive
    patience: Positive = 1.0


DEFAULT_PLANS: Final[tuple[GradePlan, ...]] = (
    GradePlan(grade=Grade.RED, interval_s=60, silence_after_s=600, patience=0.87),
    GradePlan(grade=Grade.ORANGE, interval_s=60, silence_after_s=900, patience=0.93),
    GradePlan(grade=Grade.YELLOW, interval_s=60, silence_after_s=1200),
    GradePlan(grade=Grade.BLUE, interval_s=120, silence_after_s=1800, patience=1.07),
    GradePlan(grade=Grade.GREEN, interval_s=300, silence_after_s=3600, patience=1.13),
)
"""0.13 of a threshold of 6 is 0.8 in log odds: with red a true alarm is held to be 2.2 times as likely beforehand."""


class AlertRule(_Object, frozen=True, kw_only=True):
    """How sure an alert must be, and how many false ones a wearer-day are bearable.

    ``patience`` multiplies the threshold of the code's detector; ``shouhuan calibrate`` sets it so that ``budget`` is
    kept. What a detector finds under several codes goes by the first of them in ``DIALS``.
    """

    code: AlertCode
    patience: Positive = 1.0
    budget: Positive | None = None


class Registry(_Object, frozen=True, kw_only=True):
    """Everything the judge and the door need to know, as one value."""

    version: int = 1
    orgs: list[Org] = []
    wearers: list[Wearer] = []
    devices: list[Device] = []
    assignments: list[Assignment] = []
    orders: list[Order] = []
    consents: list[Consent] = []
    calendars: list[Calendar] = []
    schedules: list[Schedule] = []
    zones: list[Zone] = []
    leaves: list[Leave] = []
    contacts: list[Contact] = []
    plans: list[GradePlan] = msgspec.field(default_factory=lambda: list(DEFAULT_PLANS))
    alert_rules: list[AlertRule] = []


class NumberedRegistry(msgspec.Struct, frozen=True):
    """A registry with the numbers by which columns and tables name its devices and wearers.

    ``version`` grows with every change and is what an alert cites as the rules that judged it.
    """

    registry: Registry
    device_no: dict[str, int]
    wearer_no: dict[str, int]
    version: int

    @classmethod
    def from_file(cls, registry: Registry) -> "NumberedRegistry":
        """Number a registry that has no database: devices and wearers count from 1 in file order."""
        return cls(
            registry=registry,
            device_no={device.id: number for number, device in enumerate(registry.devices, 1)},
            wearer_no={wearer.id: number for number, wearer in enumerate(registry.wearers, 1)},
            version=registry.version,
        )

    def ruled_by(self, rules: list[AlertRule]) -> "NumberedRegistry":
        """The same with other alert rules, of the same version: for trying them, not for judging by them."""
        return msgspec.structs.replace(self, registry=msgspec.structs.replace(self.registry, alert_rules=rules))


def epoch_ms(moment: datetime | None, otherwise: int = FOREVER_MS) -> int:
    """A moment as UTC milliseconds, as columns have it; an end that is open lies beyond all others.

    >>> from datetime import UTC
    >>> epoch_ms(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)), epoch_ms(None) > 10**18
    (1000, True)
    """
    return otherwise if moment is None else int(moment.timestamp() * 1000)


class Thresholds(_Object, frozen=True, kw_only=True):
    """What each detector's score must reach, as it is set with nothing known of a fleet's own false alarms."""

    zone_scale: float = 1.0
    no_fix_scale: float = 1.0
    silence_scale: float = 1.0
    battery_low_pct: float = 20.0
    battery_critical_pct: float = 8.0
    battery_clear_pct: float = 25.0
    heart_rate_evidence: float = 6.0
    nights_evidence: float = 2.0
    spo2_evidence: float = 12.0
    temperature_evidence: float = 5.0
    off_body_log_odds: float = 4.0
    fall_log_odds: float = 6.0
    spoof_scale: float = 1.0

    def patient(self, patience: Mapping[AlertCode, float]) -> "Thresholds":
        """The same where the codes of ``DIALS`` ask so many times as much.

        >>> Thresholds().patient({AlertCode.VITALS_FALL: 1.5}).fall_log_odds
        9.0
        """
        changed = {name: getattr(self, name) * by for code, by in patience.items() for name in DIALS[code].fields}
        return msgspec.structs.replace(self, **changed)


class Dial(NamedTuple):
    """What turns a detector between eager and patient: thresholds, and all codes under which it tells what it finds."""

    fields: tuple[str, ...]
    codes: tuple[AlertCode, ...]


DIALS: Final[Mapping[AlertCode, Dial]] = {
    AlertCode.ZONE_EXIT: Dial(("zone_scale",), (AlertCode.ZONE_EXIT, AlertCode.ZONE_ENTER, AlertCode.ZONE_CURFEW)),
    AlertCode.DEVICE_SILENCE: Dial(("silence_scale",), (AlertCode.DEVICE_SILENCE,)),
    AlertCode.DEVICE_NO_FIX: Dial(("no_fix_scale",), (AlertCode.DEVICE_NO_FIX,)),
    AlertCode.DEVICE_OFF_BODY: Dial(("off_body_log_odds",), (AlertCode.DEVICE_OFF_BODY,)),
    AlertCode.DEVICE_SPOOF: Dial(("spoof_scale",), (AlertCode.DEVICE_SPOOF,)),
    AlertCode.VITALS_HEART_RATE: Dial(("heart_rate_evidence", "nights_evidence"), (AlertCode.VITALS_HEART_RATE,)),
    AlertCode.VITALS_SPO2: Dial(("spo2_evidence",), (AlertCode.VITALS_SPO2,)),
    AlertCode.VITALS_TEMPERATURE: Dial(("temperature_evidence",), (AlertCode.VITALS_TEMPERATURE,)),
    AlertCode.VITALS_FALL: Dial(("fall_log_odds",), (AlertCode.VITALS_FALL,)),
}
"""By the code that names it. Strap, case, SOS and battery have none: what a band says of itself is no estimate."""
