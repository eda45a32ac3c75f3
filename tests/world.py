"""A small world for tests: one town, few people, and bands whose every message is written out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from schemas.alerts import KINDS, AlertCode, AlertEvent, Transition, alert_id
from schemas.registry import (
    Assignment,
    Consent,
    Datum,
    Day,
    Device,
    Grade,
    GradePlan,
    Ground,
    NumberedRegistry,
    Order,
    Org,
    Registry,
    Schedule,
    Wearer,
    Window,
    Zone,
    ZoneKind,
)

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)  # 10:00 on a Monday in Panzhihua
START_MS = int(START.timestamp() * 1000)
HOME = (26.58, 101.71)
METRES_PER_DEGREE = 111_194.93
ALWAYS = [Window(days=list(Day), start="00:00", end="24:00")]


def north_of_home(metres: float) -> tuple[float, float]:
    return HOME[0] + metres / METRES_PER_DEGREE, HOME[1]


def circle(name: str, kind: ZoneKind, centre: tuple[float, float] = HOME, radius_m: float = 100.0, **more: Any) -> Zone:
    return Zone(
        id=name,
        org="dongqu",
        name=name,
        kind=kind,
        datum=Datum.WGS84,
        geometry={"type": "Point", "coordinates": [centre[1], centre[0]]},
        radius_m=radius_m,
        **more,
    )


def registry(
    *zones: Zone, at: datetime = START, bands: int = 1, consent: bool = True, silence_after_s: float = 600, **more: Any
) -> Registry:
    numbers = range(1, bands + 1)
    valid: dict[str, Any] = {"valid_from": at - timedelta(days=7)}
    ends = at + timedelta(days=60)
    return Registry(
        orgs=[Org(id="panzhihua", name="攀枝花"), Org(id="dongqu", name="东区", parent="panzhihua")],
        wearers=[Wearer(id=f"w-{n}", org="dongqu", name=f"演示{n}", grade=Grade.YELLOW) for n in numbers],
        devices=[Device(id=f"band-{n}", org="dongqu") for n in numbers],
        assignments=[Assignment(device=f"band-{n}", wearer=f"w-{n}", **valid) for n in numbers],
        orders=[
            Order(
                id=f"o-{n}",
                wearer=f"w-{n}",
                ground=Ground.REFUSED_TO_REPORT,
                document=f"文号{n}",
                approver="局长",
                valid_to=ends,
                **valid,
            )
            for n in numbers
        ],
        consents=[Consent(wearer=f"w-{n}", document="同意书", **valid) for n in numbers] if consent else [],
        zones=list(zones),
        plans=[GradePlan(grade=Grade.YELLOW, interval_s=60, silence_after_s=silence_after_s)],
        **more,
    )


def numbered(*zones: Zone, **more: Any) -> NumberedRegistry:
    return NumberedRegistry.from_file(registry(*zones, **more))


def night(name: str = "night", start: str = "22:00", end: str = "06:00") -> Schedule:
    return Schedule(id=name, windows=[Window(days=list(Day), start=start, end=end)])


@dataclass
class Band:
    """A band that says exactly what a test tells it to, at ``at_s`` seconds after the start."""

    device: str = "band-1"
    org: str = "dongqu"
    seq: int = 0
    lines: list[tuple[float, bytes]] = field(default_factory=list)

    def payload(self, at_s: float, *, at: tuple[float, float] | None = HOME, **parts: Any) -> dict[str, Any]:
        reading: dict[str, Any] = {"time_ms": START_MS + round(at_s * 1000)}
        if at is not None:
            reading["fix"] = {"lat": at[0], "lon": at[1], "accuracy_m": 8.0} | parts.pop("fix", {})
        reading |= parts
        message = {"v": 1, "seq": self.seq, "readings": [reading]}
        self.seq += 1
        return message

    def says(self, at_s: float, *, late_s: float = 0.2, **parts: Any) -> "Band":
        self.hears(at_s + late_s, self.payload(at_s, **parts))
        return self

    def hears(self, received_s: float, payload: Any) -> None:
        self.lines.append((received_s, capture_line(f"wb/v1/{self.org}/{self.device}/up", received_s, payload)))

    def every(self, step_s: float, start_s: float, end_s: float, **parts: Any) -> "Band":
        at_s = start_s
        while at_s < end_s:
            self.says(at_s, **parts)
            at_s += step_s
        return self


def capture_line(topic: str, received_s: float, payload: Any) -> bytes:
    stamp = (START + timedelta(seconds=received_s)).strftime("%Y-%m-%dT%H:%M:%S.%fZ+0000")
    line = {"tst": stamp, "topic": topic, "qos": 1, "retain": 0, "payloadlen": 0, "payload": payload}
    return json.dumps(line).encode()


def write_capture(path: Path, *bands: Band, order: Sequence[int] | None = None) -> Path:
    lines = [line for _, line in sorted((entry for band in bands for entry in band.lines), key=lambda e: e[0])]
    if order is not None:
        lines = [lines[n] for n in order]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def alert_of_band_1(
    code: AlertCode, *, onset_ms: int, at_ms: int, transition: Transition = Transition.OPENED, **more: Any
) -> AlertEvent:
    """An event of an alert of band-1, which is device 1 of dongqu and worn by wearer 1."""
    usual: dict[str, Any] = {"subject": "", "seq": None, "rule_version": 1, "historic": False, "evidence": {}}
    return AlertEvent(
        alert_id=alert_id("dongqu", "band-1", code, "", onset_ms),
        transition=transition,
        code=code,
        priority=KINDS[code].priority,
        org="dongqu",
        device="band-1",
        wearer="w-1",
        device_no=1,
        wearer_no=1,
        onset_ms=onset_ms,
        at_ms=at_ms,
        **usual | more,
    )
