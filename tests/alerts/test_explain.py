"""The two sentences that say why an alert rang."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerts.explain import DecidingFix, Ringing, Told, deciding_fixes, explain, margin_of, threshold_of
from schemas.alerts import AlertCode

AT_MS = 1_795_413_730_000  # 2026-11-23 14:02:10 in Shanghai
MINUTE_MS = 60_000
WHO = Told("w-7（手环 band-7）于 2026-11-23 14:02:10 ", "w-7 (band-7) ")


def fix(n: int, distance_m: float, accuracy_m: float = 8.0) -> dict[str, Any]:
    return {"time_ms": AT_MS + n * MINUTE_MS, "distance_m": distance_m, "accuracy_m": accuracy_m, "log_odds": 2.1}


OUTSIDE = {
    "zone_name": "居住范围",
    "fixes": [fix(0, 63.4, 15.0), fix(1, 120.0), fix(2, 180.2)],
    "score_log_odds": 6.1,
    "threshold_log_odds": 4.5,
    "schedule_state": {"schedule": None, "holds_since_ms": None, "until_ms": None},
}
SUM = {"score": 7.24, "score_threshold": 6.0}
HEART = {
    "side": "fast",
    "heart_rate_bpm": 112.0,
    "usual_bpm": 70.4,
    "motion_bpm": 2.2,
    "drift_bpm": -1.0,
    "lasted_s": 240,
}
HEART |= SUM | {"spread_bpm": 8.0, "readings": 4}
NIGHTS = SUM | {"night_bpm": 67.0, "usual_bpm": 60.5, "spread_bpm": 2.0, "nights": 2}
OXYGEN = SUM | {"spo2_pct": 85.0, "usual_pct": 97.0, "floor_pct": 90.0, "readings": 3}
FEVER = SUM | {"skin_temp_c": 35.0, "usual_c": 33.0, "spread_c": 0.7}
BATTERY = {"battery_pct": 18.4, "threshold_pct": 20.0, "charging": False}
REMOVED = {
    "kind": "removed",
    "worn_c": 33.2,
    "skin_temp_c": 31.3,
    "lasted_s": 180,
    "readings": 4,
    "score_log_odds": 6.3,
    "threshold": 4.0,
}
FALLEN = {
    "peak_g": 6.4,
    "lasted_s": 300,
    "heart_rate_bpm": 92.0,
    "before_bpm": 74,
    "score_log_odds": 7.61,
    "threshold": 6.0,
}
HEARD = {"last_heard_ms": AT_MS, "silence_after_s": 1200}
KNOWN_PLACE = HEARD | {"silence_after_s": 2820, "plan_s": 1200, "usually_back_after_s": 2820}
EMPTIED = {"rate_pct_h": 2.3, "empty_ms": AT_MS + 480 * MINUTE_MS}
LOST = {"lost": "at_once", "without_s": 1860, "threshold_s": 1800}
NIGHT = {"schedule": "night", "holds_since_ms": AT_MS, "until_ms": AT_MS + 480 * MINUTE_MS}
CURFEW: dict[str, Any] = {
    "zone_name": "住所",
    "distance_m": 300.4,
    "accuracy_m": 8.0,
    "fix_age_s": 30.0,
    "decided_by": "window",
}
CURFEW |= {"schedule_state": NIGHT}
WAY = {"zone_name": "学校", "crossing": True, "decided_by": "way", "depth_m": 41.0, "distance_m": 90.0}
NEARING = {"zone_name": "学校", "distance_m": 120.0, "ring_m": 400.0, "closing_mps": 1.32, "threshold_s": 300.0}
DWELLING = {"zone_name": "学校", "distance_m": 80.0, "lasted_s": 1260, "threshold_s": 1200.0}


def ringing(code: AlertCode, **evidence: Any) -> Ringing:
    return Ringing(
        code=code,
        wearer="w-7",
        device="band-7",
        subject="home",
        onset_ms=AT_MS,
        at_ms=AT_MS + 2 * MINUTE_MS,
        timezone="Asia/Shanghai",
        evidence=evidence,
    )


def test_of_a_whole_place_it_says_how_many_of_how_many() -> None:
    evidence = {"lost": 18, "expected": 60, "usual_share": 0.02, "score_nats": 34.6, "threshold_nats": 14.0}
    told = explain(replace(ringing(AlertCode.SITE_OUTAGE, **evidence), subject="dongqu", device="", wearer=""))
    assert told.zh.startswith("dongqu 于 ")
    assert told.zh.endswith("大量手环同时失联：60 个手环中 18 个（平时 2.0 %），证据 34.6，阈值 14。")
    assert told.en.startswith("dongqu lost many of its bands at once at ")


@pytest.mark.parametrize(
    ("code", "evidence", "zh", "en"),
    [
        pytest.param(
            AlertCode.ZONE_EXIT,
            OUTSIDE,
            "越出“居住范围”：连续 3 个定位点在围栏外 63–180 m（精度 8–15 m），"
            "累计证据 6.1 高于阈值 4.5，围栏此刻生效（全天）。",
            "left “居住范围” at 2026-11-23 14:02:10: 3 fixes in a row lay 63–180 m outside "
            "(accuracy 8–15 m); evidence 6.1 against a threshold of 4.5; the zone holds all day.",
            id="left",
        ),
        pytest.param(
            AlertCode.ZONE_ENTER,
            {
                "fixes": [fix(0, 30.0), fix(1, -20.0), fix(2, -45.0)],
                "score_log_odds": 3.9,
                "threshold": 3.2,
                "probability": 0.9802,
            },
            "进入禁止区域“home”：3 个定位点中有 2 个在围栏内 20–45 m（精度 8 m），"
            "累计证据 3.9（概率 98.0 %）高于阈值 3.2。",
            "entered the keep-out zone “home” at 2026-11-23 14:02:10: 2 of 3 fixes lay 20–45 m inside "
            "(accuracy 8 m); evidence 3.9 (98.0 % sure) against a threshold of 3.2.",
            id="entered",
        ),
        pytest.param(
            AlertCode.ZONE_CURFEW,
            CURFEW,
            "宵禁时段不在“住所”：最后一个定位点在围栏外 300 m（精度 8 m），"
            "生效时段开始时已处于违规一侧，围栏此刻生效（至 22:02）。",
            "was not at “住所” in curfew hours at 2026-11-23 14:02:10: the last fix lay 300 m outside "
            "(accuracy 8 m); already on the wrong side when the hours began; the zone holds until 22:02.",
            id="absent when the window opens",
        ),
        pytest.param(
            AlertCode.ZONE_ENTER,
            WAY,
            "进入禁止区域“学校”：相邻两个定位点之间的路径穿过该区域，深入 41 m，最后一个定位点在围栏外 90 m。",
            "entered the keep-out zone “学校” at 2026-11-23 14:02:10: the way from one fix to the next led "
            "through the zone, 41 m deep; the last fix lay 90 m outside.",
            id="passed through",
        ),
        pytest.param(
            AlertCode.ZONE_APPROACH,
            NEARING,
            "临近“学校”的边界：距边界 120 m，以 1.3 m/s 接近，照此将在 5 分钟内到达。",
            "neared the boundary of “学校” at 2026-11-23 14:02:10: 120 m from the line; closing at 1.3 m/s; "
            "there within 5 min at that pace.",
            id="nearing",
        ),
        pytest.param(
            AlertCode.ZONE_DWELL,
            DWELLING,
            "在“学校”逗留：已持续 21 分钟（阈值 20 分钟），最后一个定位点在围栏外 80 m。",
            "lingered at “学校” at 2026-11-23 14:02:10: for 21 min (threshold 20 min); the last fix lay 80 m outside.",
            id="lingering",
        ),
        pytest.param(
            AlertCode.DEVICE_STRAP,
            {"signal": "strap_closed", "value": False, "occurrences": 3},
            "上报表带已断开：手环一经上报即告警，不作延时判断，共 3 次。",
            "reported its strap open or cut at 2026-11-23 14:02:10: it rings on the band's first word, "
            "without delay; 3 times.",
            id="strap",
        ),
        pytest.param(
            AlertCode.DEVICE_OFF_BODY,
            REMOVED,
            "疑似取下手环：表带闭合而无脉搏、无活动 3 分钟（4 次读数），皮肤温度 31.3 °C，佩戴时 33.2 °C，"
            "累计证据 6.3 高于阈值 4。",
            "seems to have taken the band off at 2026-11-23 14:02:10: strap closed, no pulse and no motion for 3 min "
            "(4 readings); skin at 31.3 °C, while worn 33.2 °C; evidence 6.3 against a threshold of 4.",
            id="taken off",
        ),
        pytest.param(
            AlertCode.DEVICE_OFF_BODY,
            {"kind": "handed_over", "heart_rate_bpm": 86.0, "before_bpm": 68.2, "score_log_odds": 4.6, "threshold": 4},
            "疑似取下手环：脉搏恢复后可能已是他人，心率 86 bpm，此前 68.2 bpm，累计证据 4.6 高于阈值 4。",
            "seems to have taken the band off at 2026-11-23 14:02:10: the pulse that came back may be another "
            "person's; heart rate 86 bpm, before 68.2 bpm; evidence 4.6 against a threshold of 4.",
            id="handed over",
        ),
        pytest.param(
            AlertCode.VITALS_FALL,
            FALLEN,
            "可能跌倒：撞击 6.4 g，此后 5 分钟无活动，脉搏仍在，心率 92 bpm，此前 74 bpm，累计证据 7.6 高于阈值 6。",
            "may have fallen at 2026-11-23 14:02:10: a blow of 6.4 g; then no motion for 5 min, the pulse going on; "
            "heart rate 92 bpm, before 74 bpm; evidence 7.6 against a threshold of 6.",
            id="fall",
        ),
        pytest.param(
            AlertCode.DEVICE_BATTERY,
            BATTERY,
            "电量偏低：电量 18.4 %，阈值 20 %，未在充电。",
            "ran low on battery at 2026-11-23 14:02:10: battery at 18.4 % against a threshold of 20 %; not charging.",
            id="battery",
        ),
        pytest.param(
            AlertCode.DEVICE_BATTERY,
            BATTERY | EMPTIED,
            "电量偏低：电量 18.4 %，阈值 20 %，未在充电，按每小时 2.3 % 的耗电，约 22:02 耗尽。",
            "ran low on battery at 2026-11-23 14:02:10: battery at 18.4 % against a threshold of 20 %; not charging; "
            "empty at about 22:02 at 2.3 % an hour.",
            id="battery, with its end",
        ),
        pytest.param(
            AlertCode.DEVICE_NO_FIX,
            LOST,
            "起无定位：定位骤然消失，仍在上报，但已 31 分钟无定位（阈值 30 分钟）。",
            "lost its position at 2026-11-23 14:02:10: its position vanished at once; it still reports, but without a "
            "position for 31 min (threshold 30 min).",
            id="no fix",
        ),
        pytest.param(
            AlertCode.DEVICE_SILENCE,
            KNOWN_PLACE,
            "起失联：平台最后于 14:02:10 收到消息，超过该手环或此地通常的 47 分钟，此地失联的手环多在 47 分钟内恢复。",
            "fell silent at 2026-11-23 14:02:10: the platform last heard from it at 14:02:10; longer ago than the 47 "
            "min usual for band or place; bands that fall silent here are mostly back within 47 min.",
            id="silence in a dead zone",
        ),
        pytest.param(
            AlertCode.DEVICE_SILENCE,
            HEARD,
            "起失联：平台最后于 14:02:10 收到消息，超过其监管等级允许的 20 分钟。",
            "fell silent at 2026-11-23 14:02:10: the platform last heard from it at 14:02:10; "
            "longer ago than the 20 min that its grade allows.",
            id="silence",
        ),
        pytest.param(
            AlertCode.VITALS_HEART_RATE,
            HEART,
            "起静息心率异常：心率 112 bpm（平时 70.4），已扣除活动 2.2 bpm、近十分钟变化 0 bpm，累计证据 7.2，阈值 6，"
            "已持续 4 分钟，共 4 次读数。",
            "began to show an unusual heart rate at rest at 2026-11-23 14:02:10: heart rate 112 bpm (usually 70.4); "
            "2.2 bpm allowed for motion, 0 bpm for the last ten minutes; evidence 7.2 against a threshold of 6; "
            "for 4 min; in 4 readings.",
            id="heart rate",
        ),
        pytest.param(
            AlertCode.VITALS_SPO2,
            OXYGEN,
            "起血氧偏低：血氧 85 %（平时 97），下限 90 %，累计证据 7.2，阈值 6，共 3 次读数。",
            "began to show low blood oxygen at 2026-11-23 14:02:10: oxygen 85 % (usually 97); the floor is 90 %; "
            "evidence 7.2 against a threshold of 6; in 3 readings.",
            id="blood oxygen",
        ),
        pytest.param(
            AlertCode.VITALS_TEMPERATURE,
            FEVER,
            "体温持续偏高：皮肤温度 35 °C（平时 33），累计证据 7.2，阈值 6。",
            "had been warm for hours at 2026-11-23 14:02:10: skin at 35 °C (usually 33); "
            "evidence 7.2 against a threshold of 6.",
            id="temperature",
        ),
        pytest.param(
            AlertCode.ORDER_EXPIRED,
            {"over_h": 5.21, "renewals": 1},
            "触发“监管期限已过”：over_h 5.2，renewals 1。",
            "rang “order expired” at 2026-11-23 14:02:10: over_h 5.2; renewals 1.",
            id="a kind that has no words of its own",
        ),
    ],
)
def test_an_alert_is_explained_in_one_sentence_a_language(
    code: AlertCode, evidence: dict[str, Any], zh: str, en: str
) -> None:
    assert explain(ringing(code, **evidence)) == (WHO.zh + zh, WHO.en + en)


def test_moments_of_another_day_carry_their_date() -> None:
    state = {"schedule": "night", "until_ms": AT_MS + 16 * 60 * MINUTE_MS}
    said = explain(ringing(AlertCode.ZONE_EXIT, schedule_state=state))
    assert said.en.endswith("the zone holds until 2026-11-24 06:02.")


@pytest.mark.parametrize("code", list(AlertCode), ids=lambda code: code.value)
def test_without_evidence_every_kind_still_has_its_sentences(code: AlertCode) -> None:
    zh, en = explain(ringing(code))
    assert zh.startswith(WHO.zh)
    assert en.startswith(WHO.en)
    assert "{zone}" not in zh + en
    assert (zh[-1], en[-1]) == ("。", ".")


EVERYTHING = (
    OUTSIDE
    | CURFEW
    | WAY
    | NEARING
    | DWELLING
    | HEART
    | NIGHTS
    | OXYGEN
    | FEVER
    | BATTERY
    | EMPTIED
    | KNOWN_PLACE
    | LOST
    | {"occurrences": 3, "probability": 1.0}
)


def test_raised_nights_are_told_apart_from_an_attack() -> None:
    told = explain(replace(ringing(AlertCode.VITALS_HEART_RATE, **NIGHTS), subject="nights"))
    assert told.zh.endswith("起夜间静息心率偏高：夜间静息心率 67 bpm（平时 60.5），连续 2 夜，累计证据 7.2，阈值 6。")
    assert "nights with a raised resting heart rate" in told.en
    assert "resting rate at night 67 bpm (usually 60.5); 2 nights running" in told.en


PARTS = st.sets(st.sampled_from(sorted(EVERYTHING)))


@given(st.sampled_from(AlertCode), PARTS, PARTS)
def test_any_part_of_the_evidence_may_be_missing_or_null(code: AlertCode, kept: set[str], null: set[str]) -> None:
    evidence = {name: EVERYTHING[name] for name in kept} | dict.fromkeys(null, None)
    for sentence in explain(ringing(code, **evidence)):
        assert "None" not in sentence
        assert "\n" not in sentence


def test_the_deciding_fixes_are_those_written_down_or_else_the_last_one() -> None:
    assert [f.distance_m for f in deciding_fixes(ringing(AlertCode.ZONE_EXIT, **OUTSIDE))] == [63.4, 120.0, 180.2]
    curfew = ringing(AlertCode.ZONE_CURFEW, **CURFEW, score_log_odds=5.0)
    assert deciding_fixes(curfew) == [DecidingFix(curfew.at_ms - 30_000, 300.4, 8.0, 5.0)]
    assert deciding_fixes(ringing(AlertCode.DEVICE_BATTERY, **BATTERY)) == []


def test_the_margin_is_what_was_written_down_or_else_score_less_threshold() -> None:
    assert margin_of({"margin_log_odds": 1.5, "score_log_odds": 9.0, "threshold": 4.0}) == 1.5
    assert margin_of({"score_log_odds": 6.0, "threshold_log_odds": 4.5}) == 1.5
    assert margin_of({"score_log_odds": 6.0}) is None
    assert threshold_of({}) is None


@pytest.mark.parametrize(
    ("trick", "evidence", "zh", "en"),
    [
        pytest.param(
            "jump",
            {"from_left_m": 14940.0, "leg_m": 19, "leg_s": 120, "reach_m": 2481, "legs": 1, "stayed_fixes": 3},
            "位置跳变，距原处 14.9 km，连续 3 个定位点停留在新位置。",
            "jump; 14.9 km from where it was; 3 fixes stayed there.",
            id="jump",
        ),
        pytest.param(
            "clone",
            {"from_left_m": 20.0, "leg_m": 6586, "leg_s": 23, "reach_m": 161, "legs": 3, "number_reused": True},
            "同一编号两处出现，距原处 0.0 km，23 秒内移动 6586 m，至多可行 161 m，消息序号被重复使用。",
            "one band in two places; 0.0 km from where it was; 6586 m in 23 s, where 161 m is the most; "
            "a message number came twice.",
            id="clone",
        ),
        pytest.param(
            "freeze",
            {"repeats": 2, "speed_mps": 1.3, "climb_m": None, "steps_per_min": 96.0, "scatters_at_rest": False},
            "位置冻结，3 个新定位点坐标完全相同，接收机速度 1.3 m/s，每分钟 96 步。",
            "frozen position; 3 new fixes at the very same coordinates; at 1.3 m/s by the receiver; 96 steps a minute.",
            id="freeze",
        ),
        pytest.param(
            "drag",
            {"pulled_m": 240, "threshold_m": 190, "rides_at_rest": 0, "steps": 0.0},
            "位置被拖移，静止中漂移 240 m（阈值 190 m），其间 0 步。",
            "dragged position; moved 240 m at rest (threshold 190 m); 0 steps meanwhile.",
            id="drag",
        ),
        pytest.param(
            "replay",
            {"marks_in_order": 3, "threshold_marks": 3},
            "轨迹回放，3 个标记点与先前轨迹逐一重合。",
            "replayed way; 3 marks of an earlier way came again in order.",
            id="replay",
        ),
        pytest.param(
            "clock",
            {"behind_s": 2400, "readings": 3},
            "时钟异常，消息序号递增而时间回退 40 分钟，共 3 次读数。",
            "clock put back; messages count on while their time ran back 40 min; in 3 readings.",
            id="clock",
        ),
        pytest.param("jump", {}, "位置跳变。", "jump.", id="no evidence"),
    ],
)
def test_a_position_that_is_not_credible_is_told_by_its_trick(
    trick: str, evidence: dict[str, Any], zh: str, en: str
) -> None:
    told = explain(replace(ringing(AlertCode.DEVICE_SPOOF, **evidence), subject=trick))
    assert told == Told(
        f"{WHO.zh}起定位不可信：{zh}", f"{WHO.en}began to report what is not credible at 2026-11-23 14:02:10: {en}"
    )
