"""Why an alert rang, in one Chinese and one English sentence for operators, from its evidence alone.

Evidence is what the detector of that time wrote down: any key may be missing, and then the sentence
says less. No person's name appears, wearers are called by their ids.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from alerts.explain_spoof import spoof_reasons
from schemas.alerts import KINDS, AlertCode
from schemas.registry import FOREVER_MS

Evidence = Mapping[str, Any]

_IN_SECONDS_S: Final = 120
_IN_MINUTES_S: Final = 7200
"""Shorter spans than these are told in seconds and in minutes, longer ones in hours."""


class Told(NamedTuple):
    """The same in Chinese and in English."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ringing:
    """An alert as it opened: who, what, since when (UTC ms), and how people there read the clock.

    ``subject`` is a zone's id or empty; ``evidence`` is that of the event that opened it.
    """

    code: AlertCode
    wearer: str
    device: str
    subject: str
    onset_ms: int
    at_ms: int
    timezone: str
    evidence: Evidence


class DecidingFix(NamedTuple):
    """A fix that the verdict rests on; distance in m, positive outside the zone; None: not written down."""

    time_ms: int | None
    distance_m: float
    accuracy_m: float | None
    log_odds: float | None


def explain(alert: Ringing) -> Told:
    """One sentence in each language: who did what when, and by which evidence against which threshold.

    >>> alert = Ringing(code=AlertCode.ZONE_EXIT, wearer="w-7", device="band-7", subject="home", onset_ms=0, at_ms=0,
    ...     timezone="Asia/Shanghai", evidence={"zone_name": "居住范围", "score_log_odds": 6.1, "threshold": 4.5})
    >>> print(*explain(alert), sep=chr(10))
    w-7（手环 band-7）于 1970-01-01 08:00:00 越出“居住范围”：累计证据 6.1 高于阈值 4.5。
    w-7 (band-7) left “居住范围” at 1970-01-01 08:00:00: evidence 6.1 against a threshold of 4.5.
    """
    at = local_time(alert.onset_ms, alert.timezone)
    what = _what(alert)
    reasons = [told for told in _REASONS.get(alert.code, _anything)(alert) if told is not None]
    because = Told("，".join(told.zh for told in reasons), "; ".join(told.en for told in reasons))
    who = _who(alert)
    return Told(
        f"{who.zh}于 {at} {what.zh}{'：' if reasons else ''}{because.zh}。",
        f"{who.en} {what.en} at {at}{': ' if reasons else ''}{because.en}.",
    )


def _who(alert: Ringing) -> Told:
    """A wearer and their band; of a whole place, its org."""
    if not alert.device:
        return Told(f"{alert.subject} ", alert.subject)
    return Told(f"{alert.wearer}（手环 {alert.device}）", f"{alert.wearer} ({alert.device})")


def deciding_fixes(alert: Ringing) -> list[DecidingFix]:
    """The fixes that decided; where only the last one was written down, that one; none for what no fix decides.

    What nears a boundary does so from either side: its distance has no sign, and is told in the sentence only.
    """
    evidence = alert.evidence
    if alert.code is AlertCode.ZONE_APPROACH:
        return []
    fixes = [_fix(one) for one in evidence.get("fixes") or () if one.get("distance_m") is not None]
    if fixes or evidence.get("distance_m") is None:
        return fixes
    age_s = evidence.get("fix_age_s")
    time_ms = None if age_s is None else alert.at_ms - round(age_s * 1000)
    return [DecidingFix(time_ms, evidence["distance_m"], evidence.get("accuracy_m"), evidence.get("score_log_odds"))]


def threshold_of(evidence: Evidence) -> float | None:
    """The log odds that had to be reached, None where no such threshold decided."""
    threshold: float | None = evidence.get("threshold", evidence.get("threshold_log_odds"))
    return threshold


def margin_of(evidence: Evidence) -> float | None:
    """By how many log odds the score passed the threshold."""
    margin, score, threshold = evidence.get("margin_log_odds"), evidence.get("score_log_odds"), threshold_of(evidence)
    return score - threshold if margin is None and score is not None and threshold is not None else margin


def local_time(time_ms: int, timezone: str) -> str:
    """A moment as the clock on the wall shows it.

    >>> local_time(0, "Asia/Shanghai")
    '1970-01-01 08:00:00'
    """
    return _local(time_ms, timezone).strftime("%Y-%m-%d %H:%M:%S")


_WHAT: Final[dict[AlertCode, Told]] = {
    AlertCode.ZONE_EXIT: Told("越出“{zone}”", "left “{zone}”"),
    AlertCode.ZONE_ENTER: Told("进入禁止区域“{zone}”", "entered the keep-out zone “{zone}”"),
    AlertCode.ZONE_CURFEW: Told("宵禁时段不在“{zone}”", "was not at “{zone}” in curfew hours"),
    AlertCode.ZONE_APPROACH: Told("临近“{zone}”的边界", "neared the boundary of “{zone}”"),
    AlertCode.ZONE_DWELL: Told("在“{zone}”逗留", "lingered at “{zone}”"),
    AlertCode.LEAVE_OVERSTAY: Told("超假未归", "was not back from leave"),
    AlertCode.DEVICE_STRAP: Told("上报表带已断开", "reported its strap open or cut"),
    AlertCode.DEVICE_CASE: Told("上报外壳已打开", "reported its case open"),
    AlertCode.DEVICE_OFF_BODY: Told("疑似取下手环", "seems to have taken the band off"),
    AlertCode.DEVICE_SOS: Told("按下求助键", "called for help"),
    AlertCode.DEVICE_BATTERY: Told("电量偏低", "ran low on battery"),
    AlertCode.DEVICE_SILENCE: Told("起失联", "fell silent"),
    AlertCode.DEVICE_SPOOF: Told("起定位不可信", "began to report what is not credible"),
    AlertCode.DEVICE_NO_FIX: Told("起无定位", "lost its position"),
    AlertCode.VITALS_HEART_RATE: Told("起静息心率异常", "began to show an unusual heart rate at rest"),
    AlertCode.VITALS_SPO2: Told("起血氧偏低", "began to show low blood oxygen"),
    AlertCode.VITALS_TEMPERATURE: Told("体温持续偏高", "had been warm for hours"),
    AlertCode.VITALS_FALL: Told("可能跌倒", "may have fallen"),
    AlertCode.SITE_OUTAGE: Told("大量手环同时失联", "lost many of its bands at once"),
}
_NIGHTS: Final = Told("起夜间静息心率偏高", "began to have nights with a raised resting heart rate")
"""The heart rate's other alert, told apart by its subject."""


def _what(alert: Ringing) -> Told:
    kind = KINDS[alert.code]
    nights = alert.code is AlertCode.VITALS_HEART_RATE and alert.subject == "nights"
    what = _NIGHTS if nights else _WHAT.get(alert.code, Told(f"触发“{kind.zh}”", f"rang “{kind.en}”"))
    zone = alert.evidence.get("zone_name") or alert.subject
    return Told(what.zh.replace("{zone}", zone), what.en.replace("{zone}", zone))


def _zone(alert: Ringing) -> Iterable[Told | None]:
    yield _crossing(alert.evidence)
    yield _fixes(deciding_fixes(alert))
    yield _score(alert.evidence)
    yield _window(alert)
    yield _schedule(alert)


def _crossing(evidence: Evidence) -> Told | None:
    if not evidence.get("crossing"):
        return None
    depth_m = evidence.get("depth_m")
    zh, en = ("", "") if depth_m is None else (f"，深入 {depth_m:.0f} m", f", {depth_m:.0f} m deep")
    return Told(f"相邻两个定位点之间的路径穿过该区域{zh}", f"the way from one fix to the next led through the zone{en}")


def _fixes(fixes: Sequence[DecidingFix]) -> Told | None:
    """Where the fixes lay that agree with the last one about the side."""
    if not fixes:
        return None
    outside = fixes[-1].distance_m > 0
    agreeing = [fix for fix in fixes if (fix.distance_m > 0) == outside]
    metres = _range(abs(fix.distance_m) for fix in agreeing)
    accuracy = _range(fix.accuracy_m for fix in agreeing if fix.accuracy_m is not None)
    zh, en = ("外", "outside") if outside else ("内", "inside")
    lay = _how_many(len(agreeing), len(fixes))
    return Told(
        f"{lay.zh}在围栏{zh} {metres} m{f'（精度 {accuracy} m）' if accuracy else ''}",
        f"{lay.en} lay {metres} m {en}{f' (accuracy {accuracy} m)' if accuracy else ''}",
    )


def _how_many(agreeing: int, fixes: int) -> Told:
    if agreeing < fixes:
        return Told(f"{fixes} 个定位点中有 {agreeing} 个", f"{agreeing} of {fixes} fixes")
    if fixes == 1:
        return Told("最后一个定位点", "the last fix")
    return Told(f"连续 {fixes} 个定位点", f"{fixes} fixes in a row")


def _score(evidence: Evidence) -> Told | None:
    score, threshold = evidence.get("score_log_odds"), threshold_of(evidence)
    if score is None or threshold is None:
        return None
    probability = evidence.get("probability")
    sure = "" if probability is None else _percent(probability)
    zh, en = (f"（概率 {sure}）", f" ({sure} sure)") if sure else (" ", "")
    # A belief outlives the rules that formed it: their threshold may have been lower.
    than = f"{zh}高于" if score > threshold else f"{zh.strip()}，"
    return Told(
        f"累计证据 {_number(score)}{than}阈值 {_number(threshold)}",
        f"evidence {_number(score)}{en} against a threshold of {_number(threshold)}",
    )


def _window(alert: Ringing) -> Told | None:
    if alert.evidence.get("decided_by") != "window":
        return None
    return Told("生效时段开始时已处于违规一侧", "already on the wrong side when the hours began")


def _schedule(alert: Ringing) -> Told | None:
    state = alert.evidence.get("schedule_state")
    if not state:
        return None
    until_ms = state.get("until_ms")
    if until_ms is not None and until_ms < FOREVER_MS:
        until = _near(until_ms, alert)
        return Told(f"围栏此刻生效（至 {until}）", f"the zone holds until {until}")
    if state.get("schedule"):
        return Told("围栏此刻生效", "the zone holds at this time")
    return Told("围栏此刻生效（全天）", "the zone holds all day")


def _latched(alert: Ringing) -> Iterable[Told | None]:
    yield Told("手环一经上报即告警，不作延时判断", "it rings on the band's first word, without delay")
    times = alert.evidence.get("occurrences") or 1
    yield None if times <= 1 else Told(f"共 {times} 次", f"{times} times")


def _battery(alert: Ringing) -> Iterable[Told | None]:
    level, threshold = alert.evidence.get("battery_pct"), alert.evidence.get("threshold_pct")
    if level is not None and threshold is not None:
        yield Told(
            f"电量 {_number(level)} %，阈值 {_number(threshold)} %",
            f"battery at {_number(level)} % against a threshold of {_number(threshold)} %",
        )
    yield Told("未在充电", "not charging") if alert.evidence.get("charging") is False else None
    rate, empty_ms = alert.evidence.get("rate_pct_h"), alert.evidence.get("empty_ms")
    if rate is not None and empty_ms is not None:
        empty = _near(empty_ms, alert)
        yield Told(
            f"按每小时 {_number(rate)} % 的耗电，约 {empty} 耗尽",
            f"empty at about {empty} at {_number(rate)} % an hour",
        )


def _silence(alert: Ringing) -> Iterable[Told | None]:
    heard_ms, after_s = alert.evidence.get("last_heard_ms"), alert.evidence.get("silence_after_s")
    if heard_ms is not None:
        heard = _near(heard_ms, alert, "%H:%M:%S")
        yield Told(f"平台最后于 {heard} 收到消息", f"the platform last heard from it at {heard}")
    if after_s is not None:
        lasting = _lasting(after_s)
        if after_s > (alert.evidence.get("plan_s") or after_s):
            yield Told(
                f"超过该手环或此地通常的 {lasting.zh}", f"longer ago than the {lasting.en} usual for band or place"
            )
        else:
            yield Told(f"超过其监管等级允许的 {lasting.zh}", f"longer ago than the {lasting.en} that its grade allows")
    back_s = alert.evidence.get("usually_back_after_s")
    if back_s is not None:
        back = _lasting(back_s)
        yield Told(
            f"此地失联的手环多在 {back.zh}内恢复", f"bands that fall silent here are mostly back within {back.en}"
        )


def _outage(alert: Ringing) -> Iterable[Told | None]:
    lost, expected, usual = (alert.evidence.get(name) for name in ("lost", "expected", "usual_share"))
    if lost is not None and expected is not None:
        zh, en = ("", "") if usual is None else (f"（平时 {_percent(usual)}）", f" (usually {_percent(usual)})")
        yield Told(f"{expected} 个手环中 {lost} 个{zh}", f"{lost} of {expected} bands{en}")
    nats, threshold = alert.evidence.get("score_nats"), alert.evidence.get("threshold_nats")
    if nats is not None and threshold is not None:
        yield Told(
            f"证据 {_number(nats)}，阈值 {_number(threshold)}",
            f"evidence {_number(nats)} against a threshold of {_number(threshold)}",
        )
    listed = alert.evidence.get("silences_listed")
    yield None if not listed else Told(f"其中 {listed} 起失联不再单独告警", f"{listed} silences are part of it")


_LOST: Final = {
    "at_once": Told("定位骤然消失", "its position vanished at once"),
    "faded": Told("信号渐弱后消失", "its position faded away"),
    "vague": Told("只有千米级的模糊定位", "its fixes are kilometres vague"),
}


def _no_fix(alert: Ringing) -> Iterable[Told | None]:
    yield _LOST.get(alert.evidence.get("lost") or "")
    without_s, threshold_s = alert.evidence.get("without_s"), alert.evidence.get("threshold_s")
    if without_s is not None and threshold_s is not None:
        without, threshold = _lasting(without_s), _lasting(threshold_s)
        yield Told(
            f"仍在上报，但已 {without.zh}无定位（阈值 {threshold.zh}）",
            f"it still reports, but without a position for {without.en} (threshold {threshold.en})",
        )


def _spoof(alert: Ringing) -> Iterable[Told | None]:
    return (Told(*pair) for pair in spoof_reasons(alert.subject, alert.evidence))


def _heart_rate(alert: Ringing) -> Iterable[Told | None]:
    yield _against_usual(alert.evidence, "heart_rate_bpm", "usual_bpm", Told("心率", "heart rate"), "bpm")
    yield _against_usual(alert.evidence, "night_bpm", "usual_bpm", Told("夜间静息心率", "resting rate at night"), "bpm")
    allowed = [(alert.evidence.get("motion_bpm") or 0.0), (alert.evidence.get("drift_bpm") or 0.0)]
    if max(allowed) >= 1.0:
        motion, drift = (_number(max(bpm, 0.0)) for bpm in allowed)
        yield Told(
            f"已扣除活动 {motion} bpm、近十分钟变化 {drift} bpm",
            f"{motion} bpm allowed for motion, {drift} bpm for the last ten minutes",
        )
    nights = alert.evidence.get("nights")
    yield None if nights is None else Told(f"连续 {nights} 夜", f"{nights} nights running")
    yield from _summed(alert.evidence)


def _oxygen(alert: Ringing) -> Iterable[Told | None]:
    yield _against_usual(alert.evidence, "spo2_pct", "usual_pct", Told("血氧", "oxygen"), "%")
    floor = alert.evidence.get("floor_pct")
    yield None if floor is None else Told(f"下限 {_number(floor)} %", f"the floor is {_number(floor)} %")
    yield from _summed(alert.evidence)


def _temperature(alert: Ringing) -> Iterable[Told | None]:
    yield _against_usual(alert.evidence, "skin_temp_c", "usual_c", Told("皮肤温度", "skin at"), "°C")
    yield from _summed(alert.evidence)


def _against_usual(evidence: Evidence, measured: str, usual: str, what: Told, unit: str) -> Told | None:
    """What was measured, and what is usual for this person at such a time."""
    value, level = evidence.get(measured), evidence.get(usual)
    if value is None:
        return None
    zh, en = ("", "") if level is None else (f"（平时 {_number(level)}）", f" (usually {_number(level)})")
    return Told(f"{what.zh} {_number(value)} {unit}{zh}", f"{what.en} {_number(value)} {unit}{en}")


def _summed(evidence: Evidence) -> Iterable[Told | None]:
    """Evidence summed over readings."""
    score, threshold = evidence.get("score"), evidence.get("score_threshold")
    if score is not None and threshold is not None:
        yield Told(
            f"累计证据 {_number(score)}，阈值 {_number(threshold)}",
            f"evidence {_number(score)} against a threshold of {_number(threshold)}",
        )
    lasted_s, readings = evidence.get("lasted_s"), evidence.get("readings")
    if lasted_s is not None:
        lasted = _lasting(lasted_s)
        yield Told(f"已持续 {lasted.zh}", f"for {lasted.en}")
    yield None if readings is None else Told(f"共 {readings} 次读数", f"in {readings} readings")


def _off_body(alert: Ringing) -> Iterable[Told | None]:
    yield from _another_body(alert) if alert.evidence.get("kind") == "handed_over" else _nobody(alert)
    yield _score(alert.evidence)


def _nobody(alert: Ringing) -> Iterable[Told | None]:
    evidence = alert.evidence
    lasted_s, readings = evidence.get("lasted_s"), evidence.get("readings")
    if lasted_s is not None:
        lasting = _lasting(lasted_s)
        zh, en = ("", "") if readings is None else (f"（{readings} 次读数）", f" ({readings} readings)")
        yield Told(
            f"表带闭合而无脉搏、无活动 {lasting.zh}{zh}",
            f"strap closed, no pulse and no motion for {lasting.en}{en}",
        )
    worn_c, skin_c = evidence.get("worn_c"), evidence.get("skin_temp_c")
    if worn_c is not None and skin_c is not None:
        yield Told(
            f"皮肤温度 {_number(skin_c)} °C，佩戴时 {_number(worn_c)} °C",
            f"skin at {_number(skin_c)} °C, while worn {_number(worn_c)} °C",
        )


def _another_body(alert: Ringing) -> Iterable[Told | None]:
    yield Told("脉搏恢复后可能已是他人", "the pulse that came back may be another person's")
    yield _rate_before(alert.evidence)


def _fall(alert: Ringing) -> Iterable[Told | None]:
    peak_g, lasted_s = alert.evidence.get("peak_g"), alert.evidence.get("lasted_s")
    yield None if peak_g is None else Told(f"撞击 {_number(peak_g)} g", f"a blow of {_number(peak_g)} g")
    if lasted_s is not None:
        lasting = _lasting(lasted_s)
        yield Told(f"此后 {lasting.zh}无活动，脉搏仍在", f"then no motion for {lasting.en}, the pulse going on")
    yield _rate_before(alert.evidence)
    yield _score(alert.evidence)


def _rate_before(evidence: Evidence) -> Told | None:
    rate, before = evidence.get("heart_rate_bpm"), evidence.get("before_bpm")
    if not rate or not before:
        return None
    return Told(
        f"心率 {_number(rate)} bpm，此前 {_number(before)} bpm",
        f"heart rate {_number(rate)} bpm, before {_number(before)} bpm",
    )


def _approach(alert: Ringing) -> Iterable[Told | None]:
    room_m, closing_mps = alert.evidence.get("distance_m"), alert.evidence.get("closing_mps")
    within_s = alert.evidence.get("threshold_s")
    yield None if room_m is None else Told(f"距边界 {room_m:.0f} m", f"{room_m:.0f} m from the line")
    if closing_mps is not None:
        yield Told(f"以 {_number(closing_mps)} m/s 接近", f"closing at {_number(closing_mps)} m/s")
    if within_s is not None:
        within = _lasting(within_s)
        yield Told(f"照此将在 {within.zh}内到达", f"there within {within.en} at that pace")
    yield _schedule(alert)


def _dwell(alert: Ringing) -> Iterable[Told | None]:
    yield _lasted(alert.evidence)
    yield _fixes(deciding_fixes(alert))
    yield _schedule(alert)


def _lasted(evidence: Evidence) -> Told | None:
    lasted_s, threshold_s = evidence.get("lasted_s"), evidence.get("threshold_s")
    if lasted_s is None or threshold_s is None:
        return None
    lasted, threshold = _lasting(lasted_s), _lasting(threshold_s)
    return Told(f"已持续 {lasted.zh}（阈值 {threshold.zh}）", f"for {lasted.en} (threshold {threshold.en})")


def _anything(alert: Ringing) -> Iterable[Told | None]:
    """Evidence that nobody has words for yet, by its own names: they carry their units."""
    for name, value in alert.evidence.items():
        if isinstance(value, int | float):
            said = f"{name} {_number(value) if isinstance(value, float) else value}"
            yield Told(said, said)


_REASONS: Final[dict[AlertCode, Callable[[Ringing], Iterable[Told | None]]]] = {
    AlertCode.ZONE_EXIT: _zone,
    AlertCode.ZONE_ENTER: _zone,
    AlertCode.ZONE_CURFEW: _zone,
    AlertCode.ZONE_APPROACH: _approach,
    AlertCode.ZONE_DWELL: _dwell,
    AlertCode.LEAVE_OVERSTAY: _zone,
    AlertCode.DEVICE_STRAP: _latched,
    AlertCode.DEVICE_CASE: _latched,
    AlertCode.DEVICE_OFF_BODY: _off_body,
    AlertCode.DEVICE_SOS: _latched,
    AlertCode.DEVICE_BATTERY: _battery,
    AlertCode.DEVICE_SILENCE: _silence,
    AlertCode.DEVICE_SPOOF: _spoof,
    AlertCode.DEVICE_NO_FIX: _no_fix,
    AlertCode.VITALS_HEART_RATE: _heart_rate,
    AlertCode.VITALS_SPO2: _oxygen,
    AlertCode.VITALS_TEMPERATURE: _temperature,
    AlertCode.VITALS_FALL: _fall,
    AlertCode.SITE_OUTAGE: _outage,
}


def _fix(one: Evidence) -> DecidingFix:
    return DecidingFix(one.get("time_ms"), one["distance_m"], one.get("accuracy_m"), one.get("log_odds"))


def _local(time_ms: int, timezone: str) -> datetime:
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(ZoneInfo(timezone))


def _near(time_ms: int, alert: Ringing, clock: str = "%H:%M") -> str:
    """A moment, with its date where that is not the onset's."""
    at, onset = _local(time_ms, alert.timezone), _local(alert.onset_ms, alert.timezone)
    return at.strftime(clock if at.date() == onset.date() else f"%Y-%m-%d {clock}")


def _range(numbers: Iterable[float]) -> str:
    """The span of some numbers, rounded; empty for none.

    >>> _range([180.4, 63.2]), _range([8.0, 8.2]), _range([])
    ('63–180', '8', '')
    """
    rounded = sorted(round(number) for number in numbers)
    return "–".join(str(number) for number in dict.fromkeys(rounded[:1] + rounded[-1:]))


def _number(value: float) -> str:
    """One decimal, where it has one.

    >>> _number(6.04), _number(20.0), _number(4.5)
    ('6', '20', '4.5')
    """
    return f"{round(value, 1):g}"


def _percent(probability: float) -> str:
    """As much of a share as can be said without claiming certainty.

    >>> _percent(0.9777), _percent(0.99998)
    ('97.8 %', 'over 99.9 %')
    """
    said = f"{probability:.1%}"
    return "over 99.9 %" if said == "100.0%" else said.replace("%", " %")


def _lasting(seconds: float) -> Told:
    """A duration as people say it.

    >>> _lasting(90), _lasting(1200)
    (Told(zh='90 秒', en='90 s'), Told(zh='20 分钟', en='20 min'))
    """
    if seconds < _IN_SECONDS_S:
        return Told(f"{_number(seconds)} 秒", f"{_number(seconds)} s")
    if seconds < _IN_MINUTES_S:
        return Told(f"{_number(seconds / 60)} 分钟", f"{_number(seconds / 60)} min")
    return Told(f"{_number(seconds / 3600)} 小时", f"{_number(seconds / 3600)} h")
