"""What the page is told: pure translations of what the store knows."""

from collections.abc import Iterable
from dataclasses import asdict
from enum import StrEnum
from typing import Any, Final

from alerts.explain import Ringing, explain
from schemas.alerts import CLOSE_CAUSE_NAMES, KINDS, AlertCode, Cause, CloseCause, Priority
from schemas.registry import epoch_ms
from store.map_views import WearerView
from store.views import AlertView


class WearerState(StrEnum):
    """How a wearer is drawn: by the gravest live alert that still holds; loss of signal is no breach."""

    SOS = "sos"
    TAMPER = "tamper"
    BREACH = "breach"
    SILENT = "silent"
    OK = "ok"


_STATE_OF: Final[dict[Cause, WearerState]] = {
    Cause.SOS: WearerState.SOS,
    Cause.TAMPER: WearerState.TAMPER,
    Cause.ZONE: WearerState.BREACH,
    Cause.PROXIMITY: WearerState.BREACH,
    Cause.CONTACT: WearerState.SILENT,
    Cause.SITE: WearerState.SILENT,
}


def wearer_state(codes: Iterable[str]) -> WearerState:
    """The state that these alert codes put a wearer in.

    >>> wearer_state(["zone.exit", "device.strap"]).value
    'tamper'
    >>> wearer_state(["device.silence"]).value, wearer_state(["zone.approach"]).value
    ('silent', 'ok')
    """
    states = set(map(_state_of, codes))
    return next(state for state in WearerState if state in states or state is WearerState.OK)


def _state_of(code: str) -> WearerState:
    kind = KINDS[AlertCode(code)]
    state = _STATE_OF.get(kind.cause, WearerState.OK)
    # Nearing a boundary is not having crossed it.
    return WearerState.OK if state is WearerState.BREACH and kind.priority < Priority.MEDIUM else state


def bands(wearers: Iterable[WearerView]) -> list[dict[str, Any]]:
    """Wearers with the states in which they are drawn."""
    return [{**asdict(wearer), "state": wearer_state(wearer.codes)} for wearer in wearers]


def with_reasons(alerts: Iterable[AlertView], wearer: str, timezone: str) -> list[dict[str, Any]]:
    """Alerts with the sentence that says why each rang, in both languages."""
    return [{**asdict(alert), "reason": explain(_ringing(alert, wearer, timezone))._asdict()} for alert in alerts]


def _ringing(alert: AlertView, wearer: str, timezone: str) -> Ringing:
    return Ringing(
        code=AlertCode(alert.code),
        wearer=wearer,
        device=alert.device,
        subject=alert.subject,
        onset_ms=epoch_ms(alert.onset_at),
        at_ms=epoch_ms(alert.opened_at),
        timezone=timezone,
        evidence=alert.evidence,
    )


def names() -> dict[str, Any]:
    """Everything that has a Chinese and an English name: alert codes and causes of closing."""
    return {
        "codes": {
            code.value: {"zh": kind.zh, "en": kind.en, "priority": kind.priority, "latching": kind.latching}
            for code, kind in KINDS.items()
        },
        "close_causes": {
            cause.value: {"zh": zh, "en": en, "by_person": cause is not CloseCause.SELF_CLEARED}
            for cause, (zh, en) in CLOSE_CAUSE_NAMES.items()
        },
    }
