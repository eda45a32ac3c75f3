"""An evaluation as one page to look at: no network, nothing outside the file."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from string import Template
from typing import Final
from zoneinfo import ZoneInfo

from evaluation import sampling_table
from evaluation.outcome import (
    EVENT_RATES,
    Check,
    CodeReport,
    ContextReport,
    Evaluation,
    Exhibit,
    Figures,
    Interval,
    Load,
    Sampling,
)
from evaluation.svg import (
    Markup,
    false_axis,
    false_row,
    highest_false,
    join,
    kind_bars,
    legend,
    load_bar,
    local,
    mark_of,
    recall_axis,
    recall_row,
    tag,
    timeline,
    trade_off_chart,
)
from evaluation.table import (
    NOTHING,
    TARGET_PER_WEARER_DAY,
    Say,
    most_first,
    per_occurrence,
    precise,
    rate,
    seconds,
    share,
    without_detector,
)
from schemas.alerts import KINDS, AlertCode, Priority

_TEMPLATE: Final = Template((Path(__file__).parent / "page.html").read_text(encoding="utf-8"))
_WORST: Final = 3
_EXHIBIT_KINDS: Final = {"missed": "漏报 missed", "false": "误报 false"}
_PRIORITIES: Final = {
    Priority.HIGHEST.label: "最高 highest",
    Priority.HIGH.label: "高 high",
    Priority.MEDIUM.label: "中 medium",
    Priority.LOW.label: "低 low",
    Priority.WELFARE.label: "关怀 welfare",
}
_NONE: Final = tag("p", "无 / None", class_="panel muted")


def as_html(evaluation: Evaluation, timezone: str = "Asia/Shanghai") -> str:
    """The whole page, times by the clock of ``timezone``; raises ``ZoneInfoNotFoundError`` where there is none such."""
    high = highest_false(evaluation.codes)
    return _TEMPLATE.substitute(
        title=join([f"检测评估 / Evaluation: {evaluation.title}"]),
        made=_made(evaluation),
        strip=join(_strip(evaluation)),
        overview=_overview(evaluation.codes, high),
        codes=join(_code(report, high) for report in evaluation.codes),
        contexts=_contexts(evaluation.contexts),
        load=_load(evaluation.load),
        sampling=_sampling(evaluation.sampling),
        checks=_checks(evaluation.checks),
        exhibits=_exhibits(evaluation.exhibits, ZoneInfo(timezone)),
        footer=_footer(evaluation, timezone),
    )


def _made(evaluation: Evaluation) -> Markup:
    seed = "" if evaluation.seed is None else f" · seed {evaluation.seed}"
    reporting = f" · {evaluation.reporting}" if evaluation.reporting else ""
    degraded = f" · 降质 degraded by {', '.join(evaluation.degradations)}" if evaluation.degradations else ""
    return join(
        [tag("code", evaluation.command), tag("p", f"{evaluation.date}{seed}{reporting}{degraded}", class_="muted")]
    )


def _footer(evaluation: Evaluation, timezone: str) -> Markup:
    took = " · ".join(f"{stage} {duration:.1f} s" for stage, duration in evaluation.seconds.items())
    return join(
        [
            tag("p", "区间：按佩戴者自助抽样的 95 % / Intervals: 95 %, by bootstrap over wearers."),
            tag("p", f"时区 / Times: {timezone}. 用时 / Took: {took or NOTHING}."),
        ]
    )


def _strip(evaluation: Evaluation) -> Iterator[Markup]:
    watched = f"{evaluation.wearers:,} 人 wearers · {evaluation.readings:,} 条 readings"
    yield _tile("观察人日 / Wearer-days", _big(f"{evaluation.wearer_days:,.0f}"), tag("small", watched))
    yield _tile("每人日事件 / Incidents per wearer-day", *_load_figure(evaluation.load.per_wearer_day))
    built = [report for report in evaluation.codes if report.has_detector]
    yield _tile("最低召回 / Lowest recall", _worst(built, lambda r: r.ours.recall, share, sign=1))
    most_false = _worst(built, lambda r: r.ours.false_per_wearer_day, rate, sign=-1)
    yield _tile("每人日误报最多 / Most false per wearer-day", most_false)
    yield _tile("核验 / Checks", *_checks_figure(evaluation.checks), *_not_built(evaluation.codes))


def _tile(heading: str, *parts: str) -> Markup:
    return tag("div", tag("h4", heading), *parts)


def _big(words: str, class_: str | None = None) -> Markup:
    return tag("strong", words, class_=class_)


def _load_figure(figure: Interval) -> Iterator[Markup]:
    yield _big(rate(figure.value))
    yield load_bar(figure, TARGET_PER_WEARER_DAY)
    if figure.value is None:
        return
    held = figure.value <= TARGET_PER_WEARER_DAY
    verdict = "达标 within" if held else "超出 above"
    words = f"{verdict} {TARGET_PER_WEARER_DAY} · {_range(figure, rate)}"
    yield tag("small", words, class_=None if held else "bad")


def _checks_figure(checks: Sequence[Check]) -> Iterator[Markup]:
    failed = [check for check in checks if not check.passed]
    yield _big(f"{len(checks) - len(failed)} / {len(checks)}", "bad" if failed else None)
    yield from (tag("small", f"未通过 failed: {check.name}", class_="bad") for check in failed)


def _not_built(codes: Iterable[CodeReport]) -> Iterator[Markup]:
    if names := [report.code.value for report in without_detector(codes)]:
        yield tag("small", f"尚无检测器 no detector yet: {', '.join(names)}")


def _worst(codes: Iterable[CodeReport], figure: Callable[[CodeReport], Interval], say: Say, *, sign: int) -> Markup:
    counted = [(sign * value, report.code) for report in codes if (value := figure(report).value) is not None]
    worst = sorted(counted)[:_WORST]
    return tag("ul", *(tag("li", _link(code), tag("span", say(sign * value))) for value, code in worst))


def _link(code: AlertCode) -> Markup:
    return tag("a", f"{KINDS[code].zh} {code}", href=f"#{code}", title=KINDS[code].en)


def _range(figure: Interval, say: Say) -> str:
    return "" if figure.low is None or figure.high is None else f"{say(figure.low)}–{say(figure.high)}"


def _figure(figure: Interval, say: Say) -> Markup:
    return tag("td", say(figure.value), " ", tag("span", _range(figure, say), class_="range"), class_="n")


def _number(words: str) -> Markup:
    return tag("td", words, class_="n")


def _table(headings: Sequence[str], rows: Iterable[Markup], left: int = 1) -> Markup:
    heads = (_heading(words, class_=None if place < left else "n") for place, words in enumerate(headings))
    return tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows))


def _heading(words: str, class_: str | None = None) -> Markup:
    zh, _, en = words.partition(" ")
    return tag("th", zh, tag("small", en), class_=class_)


def _overview(codes: Sequence[CodeReport], high: float) -> Markup:
    heads = (
        _heading("告警 alert"),
        _heading("实情 events", "n"),
        _heading("召回 recall", "n"),
        tag("th", recall_axis()),
        _heading("误报/人日 false", "n"),
        tag("th", false_axis(high)),
        _heading("用时中位 to find p50", "n"),
        _heading("用时高位 to find p95", "n"),
    )
    rows = (_overview_row(report, high) for report in codes)
    return tag("table", tag("thead", tag("tr", *heads)), tag("tbody", *rows))


def _overview_row(report: CodeReport, high: float) -> Markup:
    ours = report.ours if report.has_detector else None
    return tag(
        "tr",
        tag("td", _link(report.code)),
        _number(f"{report.ours.events:,}"),
        _number(share(ours.recall.value)) if ours else tag("td", "尚无检测器 no detector", class_="n muted"),
        tag("td", recall_row(report)),
        _number(rate(ours.false_per_wearer_day.value) if ours else NOTHING),
        tag("td", false_row(report, high)),
        _number(seconds(ours.detect_p50_s.value) if ours else NOTHING),
        _number(seconds(ours.detect_p95_s.value) if ours else NOTHING),
    )


def _code(report: CodeReport, high: float) -> Markup:
    kind = KINDS[report.code]
    title = tag("h3", f"{kind.zh} / {kind.en}")
    state = tag("span", _PRIORITIES[kind.priority.label], class_="muted")
    return tag(
        "section",
        tag("header", title, tag("code", report.code), state, _plainly(report)),
        tag("div", _contestants(report), class_="wide"),
        tag("div", *_pictures(report, high), class_="pictures"),
        class_="code panel",
        id=report.code,
    )


def _pictures(report: CodeReport, high: float) -> Iterator[Markup]:
    if any(figures.events for figures in (report.ours, *report.baselines.values())):
        yield tag("div", trade_off_chart(report, high))
    if report.variants:
        yield tag("div", tag("h4", "各情形召回 / Recall by kind"), kind_bars(report.variants))


def _plainly(report: CodeReport) -> Markup:
    events = f"{report.ours.events:,} 起实情 events"
    if report.has_detector or not report.ours.events:
        return tag("span", events, class_="muted")
    return tag("span", f"尚无检测器，{events}，全部漏报 / No detector yet: all of them are missed", class_="bad")


_CONTESTANT_HEADINGS: Final = (
    "检测 detector",
    "召回 recall",
    "误报/人日 false per wearer-day",
    "最差一成 worst tenth",
    "用时中位 to find p50",
    "用时高位 to find p95",
    f"精确率 precision at {EVENT_RATES[0]}",
    "告警/实情 alerts/event",
    "另有原因 explained",
)


def _contestants(report: CodeReport) -> Markup:
    ours = [_contestant("本系统 ours", "disc", report.ours)] if report.has_detector else []
    others = [_contestant(name, mark_of(place), f) for place, (name, f) in enumerate(report.baselines.items())]
    return _table(_CONTESTANT_HEADINGS, [*ours, *others]) if ours or others else Markup()


def _contestant(name: str, mark: str, figures: Figures) -> Markup:
    return tag(
        "tr",
        tag("td", legend(mark), name, class_="who"),
        _figure(figures.recall, share),
        _figure(figures.false_per_wearer_day, rate),
        _number(rate(figures.worst_decile_per_wearer_day)),
        _figure(figures.detect_p50_s, seconds),
        _figure(figures.detect_p95_s, seconds),
        _number(precise(figures, EVENT_RATES[0])),
        _number(rate(figures.alerts_per_event.value)),
        _number(f"{figures.explained:,}"),
        class_="ours" if mark == "disc" else "other",
    )


def _contexts(contexts: Sequence[ContextReport]) -> Markup:
    if not contexts:
        return _NONE
    rows = (
        tag(
            "tr",
            tag("td", context.context, tag("br"), tag("small", most_first(context.false_alerts))),
            _number(f"{context.occurrences:,}"),
            _number(rate(per_occurrence(context))),
        )
        for context in contexts
    )
    headings = ("干扰情境 hard negative", "次数 occurrences", "每次误报 false each")
    return tag("div", _table(headings, rows), class_="panel")


def _load(load: Load) -> Markup:
    figures = {
        "全部 all": load.per_wearer_day,
        "无实情 without an event": load.without_event_per_wearer_day,
        "全程无实情者 wearers without any event": load.undisturbed_per_wearer_day,
    }
    by_figure = (tag("tr", tag("td", name), _figure(figure, rate)) for name, figure in figures.items())
    by_priority = (
        tag("tr", tag("td", words), _number(f"{load.by_priority[name]:,}"))
        for name, words in _PRIORITIES.items()
        if name in load.by_priority
    )
    return tag(
        "div",
        _table(("事件 incidents", "每人日 per wearer-day"), by_figure),
        tag("br"),
        _table(("优先级 priority", f"共{load.incidents:,}起 incidents"), by_priority),
        class_="panel",
    )


_SAMPLING_HEADINGS: Final = (
    "告警 alert",
    "实情 events",
    "用时中位 to find p50",
    "95分位 p95",
    "99分位 p99",
    "更早/更晚 sooner / later",
    "召回 recall",
    "误报/人日 false per wearer-day",
)


def _sampling(sampling: Sampling | None) -> Markup:
    if sampling is None:
        return tag("p", "未闭环：无人指令手环 / Open: nobody commands the bands", class_="panel muted")
    compared = (
        tag("tr", tag("td", pair.code), *map(_number, cells))
        for pair, cells in zip(sampling.codes, sampling_table.rows(sampling), strict=True)
    )
    spent = (tag("tr", tag("td", name), tag("td", words)) for name, words in sampling_table.costs(sampling))
    return tag(
        "div",
        tag("p", f"{sampling_table.READ_SO} {sampling_table.INTERVALS}", class_="muted"),
        tag("div", _table(_SAMPLING_HEADINGS, compared), class_="wide"),
        tag("br"),
        _table(("代价 cost", ""), spent, left=2),
        class_="panel",
    )


def _checks(checks: Sequence[Check]) -> Markup:
    if not checks:
        return _NONE
    return tag("div", _table(("结果 result", "核验 check", "说明 detail"), map(_check, checks), left=3), class_="panel")


def _check(check: Check) -> Markup:
    words, class_ = ("通过 passed", "good") if check.passed else ("未通过 FAILED", "bad")
    return tag("tr", tag("td", words, class_=class_), tag("td", check.name), tag("td", check.detail, class_="muted"))


def _exhibits(exhibits: Sequence[Exhibit], zone: ZoneInfo) -> Markup:
    if not exhibits:
        return _NONE
    codes = list(dict.fromkeys(exhibit.code for exhibit in exhibits))
    groups = (_exhibit_group(code, [e for e in exhibits if e.code == code], zone) for code in codes)
    return join([_filter(codes), *groups])


def _filter(codes: Iterable[AlertCode]) -> Markup:
    kinds = {"": "全部 all"} | _EXHIBIT_KINDS
    radios = (tag("label", _radio(kind), words) for kind, words in kinds.items())
    options = (tag("option", f"{KINDS[code].zh} {code}", value=code) for code in codes)
    every = tag("option", "全部告警 all alerts", value="")
    return tag("form", *radios, tag("select", every, *options, name="code", aria_label="alert"), class_="filter")


def _radio(kind: str) -> Markup:
    return tag("input", type="radio", name="kind", value=kind, checked=None if kind else "checked")


def _exhibit_group(code: AlertCode, exhibits: Sequence[Exhibit], zone: ZoneInfo) -> Markup:
    heading = tag("h3", f"{KINDS[code].zh} / {KINDS[code].en}")
    return tag("section", heading, *(_exhibit(e, zone) for e in exhibits), class_="exhibits", data_code=code)


def _exhibit(exhibit: Exhibit, zone: ZoneInfo) -> Markup:
    head = (
        tag("b", _EXHIBIT_KINDS.get(exhibit.kind, exhibit.kind)),
        tag("span", f"{local(exhibit.at_ms, zone):%Y-%m-%d %H:%M:%S}"),
        tag("span", exhibit.device, class_="muted"),
        tag("span", exhibit.note),
    )
    picture = tag("div", timeline(exhibit, zone), class_="wide")
    return tag("article", tag("header", *head), picture, class_=f"exhibit panel {exhibit.kind}", data_kind=exhibit.kind)
