"""Alert kinds, their names and default priorities, and the event by which an alert lives."""

from enum import IntEnum, StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

import msgspec

NAMESPACE: Final = UUID("6f1d2c8e-6c0b-5d5e-9a55-7368756f6875")
"""Root of every deterministic id, so that a replay writes the same rows again instead of new ones."""


class Priority(IntEnum):
    """How soon a person must look; welfare is a queue of its own for care, never for sanction."""

    WELFARE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3
    HIGHEST = 4

    @property
    def label(self) -> str:
        """The lower-case name used on wires and in tables."""
        return self.name.lower()


class Cause(StrEnum):
    """What alerts are grouped by: alerts of one wearer and cause are one incident."""

    ZONE = "zone"
    PROXIMITY = "proximity"
    TAMPER = "tamper"
    POWER = "power"
    CONTACT = "contact"
    SPOOF = "spoof"
    SOS = "sos"
    SITE = "site"
    VITALS = "vitals"
    ROUTINE = "routine"
    ORDER = "order"


class AlertCode(StrEnum):
    """Every alert kind of the product."""

    ZONE_EXIT = "zone.exit"
    ZONE_ENTER = "zone.enter"
    ZONE_CURFEW = "zone.curfew"
    ZONE_APPROACH = "zone.approach"
    ZONE_DWELL = "zone.dwell"
    LEAVE_OVERSTAY = "leave.overstay"
    PROXIMITY_PROTECTED = "proximity.protected"
    GATHERING = "gathering"
    DEVICE_STRAP = "device.strap"
    DEVICE_CASE = "device.case"
    DEVICE_OFF_BODY = "device.off_body"
    DEVICE_BATTERY = "device.battery"
    DEVICE_SILENCE = "device.silence"
    DEVICE_NO_FIX = "device.no_fix"
    DEVICE_SPOOF = "device.spoof"
    DEVICE_SOS = "device.sos"
    SITE_OUTAGE = "site.outage"
    VITALS_HEART_RATE = "vitals.heart_rate"
    VITALS_SPO2 = "vitals.spo2"
    VITALS_TEMPERATURE = "vitals.temperature"
    VITALS_FALL = "vitals.fall"
    VITALS_STRESS = "vitals.stress"
    ROUTINE_DEVIATION = "routine.deviation"
    ORDER_EXPIRING = "order.expiring"
    ORDER_EXPIRED = "order.expired"


class AlertKind(NamedTuple):
    """What an alert code means: names, default priority, the incident it joins, whether only a person ends it."""

    zh: str
    en: str
    priority: Priority
    cause: Cause
    latching: bool = False


_P, _C = Priority, Cause
KINDS: Final[dict[AlertCode, AlertKind]] = {
    AlertCode.ZONE_EXIT: AlertKind("越界", "left a keep-in zone", _P.HIGH, _C.ZONE),
    AlertCode.ZONE_ENTER: AlertKind("进入禁止区域", "inside a keep-out zone", _P.HIGH, _C.ZONE),
    AlertCode.ZONE_CURFEW: AlertKind("宵禁缺席", "absent during curfew", _P.HIGH, _C.ZONE),
    AlertCode.ZONE_APPROACH: AlertKind("临近边界", "nearing a boundary", _P.LOW, _C.ZONE),
    AlertCode.ZONE_DWELL: AlertKind("逗留", "lingering", _P.LOW, _C.ZONE),
    AlertCode.LEAVE_OVERSTAY: AlertKind("超假未归", "not back from leave", _P.HIGH, _C.ZONE),
    AlertCode.PROXIMITY_PROTECTED: AlertKind("接近被保护人", "near a protected person", _P.HIGHEST, _C.PROXIMITY, True),
    AlertCode.GATHERING: AlertKind("聚集", "gathering", _P.MEDIUM, _C.PROXIMITY),
    AlertCode.DEVICE_STRAP: AlertKind("断带、拆卸", "strap opened or cut", _P.HIGHEST, _C.TAMPER, True),
    AlertCode.DEVICE_CASE: AlertKind("破壳", "case opened", _P.HIGHEST, _C.TAMPER, True),
    AlertCode.DEVICE_OFF_BODY: AlertKind("人机分离", "off the body", _P.HIGH, _C.TAMPER, True),
    AlertCode.DEVICE_BATTERY: AlertKind("低电", "battery low", _P.LOW, _C.POWER),
    AlertCode.DEVICE_SILENCE: AlertKind("失联", "out of contact", _P.MEDIUM, _C.CONTACT),
    AlertCode.DEVICE_NO_FIX: AlertKind("定位丢失", "no position", _P.MEDIUM, _C.CONTACT),
    AlertCode.DEVICE_SPOOF: AlertKind("定位异常", "position not credible", _P.HIGH, _C.SPOOF),
    AlertCode.DEVICE_SOS: AlertKind("求助", "help button pressed", _P.HIGHEST, _C.SOS, True),
    AlertCode.SITE_OUTAGE: AlertKind("区域中断", "area outage", _P.MEDIUM, _C.SITE),
    AlertCode.VITALS_HEART_RATE: AlertKind("心率", "heart rate", _P.WELFARE, _C.VITALS),
    AlertCode.VITALS_SPO2: AlertKind("血氧", "blood oxygen", _P.WELFARE, _C.VITALS),
    AlertCode.VITALS_TEMPERATURE: AlertKind("体温", "temperature", _P.WELFARE, _C.VITALS),
    AlertCode.VITALS_FALL: AlertKind("跌倒", "fall", _P.WELFARE, _C.VITALS),
    AlertCode.VITALS_STRESS: AlertKind("情绪应激", "arousal", _P.WELFARE, _C.VITALS),
    AlertCode.ROUTINE_DEVIATION: AlertKind("行为偏离", "unlike own routine", _P.LOW, _C.ROUTINE),
    AlertCode.ORDER_EXPIRING: AlertKind("监管期限将至", "order expires soon", _P.LOW, _C.ORDER),
    AlertCode.ORDER_EXPIRED: AlertKind("监管期限已过", "order expired", _P.MEDIUM, _C.ORDER),
}


class Transition(StrEnum):
    """What an event does to its alert."""

    OPENED = "opened"
    UPDATED = "updated"
    CLEARED = "cleared"
    RETRACTED = "retracted"
    REOPENED = "reopened"


class AlertState(StrEnum):
    """Where an alert stands: a retracted one stays visible, refuted by later knowledge."""

    OPEN = "open"
    CLEARED = "cleared"
    RETRACTED = "retracted"


STATE_AFTER: Final[dict[Transition, AlertState]] = {
    Transition.OPENED: AlertState.OPEN,
    Transition.UPDATED: AlertState.OPEN,
    Transition.REOPENED: AlertState.OPEN,
    Transition.CLEARED: AlertState.CLEARED,
    Transition.RETRACTED: AlertState.RETRACTED,
}


NOBODY: Final = 0
"""In place of the number of a wearer and a band: an alert that concerns a site. The database gives it to nobody."""


class AlertEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One step in an alert's life.

    ``onset_ms`` is when the condition began, ``at_ms`` the event time of the reading or tick that
    decided, ``seq`` the deciding message (None for a tick). ``historic`` marks a finding in late
    data: recorded, never paged as live. ``subject`` names the zone, or is empty.
    """

    alert_id: UUID
    transition: Transition
    code: AlertCode
    priority: Priority
    subject: str
    org: str
    device: str
    wearer: str
    device_no: int
    wearer_no: int
    onset_ms: int
    at_ms: int
    seq: int | None
    rule_version: int
    historic: bool
    evidence: dict[str, Any]


def alert_id(org: str, device: str, code: AlertCode, subject: str, onset_ms: int) -> UUID:
    """The id of an alert, a function of what it is about: a replay yields the same.

    >>> alert_id("dongqu", "band-1", AlertCode.DEVICE_STRAP, "", 0) == alert_id(
    ...     "dongqu", "band-1", AlertCode.DEVICE_STRAP, "", 0)
    True
    """
    return uuid5(NAMESPACE, f"{org}/{device}|{code.value}|{subject}|{onset_ms}")


class IncidentState(StrEnum):
    """Where an incident stands; acknowledge is not confirm, and only an ended one takes no more alerts."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


class CloseCause(StrEnum):
    """Why an incident was closed; precision per rule is computed from these."""

    CONFIRMED = "confirmed"
    APPROVED_ABSENCE = "approved_absence"
    REASONABLE_EXCUSE = "reasonable_excuse"
    SIGNAL_ERROR = "signal_error"
    DEVICE_FAULT = "device_fault"
    WELFARE_CHECKED = "welfare_checked"
    TEST = "test"
    SELF_CLEARED = "self_cleared"


CAME_TRUE: Final = frozenset(
    {
        CloseCause.CONFIRMED,
        CloseCause.APPROVED_ABSENCE,
        CloseCause.REASONABLE_EXCUSE,
        CloseCause.WELFARE_CHECKED,
    }
)
"""What it told of had happened, whatever was to be said for it."""

CLOSE_CAUSE_NAMES: Final[dict[CloseCause, tuple[str, str]]] = {
    CloseCause.CONFIRMED: ("属实", "confirmed"),
    CloseCause.APPROVED_ABSENCE: ("已批准外出", "approved absence"),
    CloseCause.REASONABLE_EXCUSE: ("有正当理由", "reasonable excuse"),
    CloseCause.SIGNAL_ERROR: ("信号误差", "signal error"),
    CloseCause.DEVICE_FAULT: ("设备故障", "device fault"),
    CloseCause.WELFARE_CHECKED: ("已关怀核实", "welfare checked"),
    CloseCause.TEST: ("测试", "test"),
    CloseCause.SELF_CLEARED: ("自行恢复", "cleared by itself"),
}
