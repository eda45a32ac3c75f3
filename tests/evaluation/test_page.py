import re
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest
from playwright.sync_api import Browser

from evaluation.outcome import Check, ContextReport, Exhibit, Interval, Series
from evaluation.page import as_html
from evaluation.svg import timeline, trade_off_chart
from schemas.alerts import KINDS, AlertCode
from tests.evaluation.build import (
    START_MS,
    curve,
    evaluation,
    exhibit,
    figures,
    load,
    nothing_found,
    report,
    rich_evaluation,
    span,
    variant,
    wave,
    with_gap,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOSTILE = "\"'><script>alert(1)</script>&amp;"


class Elements(HTMLParser):
    """Every element with its attributes and its own text; refuses tags that do not nest."""

    VOID = frozenset({"meta", "link", "br", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    def of(self, tag: str, class_: str) -> list[dict[str, str | None]]:
        return [
            a for name, a in self.found if name == tag and set(class_.split()) <= set((a.get("class") or "").split())
        ]


def ours_at(drawn: Elements) -> tuple[float, float]:
    """Where our mark stands in a chart."""
    (mark,) = drawn.of("path", "mark ours")
    x, y = re.findall(r"[\d.]+", mark["transform"] or "")
    return float(x), float(y)


def drawn_lines(exhibited: Exhibit) -> int:
    return len(Elements(timeline(exhibited, SHANGHAI)).of("path", "signal"))


def test_the_page_is_whole_and_needs_nothing_else() -> None:
    text = as_html(rich_evaluation())
    links = [a.get("href") or a.get("src") or "" for _, a in Elements(text).found if "href" in a or "src" in a]
    assert all(link.startswith(("#", "data:")) for link in links)
    assert re.findall(r"https?:|url\(|@import", text) == []
    assert "default-src 'none'" in text


def test_an_evaluation_with_nothing_in_it_is_a_page_too() -> None:
    words = Elements(as_html(evaluation(codes=[], seconds={}))).words
    assert words.count("无 / None") == 3


def test_whatever_is_in_the_figures_is_text_and_no_markup() -> None:
    hostile = evaluation(
        title=HOSTILE,
        command=HOSTILE,
        date=HOSTILE,
        degradations=[HOSTILE],
        seconds={HOSTILE: 1.0},
        codes=[
            report(
                baselines={HOSTILE: figures()},
                variants=[variant(HOSTILE, 5, 5)],
                curves={"ours": curve((HOSTILE, 0.1, 0.5)), HOSTILE: curve((HOSTILE, 0.2, 0.5))},
            )
        ],
        contexts=[ContextReport(context=HOSTILE, occurrences=1, false_alerts={HOSTILE: 1})],
        checks=[Check(name=HOSTILE, passed=False, detail=HOSTILE)],
        exhibits=[
            exhibit(
                kind=HOSTILE,
                device=HOSTILE,
                note=HOSTILE,
                spans=[span("truth", HOSTILE, 0, 170), span(HOSTILE, HOSTILE, 5, 6)],
                series=[wave(HOSTILE, HOSTILE, level=0, swing=1)],
            )
        ],
    )
    plain = [name for name, _ in Elements(as_html(evaluation())).found]
    page = Elements(as_html(hostile))
    assert [name for name, _ in page.found].count("script") == plain.count("script") == 1
    assert page.words.count(HOSTILE) >= 8


@pytest.mark.parametrize("code", [AlertCode.ZONE_EXIT, AlertCode.VITALS_FALL])
def test_a_code_is_headed_in_both_languages(code: AlertCode) -> None:
    assert f"{KINDS[code].zh} / {KINDS[code].en}" in Elements(as_html(evaluation(codes=[report(code)]))).words


def test_a_code_without_detector_says_so_and_has_no_mark_of_ours() -> None:
    fall = report(AlertCode.VITALS_FALL, has_detector=False, ours=nothing_found(12), baselines={"peak": figures()})
    page = Elements(as_html(evaluation(codes=[fall])))
    assert "尚无检测器，12 起实情 events，全部漏报 / No detector yet: all of them are missed" in page.words
    assert page.of("path", "mark ours") == []
    assert len(page.of("path", "mark other")) == 4  # in the chart, beside its name and on both lines of the overview


@pytest.mark.parametrize(
    ("per_wearer_day", "verdict"),
    [(0.14, "达标 within 0.14 · 0.125–0.157"), (0.15, "超出 above 0.14 · 0.135–0.167")],
)
def test_the_load_is_held_against_the_target(per_wearer_day: float, verdict: str) -> None:
    assert verdict in Elements(as_html(evaluation(load=load(per_wearer_day)))).words


def test_the_worst_codes_are_named_first_and_those_without_detector_apart() -> None:
    codes = [
        report(AlertCode.ZONE_EXIT, ours=figures(recall=Interval(0.9, 0.8, 1.0))),
        report(AlertCode.DEVICE_SPOOF, ours=figures(recall=Interval(0.4, 0.3, 0.5))),
        report(AlertCode.VITALS_FALL, has_detector=False, ours=nothing_found(12)),
    ]
    words = Elements(as_html(evaluation(codes=codes))).words
    lowest = words[words.index("最低召回 / Lowest recall") :]
    assert [w for w in lowest if w][1:5] == ["定位异常 device.spoof", "0.400", "越界 zone.exit", "0.900"]
    assert "尚无检测器 no detector yet: vitals.fall" in words


def test_the_chart_runs_from_rare_to_frequent_and_from_nothing_to_all() -> None:
    def standing(false: float, recall: float) -> tuple[float, float]:
        held = figures(recall=Interval(recall), false_per_wearer_day=Interval(false))
        return ours_at(Elements(trade_off_chart(report(ours=held), 10)))

    assert standing(0.01, 0.5)[0] < standing(0.1, 0.5)[0] < standing(1, 0.5)[0]
    assert standing(0.1, 0.5)[0] - standing(0.01, 0.5)[0] == pytest.approx(
        standing(1, 0.5)[0] - standing(0.1, 0.5)[0], abs=0.2
    )
    assert standing(0.1, 0.9)[1] < standing(0.1, 0.1)[1]


def test_no_false_alert_at_all_is_drawn_at_the_left_edge() -> None:
    none = report(ours=figures(false_per_wearer_day=Interval(0.0, 0.0, 0.0)))
    drawn = Elements(trade_off_chart(none, 10))
    (axis,) = drawn.of("line", "axis")
    assert ours_at(drawn)[0] == float(axis["x1"] or "nan")


def test_a_chart_has_the_guides_our_interval_cross_and_every_curve() -> None:
    chart = trade_off_chart(
        report(
            baselines={"naive": figures()},
            curves={"ours": curve(("a", 0.1, 0.5), ("b", 0.2, 0.6)), "naive": curve(("c", 0.3, 0.9))},
        ),
        10,
    )
    drawn = Elements(chart)
    assert len(drawn.of("line", "guide")) == 4
    assert [len(drawn.of("line", f"whisker {who}")) for who in ("ours", "other")] == [2, 2]
    assert [len(drawn.of("path", f"curve {who}")) for who in ("ours", "other")] == [1, 1]
    assert {"0.3", "0.1", "0.03", "0.01"} <= set(drawn.words)


@pytest.mark.parametrize(
    ("missing_minutes", "lines"),
    [pytest.param(4, 1, id="five minutes from one to the next"), pytest.param(5, 2, id="more than five minutes")],
)
def test_a_signal_is_not_drawn_across_a_gap(missing_minutes: int, lines: int) -> None:
    signal = with_gap(wave("heart rate", "bpm", level=70, swing=5), 60, 60 + missing_minutes)
    assert drawn_lines(exhibit(series=[signal])) == lines


def test_a_signal_is_not_drawn_across_a_value_that_was_not_sent() -> None:
    times = [START_MS + n * 60_000 for n in range(5)]
    signal = Series(name="hr", unit="bpm", times_ms=times, values=[60, 61, None, 62, 63])
    assert drawn_lines(exhibit(series=[signal])) == 2


def test_a_signal_without_any_value_says_so() -> None:
    empty = Series(name="SpO2", unit="%", times_ms=[], values=[], threshold=90.0)
    assert "无数据 no data" in Elements(timeline(exhibit(series=[empty]), SHANGHAI)).words


def test_truth_ours_and_context_have_their_lanes_even_when_empty() -> None:
    shown = exhibit(spans=[span("naive", "", 30, 40), span("truth", "brief", 75, 79)])
    words = Elements(timeline(shown, SHANGHAI)).words
    assert [w for w in words if w in {"实情 truth", "告警 ours", "情境 context", "naive"}] == [
        "实情 truth",
        "告警 ours",
        "情境 context",
        "naive",
    ]


def test_a_context_longer_than_the_signals_does_not_squeeze_them() -> None:
    drawn = Elements(timeline(exhibit(spans=[span("context", "night shift", -5_000, 5_000)]), SHANGHAI))
    (signal,) = drawn.of("path", "signal")
    (axis,) = drawn.of("line", "axis")
    first, *_, last = re.findall(r"[ML]([\d.]+)", signal["d"] or "")
    assert (float(first), float(last)) == (float(axis["x1"] or "nan"), float(axis["x2"] or "nan"))
    assert "night shift" in drawn.words


@pytest.mark.parametrize(
    ("timezone", "shown", "tick"),
    [("Asia/Shanghai", "2026-11-21 01:15:00", "11-21 00:00"), ("UTC", "2026-11-20 17:15:00", "11-20 16:00")],
)
def test_times_are_shown_by_the_clock_asked_for(timezone: str, shown: str, tick: str) -> None:
    words = Elements(as_html(evaluation(exhibits=[exhibit()]), timezone)).words
    assert {shown, tick} <= set(words)


def test_an_unknown_clock_is_refused() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        as_html(evaluation(), "Asia/Atlantis")


@pytest.mark.parametrize(
    ("kind", "code", "left", "groups"),
    [
        pytest.param("", "", ["missed", "false", "false"], 2, id="all"),
        pytest.param("missed", "", ["missed"], 1, id="missed"),
        pytest.param("false", "", ["false", "false"], 2, id="false"),
        pytest.param("", "vitals.heart_rate", ["false"], 1, id="one code"),
        pytest.param("missed", "vitals.heart_rate", [], 0, id="none of a code"),
    ],
)
def test_exhibits_are_filtered_by_kind_and_code(
    browser: Browser, tmp_path: Path, kind: str, code: str, left: list[str], groups: int
) -> None:
    path = tmp_path / "page.html"
    path.write_text(as_html(rich_evaluation()), encoding="utf-8")
    page = browser.new_page()
    try:
        page.goto(path.as_uri())
        page.check(f'input[name=kind][value="{kind}"]')
        page.select_option("select[name=code]", code)
        shown = page.locator(".exhibit:visible")
        assert [item.get_attribute("data-kind") for item in shown.all()] == left
        assert page.locator(".exhibits:visible").count() == groups
    finally:
        page.close()
