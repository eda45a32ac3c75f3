"""Evaluations to show and to compare, built by hand: every figure in them is made up."""

import math
from typing import Any

from evaluation.outcome import (
    Check,
    CodeReport,
    ContextReport,
    CurvePoint,
    Evaluation,
    Exhibit,
    Figures,
    Interval,
    Load,
    Series,
    Span,
    Variant,
)
from schemas.alerts import AlertCode

START_MS = 1_795_190_400_000  # 2026-11-20T16:00Z, midnight in Shanghai
MINUTE_MS = 60_000


def interval(value: float | None, spread: float = 0.0) -> Interval:
    if value is None:
        return Interval()
    return Interval(value, max(0.0, value - spread), value + spread)


def figures(**changed: Any) -> Figures:
    """A good detector's, where not said otherwise."""
    usual = {
        "events": 200,
        "found": 194,
        "alerts": 230,
        "false_alerts": 26,
        "explained": 4,
        "recall": Interval(0.97, 0.94, 0.99),
        "false_per_wearer_day": Interval(0.052, 0.031, 0.08),
        "worst_decile_per_wearer_day": 0.4,
        "detect_p50_s": Interval(58.0, 52.0, 63.0),
        "detect_p95_s": Interval(235.0, 190.0, 310.0),
        "precision": {"0.01": 0.157, "0.001": 0.018},
        "alerts_per_event": Interval(1.04, 1.01, 1.09),
    }
    return Figures(**(usual | changed))


def nothing_found(events: int) -> Figures:
    return figures(
        events=events,
        found=0,
        alerts=0,
        false_alerts=0,
        explained=0,
        recall=Interval(0.0, 0.0, 0.0),
        false_per_wearer_day=Interval(0.0, 0.0, 0.0),
        worst_decile_per_wearer_day=0.0,
        detect_p50_s=interval(5400.0, 300.0),
        detect_p95_s=interval(9000.0, 300.0),
        precision={"0.01": None, "0.001": None},
        alerts_per_event=Interval(0.0, 0.0, 0.0),
    )


def report(code: AlertCode = AlertCode.ZONE_EXIT, **changed: Any) -> CodeReport:
    usual = {"code": code, "has_detector": True, "ours": figures(), "baselines": {}}
    return CodeReport(**(usual | changed))


def load(per_wearer_day: float = 0.118) -> Load:
    return Load(
        incidents=1_463,
        per_wearer_day=Interval(per_wearer_day, per_wearer_day - 0.015, per_wearer_day + 0.017),
        without_event_per_wearer_day=Interval(0.047, 0.039, 0.056),
        undisturbed_per_wearer_day=Interval(0.031, 0.024, 0.04),
        by_priority={"highest": 214, "high": 602, "medium": 388, "low": 170, "welfare": 89},
    )


def evaluation(**changed: Any) -> Evaluation:
    """Two codes and nothing else, where not said otherwise."""
    usual = {
        "title": "second generator",
        "command": "shouhuan evaluate --wearers 400 --days 31 --seed 7",
        "date": "2026-11-24",
        "seed": 7,
        "wearers": 400,
        "wearer_days": 12_400.0,
        "readings": 17_856_000,
        "degradations": [],
        "codes": [report(), report(AlertCode.DEVICE_STRAP)],
        "contexts": [],
        "load": load(),
        "checks": [],
        "exhibits": [],
        "seconds": {"read": 12.4, "judge": 41.0, "score": 3.2},
    }
    return Evaluation(**(usual | changed))


def variant(kind: str, events: int, found: int, p50_s: float | None = 60.0) -> Variant:
    recall = found / events
    spread = 1.96 * math.sqrt(max(recall * (1 - recall), 0.01) / events)
    held = Interval(recall, max(0.0, recall - spread), min(1.0, recall + spread))
    return Variant(kind=kind, events=events, found=found, recall=held, detect_p50_s=p50_s)


def curve(*points: tuple[str, float, float]) -> list[CurvePoint]:
    return [CurvePoint(*point) for point in points]


def wave(name: str, unit: str, *, level: float, swing: float, minutes: int = 180, **changed: Any) -> Series:
    """A signal of one value a minute that wanders smoothly."""
    values = [round(level + swing * math.sin(n / 11) + swing * 0.35 * math.sin(n * 1.7), 2) for n in range(minutes)]
    times = [START_MS + n * MINUTE_MS for n in range(minutes)]
    return Series(**({"name": name, "unit": unit, "times_ms": times, "values": values} | changed))


def span(lane: str, label: str, from_minute: float, to_minute: float) -> Span:
    at = (START_MS + int(m * MINUTE_MS) for m in (from_minute, to_minute))
    return Span(lane=lane, label=label, start_ms=next(at), end_ms=next(at))


def exhibit(**changed: Any) -> Exhibit:
    usual = {
        "kind": "missed",
        "code": AlertCode.ZONE_EXIT,
        "device": "band-17",
        "at_ms": START_MS + 75 * MINUTE_MS,
        "note": "brief exit, back before the disc lay outside",
        "spans": [span("truth", "brief", 75, 79)],
        "series": [wave("distance outside", "m", level=0, swing=60, threshold=40.0)],
    }
    return Exhibit(**(usual | changed))


def with_gap(series: Series, from_minute: int, to_minute: int) -> Series:
    """The same, nothing sent for some minutes."""
    kept = [n for n in range(len(series.times_ms)) if not from_minute <= n < to_minute]
    return Series(
        name=series.name,
        unit=series.unit,
        times_ms=[series.times_ms[n] for n in kept],
        values=[series.values[n] for n in kept],
        threshold=series.threshold,
    )


def rich_evaluation() -> Evaluation:
    """With everything that an evaluation can hold."""
    return evaluation(
        degradations=["5 % of readings lost", "clocks off by up to 2 min"],
        codes=[_exit(), _strap(), _spoof(), _heart(), _silence(), _fall()],
        contexts=[
            ContextReport(context="cycling", occurrences=310, false_alerts={"vitals.heart_rate": 14, "zone.exit": 1}),
            ContextReport(context="charging gap", occurrences=1_210, false_alerts={"device.silence": 37}),
            ContextReport(context="hot bath", occurrences=96, false_alerts={}),
            ContextReport(context="home at the fence's edge", occurrences=58, false_alerts={"zone.exit": 29}),
        ],
        checks=[
            Check(name="a restart changes no alert", passed=True, detail="1,463 alerts alike"),
            Check(name="order within the allowed lateness changes no alert", passed=False, detail="2 of 1,463 differ"),
        ],
        exhibits=[
            exhibit(
                spans=[
                    span("truth", "brief", 75, 79),
                    span("context", "home at the fence's edge", 0, 180),
                    span("naive point outside", "", 30, 34),
                    span("naive point outside", "", 76, 81),
                ],
                series=[
                    with_gap(wave("distance outside", "m", level=0, swing=60, threshold=40.0), 100, 125),
                    wave("accuracy", "m", level=18, swing=7),
                ],
            ),
            exhibit(
                kind="false",
                device="band-204",
                at_ms=START_MS + 61 * MINUTE_MS,
                note="three fixes of a reflected signal <multipath>",
                spans=[span("ours", "high", 61, 70), span("context", "tunnel", 55, 68)],
                series=[wave("distance outside", "m", level=20, swing=90, threshold=40.0)],
            ),
            exhibit(
                kind="false",
                code=AlertCode.VITALS_HEART_RATE,
                device="band-33",
                at_ms=START_MS + 95 * MINUTE_MS,
                note="cycling: fast heart without a step",
                spans=[span("ours", "welfare", 95, 140), span("context", "cycling", 80, 142)],
                series=[
                    with_gap(wave("heart rate", "bpm", level=105, swing=22, threshold=110.0), 40, 47),
                    wave("steps", "/min", level=0, swing=0),
                    Series(name="SpO2", unit="%", times_ms=[], values=[]),
                ],
            ),
        ],
    )


def _exit() -> CodeReport:
    return report(
        baselines={
            "naive point outside": figures(
                recall=Interval(1.0, 0.99, 1.0),
                false_per_wearer_day=Interval(0.415, 0.33, 0.52),
                detect_p50_s=Interval(0.0, 0.0, 2.0),
                precision={"0.01": 0.0235, "0.001": 0.0024},
                alerts_per_event=Interval(2.1, 1.8, 2.6),
            ),
            "same, or 2 in a row > 200 m out": figures(
                recall=Interval(0.985, 0.97, 0.995), false_per_wearer_day=Interval(0.097, 0.07, 0.13)
            ),
        },
        variants=[variant("fast", 80, 80, 48.0), variant("slow", 70, 68, 75.0), variant("brief", 50, 29, None)],
        curves={
            "ours": curve(("10 m", 0.3, 0.99), ("20 m", 0.11, 0.98), ("30 m", 0.05, 0.97), ("60 m", 0.011, 0.9)),
            "naive point outside": curve(("0 m", 0.415, 1.0), ("50 m", 0.2, 0.98), ("100 m", 0.09, 0.93)),
        },
    )


def _strap() -> CodeReport:
    return report(
        AlertCode.DEVICE_STRAP,
        ours=figures(
            events=64,
            recall=Interval(1.0, 1.0, 1.0),
            false_per_wearer_day=Interval(0.0, 0.0, 0.0),
            worst_decile_per_wearer_day=0.0,
            detect_p50_s=Interval(0.0, 0.0, 0.0),
            detect_p95_s=Interval(61.0, 58.0, 66.0),
            precision={"0.01": 1.0, "0.001": 1.0},
        ),
        baselines={"strap bit": figures(events=64, false_per_wearer_day=Interval(0.0031, 0.001, 0.0052))},
        variants=[variant("cut", 40, 40, 0.0), variant("opened", 24, 24, 0.0)],
    )


def _spoof() -> CodeReport:
    return report(
        AlertCode.DEVICE_SPOOF,
        ours=figures(
            events=120,
            recall=Interval(0.71, 0.61, 0.79),
            false_per_wearer_day=Interval(0.0042, 0.0021, 0.0071),
            detect_p50_s=Interval(180.0, 120.0, 240.0),
            detect_p95_s=Interval(8_280.0, 7_000.0, 9_900.0),
        ),
        baselines={
            "speed > 100 m/s": figures(
                events=120, recall=Interval(0.41, 0.3, 0.5), false_per_wearer_day=Interval(4.9, 4.2, 5.6)
            )
        },
        variants=[
            variant("jump", 30, 30),
            variant("freeze", 30, 29),
            variant("replay", 30, 19),
            variant("drag", 30, 7),
        ],
        curves={"ours": curve(("strict", 0.0005, 0.52), ("usual", 0.0042, 0.71), ("loose", 0.03, 0.78))},
    )


def _heart() -> CodeReport:
    return report(
        AlertCode.VITALS_HEART_RATE,
        ours=figures(recall=Interval(0.81, 0.74, 0.87), false_per_wearer_day=Interval(0.094, 0.07, 0.12)),
        baselines={
            "> 100 at rest 5 min": figures(
                recall=Interval(0.44, 0.38, 0.5), false_per_wearer_day=Interval(0.1, 0.08, 0.13)
            ),
            "z > 3": figures(recall=Interval(0.83, 0.77, 0.88), false_per_wearer_day=Interval(3.42, 3.1, 3.8)),
        },
        variants=[
            variant("+20 bpm", 50, 17, None),
            variant("+30 bpm", 50, 38, 400.0),
            variant("+40 bpm", 50, 48, 360.0),
        ],
    )


def _silence() -> CodeReport:
    nothing = interval(None)
    return report(
        AlertCode.DEVICE_SILENCE,
        ours=figures(events=0, found=0, recall=nothing, detect_p50_s=nothing, detect_p95_s=nothing,
                     alerts_per_event=nothing, precision={"0.01": None, "0.001": None},
                     false_per_wearer_day=Interval(0.0081, 0.005, 0.012)),
    )  # fmt: skip


def _fall() -> CodeReport:
    return report(
        AlertCode.VITALS_FALL,
        has_detector=False,
        ours=nothing_found(12),
        baselines={
            "peak > 3 g": figures(
                events=12, recall=Interval(0.69, 0.4, 0.92), false_per_wearer_day=Interval(22.9, 20.1, 26.0)
            )
        },
        variants=[variant("from standing", 12, 0, None)],
    )
