"""Why a position, or a time, was not believed: the trick and what gave it away, in Chinese and in English."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Evidence = Mapping[str, Any]
Pair = tuple[str, str]


def spoof_reasons(trick: str, evidence: Evidence) -> Iterator[Pair]:
    """What the trick is and what gave it away; an unknown trick says its name, evidence that is missing nothing.

    >>> next(spoof_reasons("freeze", {"repeats": 2, "speed_mps": 1.3}))
    ('位置冻结', 'frozen position')
    """
    name, told = _TRICKS.get(trick, ((trick, trick), _nothing))
    yield name
    yield from told(evidence)


def _hop(evidence: Evidence) -> Iterator[Pair]:
    if evidence.get("from_left_m") is not None:
        km = f"{evidence['from_left_m'] / 1000:.1f}"
        yield f"距原处 {km} km", f"{km} km from where it was"
    leg_m, reach_m = evidence.get("leg_m"), evidence.get("reach_m")
    if leg_m is not None and reach_m is not None and leg_m > reach_m:
        leg_s = evidence.get("leg_s", 0)
        yield (
            f"{leg_s} 秒内移动 {leg_m} m，至多可行 {reach_m} m",
            f"{leg_m} m in {leg_s} s, where {reach_m} m is the most",
        )
    if evidence.get("stayed_fixes") is not None and evidence.get("legs") == 1:
        yield f"连续 {evidence['stayed_fixes']} 个定位点停留在新位置", f"{evidence['stayed_fixes']} fixes stayed there"
    if evidence.get("number_reused"):
        yield "消息序号被重复使用", "a message number came twice"


def _freeze(evidence: Evidence) -> Iterator[Pair]:
    if evidence.get("repeats") is not None:
        fixes = evidence["repeats"] + 1
        yield f"{fixes} 个新定位点坐标完全相同", f"{fixes} new fixes at the very same coordinates"
    if evidence.get("speed_mps"):
        yield f"接收机速度 {evidence['speed_mps']:g} m/s", f"at {evidence['speed_mps']:g} m/s by the receiver"
    if evidence.get("climb_m"):
        yield f"高度变化 {evidence['climb_m']:g} m", f"the height changed by {evidence['climb_m']:g} m"
    if evidence.get("steps_per_min"):
        yield f"每分钟 {evidence['steps_per_min']:g} 步", f"{evidence['steps_per_min']:g} steps a minute"
    if evidence.get("scatters_at_rest"):
        yield "该接收机静止时坐标从不固定", "a receiver whose fixes scatter at rest"


def _drag(evidence: Evidence) -> Iterator[Pair]:
    if evidence.get("rides_at_rest"):
        yield (
            f"{evidence['rides_at_rest']} 次静止间的车速位移",
            f"{evidence['rides_at_rest']} ways of a vehicle from rest to rest",
        )
    elif evidence.get("pulled_m") is not None and evidence.get("threshold_m") is not None:
        yield (
            f"静止中漂移 {evidence['pulled_m']} m（阈值 {evidence['threshold_m']} m）",
            f"moved {evidence['pulled_m']} m at rest (threshold {evidence['threshold_m']} m)",
        )
    if evidence.get("steps") is not None:
        yield f"其间 {evidence['steps']:g} 步", f"{evidence['steps']:g} steps meanwhile"


def _replay(evidence: Evidence) -> Iterator[Pair]:
    if evidence.get("marks_in_order") is not None:
        marks = evidence["marks_in_order"]
        yield f"{marks} 个标记点与先前轨迹逐一重合", f"{marks} marks of an earlier way came again in order"


def _clock(evidence: Evidence) -> Iterator[Pair]:
    if evidence.get("behind_s") is not None:
        minutes = round(evidence["behind_s"] / 60)
        yield f"消息序号递增而时间回退 {minutes} 分钟", f"messages count on while their time ran back {minutes} min"
    if evidence.get("readings") is not None:
        yield f"共 {evidence['readings']} 次读数", f"in {evidence['readings']} readings"


def _nothing(evidence: Evidence) -> Iterator[Pair]:  # noqa: ARG001
    yield from ()


_TRICKS: Final[dict[str, tuple[Pair, Callable[[Evidence], Iterator[Pair]]]]] = {
    "jump": (("位置跳变", "jump"), _hop),
    "clone": (("同一编号两处出现", "one band in two places"), _hop),
    "freeze": (("位置冻结", "frozen position"), _freeze),
    "drag": (("位置被拖移", "dragged position"), _drag),
    "replay": (("轨迹回放", "replayed way"), _replay),
    "clock": (("时钟异常", "clock put back"), _clock),
}
