"""Escaped markup, and the pictures of the evaluation page drawn with it; colours are the page's, by class."""

import html
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from math import log10
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from evaluation.outcome import CodeReport, CurvePoint, Exhibit, Figures, Interval, Series, Span, Variant
from evaluation.table import Say, rate, seconds, share, with_interval

GUIDES_PER_WEARER_DAY: Final = (0.3, 0.1, 0.03, 0.01)
LEAST_PER_WEARER_DAY: Final = 0.001
"""The left edge of a scale of false alerts: zero has no logarithm and is drawn there with all that is rarer."""

GAP_MS: Final = 5 * 60_000
"""Readings farther apart than this are not joined: a line would claim to know what lay between."""

MARKS: Final = ("square", "triangle", "diamond", "cross", "ring")
"""The marks of baselines, in order; ours is a filled disc."""


_VOID: Final = {"br", "input"}


class Markup(str):
    """Text that is markup already and is not escaped again."""

    __slots__ = ()


def tag(name: str, /, *children: str, **attributes: str | float | None) -> Markup:
    """An element. Children are escaped unless they are ``Markup``; an attribute that is None is left out.

    Underscores in attribute names stand for hyphens, one at the end for nothing; numbers keep one decimal.

    >>> tag("text", "a < b", tag("title", "why"), class_="axis", stroke_width=1.25, id=None)
    '<text class="axis" stroke-width="1.2">a &lt; b<title>why</title></text>'
    """
    given = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    if name in _VOID:
        return Markup(f"<{name}{given}>")
    return Markup(f"<{name}{given}>{join(children)}</{name}>")


def join(children: Iterable[str]) -> Markup:
    """Children one after the other, those escaped that are not ``Markup``."""
    return Markup("".join(child if isinstance(child, Markup) else html.escape(child) for child in children))


def _attribute(key: str, value: str | float) -> str:
    text = value if isinstance(value, str) else f"{value:.1f}".removesuffix(".0")
    return f' {key.rstrip("_").replace("_", "-")}="{html.escape(text)}"'


class Scale(NamedTuple):
    """A straight scale from data to the picture; what lies beyond its ends is drawn at them.

    >>> Scale(0, 10, 100, 200)(5), Scale(0, 10, 100, 200)(99), Scale(3, 3, 0, 8)(3)
    (150.0, 200.0, 4.0)
    """

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value is drawn."""
        along = (value - self.low) / (self.high - self.low) if self.high > self.low else 0.5
        return self.start + min(1.0, max(0.0, along)) * (self.end - self.start)


class FalseScale(NamedTuple):
    """The logarithmic scale of false alerts per wearer-day, from ``LEAST_PER_WEARER_DAY``; zero is its left edge.

    >>> scale = FalseScale(10, 0, 400)
    >>> scale(0), scale(0.001), scale(0.1), scale(10)
    (0.0, 0.0, 200.0, 400.0)
    """

    high: float
    start: float
    end: float

    def __call__(self, per_wearer_day: float) -> float:
        """Where a figure is drawn."""
        exponents = Scale(log10(LEAST_PER_WEARER_DAY), log10(self.high), self.start, self.end)
        return exponents(log10(max(per_wearer_day, LEAST_PER_WEARER_DAY)))

    def decades(self) -> list[float]:
        """The powers of ten that the scale is labelled with, after its left edge."""
        first, last = round(log10(LEAST_PER_WEARER_DAY)), round(log10(self.high))
        return [10.0**exponent for exponent in range(first + 1, last + 1)]


def highest_false(codes: Iterable[CodeReport]) -> float:
    """The power of ten, at least 1, at which a scale for all of the codes' false alerts ends."""
    met = [figures.false_per_wearer_day for report in codes for figures in (report.ours, *report.baselines.values())]
    highest = max([1.0, *(figure.high or figure.value or 0.0 for figure in met)])
    ends = (10.0**exponent for exponent in range(9))
    return next(end for end in ends if end >= min(highest, 1e8))


def _svg(width: float, height: float, title: str, *children: str, class_: str) -> Markup:
    parts = (tag("title", title), *children)
    box = f"0 0 {width:g} {height:g}"
    return tag("svg", *parts, class_=class_, viewBox=box, width=width, height=height, role="img", aria_label=title)


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    return tag("line", class_=class_, x1=x1, y1=y1, x2=x2, y2=y2)


def _text(x: float, y: float, words: str, class_: str = "", anchor: str = "start") -> Markup:
    return tag("text", words, class_=class_ or None, x=x, y=y, text_anchor=anchor)


_SHAPES: Final = {
    "square": "M-3.5-3.5h7v7h-7z",
    "triangle": "M0-4.5L4.5 3.5h-9z",
    "diamond": "M0-5L5 0L0 5L-5 0z",
    "cross": "M-4-4L4 4M-4 4L4-4",
    "ring": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0 -8 0z",
    "disc": "M-4.5 0a4.5 4.5 0 1 0 9 0a4.5 4.5 0 1 0 -9 0z",
}


def mark_of(place: int) -> str:
    """The mark of the baseline at that place; after the last they begin again."""
    return MARKS[place % len(MARKS)]


def _mark(shape: str, x: float, y: float, words: str) -> Markup:
    who = "ours" if shape == "disc" else "other"
    at = f"translate({x:.1f} {y:.1f})"
    return tag("path", tag("title", words), class_=f"mark {who}", d=_SHAPES[shape], transform=at)


def legend(shape: str) -> Markup:
    """A mark alone, for the table beside a chart."""
    who = "ours" if shape == "disc" else "other"
    mark = tag("path", class_=f"mark {who}", d=_SHAPES[shape])
    return tag("svg", mark, class_="legend", viewBox="-6 -6 12 12", width=12, height=12, aria_hidden="true")


_CHART: Final = (430.0, 290.0)


def trade_off_chart(report: CodeReport, high: float) -> Markup:
    """Recall against false alerts per wearer-day: curves, and each contestant where it stands with its intervals.

    Ours is left out where no detector is built; ``high`` ends the scale, the same for all charts to be compared.
    """
    width, height = _CHART
    x, y = FalseScale(high, 52, width - 16), Scale(0, 1, height - 44, 14)
    parts = [*_chart_ground(x, y)]
    for name, points in report.curves.items():
        parts += _curve(points, x, y, "ours" if name == "ours" else "other")
    for place, (name, figures) in enumerate(report.baselines.items()):
        parts += _standing(name, figures, x, y, mark_of(place))
    if report.has_detector:
        parts += _standing("ours", report.ours, x, y, "disc")
    return _svg(width, height, f"{report.code}: recall against false alerts per wearer-day", *parts, class_="chart")


def _chart_ground(x: FalseScale, y: Scale) -> Iterator[Markup]:
    for recall in (0.0, 0.25, 0.5, 0.75, 1.0):
        yield _line(x.start, y(recall), x.end, y(recall), "axis" if recall == 0 else "grid")
        yield _text(x.start - 8, y(recall) + 4, f"{recall:.2f}", "tick", "end")
    for per_wearer_day in GUIDES_PER_WEARER_DAY:
        yield _line(x(per_wearer_day), y.start, x(per_wearer_day), y.end, "guide")
    yield _text(x.start, y.start + 16, f"≤{LEAST_PER_WEARER_DAY}", "tick", "middle")
    for per_wearer_day in sorted({*GUIDES_PER_WEARER_DAY, *x.decades()}):
        yield _text(x(per_wearer_day), y.start + 16, f"{per_wearer_day:g}", "tick", "middle")
    yield _text((x.start + x.end) / 2, y.start + 36, "误报/人日 false alerts per wearer-day", "name", "middle")
    middle = (y.start + y.end) / 2
    yield tag(
        "text", "召回 recall", class_="name", text_anchor="middle", transform=f"translate(14 {middle:.1f}) rotate(-90)"
    )


def _curve(points: Sequence[CurvePoint], x: FalseScale, y: Scale, who: str) -> Iterator[Markup]:
    ordered = sorted(points, key=lambda point: (point.false_per_wearer_day, point.recall))
    places = [(x(point.false_per_wearer_day), y(point.recall)) for point in ordered]
    yield tag("path", class_=f"curve {who}", d=_path(places))
    for point, (px, py) in zip(ordered, places, strict=True):
        words = f"{point.setting}: {share(point.recall)}, {rate(point.false_per_wearer_day)}"
        yield tag("circle", tag("title", words), class_=f"setting {who}", cx=px, cy=py, r=2.2)


def _standing(name: str, figures: Figures, x: FalseScale, y: Scale, shape: str) -> Iterator[Markup]:
    recall, false = figures.recall, figures.false_per_wearer_day
    if recall.value is None or false.value is None:
        return
    px, py = x(false.value), y(recall.value)
    who = "ours" if shape == "disc" else "other"
    if false.low is not None and false.high is not None:
        yield _line(x(false.low), py, x(false.high), py, f"whisker {who}")
    if recall.low is not None and recall.high is not None:
        yield _line(px, y(recall.low), px, y(recall.high), f"whisker {who}")
    yield _mark(shape, px, py, f"{name}: {with_interval(recall, share)}, {with_interval(false, rate)}")


def _path(places: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places) if places else ""


_BAR_HEIGHT: Final = 24.0


def kind_bars(variants: Sequence[Variant]) -> Markup:
    """Recall by kind as bars from 0 to 1 with intervals, and how many of how many events were found."""
    width, height = 480.0, len(variants) * _BAR_HEIGHT + 22
    x = Scale(0, 1, 132, 330)
    parts = [*(_line(x(at), 0, x(at), height - 18, "grid") for at in (0.0, 0.5, 1.0))]
    parts += [_text(x(at), height - 4, f"{at:g}", "tick", "middle") for at in (0.0, 0.5, 1.0)]
    for place, variant in enumerate(variants):
        parts += _bar(variant, x, place * _BAR_HEIGHT + _BAR_HEIGHT / 2)
    return _svg(width, height, "recall by kind", *parts, class_="bars")


def _bar(variant: Variant, x: Scale, middle: float) -> Iterator[Markup]:
    yield _text(x.start - 10, middle + 4, _clipped(variant.kind, 20), "name", "end")
    if variant.recall.value is not None:
        yield tag("rect", class_="bar", x=x.start, y=middle - 6, width=x(variant.recall.value) - x.start, height=12)
    if variant.recall.low is not None and variant.recall.high is not None:
        yield _line(x(variant.recall.low), middle, x(variant.recall.high), middle, "whisker ours")
    yield _text(x.end + 52, middle + 4, share(variant.recall.value), "figure", "end")
    yield _text(x.end + 104, middle + 4, f"{variant.found}/{variant.events}", "tick", "end")
    yield _text(x.end + 150, middle + 4, seconds(variant.detect_p50_s), "tick", "end")


def _clipped(words: str, most: int) -> str:
    return words if len(words) <= most else words[: most - 1] + "…"


_ROW: Final = (180.0, 22.0)


def recall_axis() -> Markup:
    """What ``recall_row`` is read by."""
    return _row_axis(_RECALL_ROW, {"0": 0.0, "0.5": 0.5, "1": 1.0})


def false_axis(high: float) -> Markup:
    """What ``false_row`` is read by."""
    return _row_axis(_false_row_scale(high), {"0": 0.0, "0.01": 0.01, "0.1": 0.1, "1": 1.0})


def recall_row(report: CodeReport) -> Markup:
    """Recall of ours and of the baselines on one line from 0 to 1."""
    figures = {name: f.recall for name, f in report.baselines.items()}
    return _row(_RECALL_ROW, (0.0, 0.5, 1.0), _ours(report, report.ours.recall), figures, share)


def false_row(report: CodeReport, high: float) -> Markup:
    """False alerts per wearer-day of ours and of the baselines on one line, with the guides."""
    figures = {name: f.false_per_wearer_day for name, f in report.baselines.items()}
    ours = _ours(report, report.ours.false_per_wearer_day)
    return _row(_false_row_scale(high), GUIDES_PER_WEARER_DAY, ours, figures, rate)


_RECALL_ROW: Final = Scale(0, 1, 12, 168)


def _false_row_scale(high: float) -> FalseScale:
    return FalseScale(high, 12, 168)


def _ours(report: CodeReport, figure: Interval) -> Interval:
    return figure if report.has_detector else Interval()


def _row_axis(x: Scale | FalseScale, ticks: Mapping[str, float]) -> Markup:
    parts = [_text(x(at), 11, words, "tick", "middle") for words, at in ticks.items()]
    return _svg(_ROW[0], 14, "scale", *parts, class_="row")


def _row(
    x: Scale | FalseScale, guides: Sequence[float], ours: Interval, others: Mapping[str, Interval], say: Say
) -> Markup:
    width, height = _ROW
    middle = height / 2
    parts = [_line(x(at), 0, x(at), height, "grid") for at in guides]
    for place, (name, figure) in enumerate(others.items()):
        if figure.value is not None:
            parts.append(_mark(mark_of(place), x(figure.value), middle, f"{name}: {with_interval(figure, say)}"))
    if ours.low is not None and ours.high is not None:
        parts.append(_line(x(ours.low), middle, x(ours.high), middle, "whisker ours"))
    if ours.value is not None:
        parts.append(_mark("disc", x(ours.value), middle, f"ours: {with_interval(ours, say)}"))
    return _svg(width, height, "ours among the baselines", *parts, class_="row")


def load_bar(figure: Interval, target: float) -> Markup:
    """A load with its interval on a line from nothing to twice the target, the target marked."""
    x = Scale(0, 2 * target, 0, 200)
    parts = [tag("rect", class_="track", x=0, y=5, width=200, height=8)]
    if figure.value is not None:
        who = "bar" if figure.value <= target else "bar over"
        parts.append(tag("rect", class_=who, x=0, y=5, width=x(figure.value), height=8))
    if figure.low is not None and figure.high is not None:
        parts.append(_line(x(figure.low), 9, x(figure.high), 9, "whisker ours"))
    parts.append(_line(x(target), 0, x(target), 18, "target"))
    return _svg(200, 18, f"{rate(figure.value)} of a target of {target}", *parts, class_="load")


_WIDTH: Final = 1090.0
_FROM, _TO = 160.0, 1040.0
_LANE_HEIGHT: Final = 20.0
_SERIES_HEIGHT: Final = 72.0
_LANES: Final = {"truth": "实情 truth", "ours": "告警 ours", "context": "情境 context"}
_LETTER: Final = 6.2
"""Width of a letter at the size of labels, px; Chinese ones take two."""


def timeline(exhibit: Exhibit, zone: ZoneInfo) -> Markup:
    """What there was to see round a miss or a false alert: lanes of what lasted, over the signals, one local clock."""
    x = _time_scale(exhibit)
    lanes = _lanes(exhibit.spans)
    top = 20.0
    series_top = top + len(lanes) * _LANE_HEIGHT + 8
    bottom = series_top + len(exhibit.series) * _SERIES_HEIGHT
    parts = [*_clock(x, bottom, zone)]
    for place, (lane, spans) in enumerate(lanes.items()):
        parts += _lane(lane, spans, x, top + place * _LANE_HEIGHT)
    for place, series in enumerate(exhibit.series):
        parts += _signal(series, x, series_top + place * _SERIES_HEIGHT)
    parts += [_line(x(exhibit.at_ms), top - 6, x(exhibit.at_ms), bottom, "moment")]
    parts += [_text(x(exhibit.at_ms), top - 9, clock_time(exhibit.at_ms, zone), "moment", "middle")]
    return _svg(_WIDTH, bottom + 22, f"{exhibit.code}, {exhibit.device}", *parts, class_="timeline")


def clock_time(time_ms: int, zone: ZoneInfo) -> str:
    """Hours, minutes and seconds on the local clock.

    >>> clock_time(0, ZoneInfo("Asia/Shanghai"))
    '08:00:00'
    """
    return local(time_ms, zone).strftime("%H:%M:%S")


def local(time_ms: int, zone: ZoneInfo) -> datetime:
    """A moment in local time."""
    return datetime.fromtimestamp(time_ms / 1000, UTC).astimezone(zone)


def _time_scale(exhibit: Exhibit) -> Scale:
    # Where there are signals they set the frame: a context that lasts a week would squeeze them to a line.
    framed = [time_ms for series in exhibit.series for time_ms in series.times_ms]
    framed = framed or [time_ms for span in exhibit.spans for time_ms in (span.start_ms, span.end_ms)]
    times = [*framed, exhibit.at_ms]
    return Scale(min(times), max(times), _FROM, _TO)


def _lanes(spans: Sequence[Span]) -> dict[str, list[Span]]:
    names = dict.fromkeys([*_LANES, *(span.lane for span in spans)])
    return {name: sorted((s for s in spans if s.lane == name), key=lambda s: s.start_ms) for name in names}


_TICK_STEPS_S: Final = (60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
_MOST_TICKS: Final = 9


def _clock(x: Scale, bottom: float, zone: ZoneInfo) -> Iterator[Markup]:
    yield _line(x.start, bottom, x.end, bottom, "axis")
    day = None
    for time_ms in clock_ticks(int(x.low), int(x.high), zone):
        at = local(time_ms, zone)
        words = f"{at:%H:%M}" if at.date() == day else f"{at:%m-%d %H:%M}"
        day = at.date()
        yield _line(x(time_ms), 20, x(time_ms), bottom, "grid")
        yield _text(x(time_ms), bottom + 15, words, "tick", "middle")


def clock_ticks(from_ms: int, to_ms: int, zone: ZoneInfo) -> list[int]:
    """Round local times between two moments, UTC ms: at most nine up to nine days, then one a day.

    >>> clock_ticks(0, 5_400_000, ZoneInfo("Asia/Shanghai"))
    [0, 900000, 1800000, 2700000, 3600000, 4500000, 5400000]
    """
    span_s = (to_ms - from_ms) / 1000
    step_ms = 1000 * next((step for step in _TICK_STEPS_S if span_s / step < _MOST_TICKS), _TICK_STEPS_S[-1])
    offset = local(from_ms, zone).utcoffset() or timedelta()
    offset_ms = int(offset.total_seconds() * 1000)
    first = -(-(from_ms + offset_ms) // step_ms) * step_ms - offset_ms
    return list(range(first, to_ms + 1, step_ms))


def _lane(lane: str, spans: Sequence[Span], x: Scale, top: float) -> Iterator[Markup]:
    who = lane if lane in _LANES else "baseline"
    yield _text(x.start - 12, top + 14, _clipped(_LANES.get(lane, lane), 22), "name", "end")
    yield _line(x.start, top + _LANE_HEIGHT / 2, x.end, top + _LANE_HEIGHT / 2, "grid")
    seen = [span for span in spans if span.end_ms >= x.low and span.start_ms <= x.high]
    starts = [*(x(span.start_ms) for span in seen), _WIDTH]
    for span, (start, next_start) in zip(seen, pairwise(starts), strict=True):
        width = max(3.0, x(span.end_ms) - start)
        what = tag("title", f"{lane}: {span.label or lane}")
        yield tag("rect", what, class_=f"span {who}", x=start, y=top + 3, width=width, height=_LANE_HEIGHT - 6, rx=2)
        yield from _span_label(span, start, start + width, next_start, top + 14)


def _span_label(span: Span, start: float, end: float, next_start: float, y: float) -> Iterator[Markup]:
    needs = sum(_LETTER * (1 if letter.isascii() else 2) for letter in span.label) + 8
    if span.label and needs <= end - start:
        yield _text(start + 5, y, span.label, f"inside {span.lane}" if span.lane in _LANES else "inside")
    elif span.label and end + needs <= next_start:
        yield _text(end + 5, y, span.label, "beside")


def _signal(series: Series, x: Scale, top: float) -> Iterator[Markup]:
    yield _text(x.start - 44, top + 34, _clipped(series.name, 18), "name", "end")
    yield _text(x.start - 44, top + 49, series.unit, "tick", "end")
    levels = [value for value in (*series.values, series.threshold) if value is not None]
    y = Scale(min(levels, default=0.0), max(levels, default=1.0), top + _SERIES_HEIGHT - 12, top + 12)
    runs = unbroken(series)
    if not runs:
        yield _text((x.start + x.end) / 2, top + 40, "无数据 no data", "tick", "middle")
        return
    for level in dict.fromkeys((y.low, y.high)):
        yield _text(x.start - 6, y(level) + 4, f"{level:.4g}", "tick", "end")
    for before, after in pairwise(runs):
        start, end = x(before[-1][0]), x(after[0][0])
        yield tag("rect", class_="gap", x=start, y=top + 4, width=end - start, height=_SERIES_HEIGHT - 8)
    for run in runs:
        yield _run(run, x, y)
    if series.threshold is not None:
        yield _line(x.start, y(series.threshold), x.end, y(series.threshold), "threshold")
        yield _text(x.end + 6, y(series.threshold) + 4, f"{series.threshold:.4g}", "threshold")


def _run(run: Sequence[tuple[int, float]], x: Scale, y: Scale) -> Markup:
    places = [(x(time_ms), y(value)) for time_ms, value in run]
    if len(places) == 1:
        return tag("circle", class_="signal dot", cx=places[0][0], cy=places[0][1], r=1.8)
    return tag("path", class_="signal", d=_path(places))


def unbroken(series: Series) -> list[list[tuple[int, float]]]:
    """The stretches of a signal without a gap: no value missing and no two readings more than ``GAP_MS`` apart.

    >>> minutes = [0, 1, 8, 9, 10]
    >>> unbroken(Series(name="hr", unit="bpm", times_ms=[m * 60_000 for m in minutes], values=[61, 62, 70, None, 71]))
    [[(0, 61), (60000, 62)], [(480000, 70)], [(600000, 71)]]
    """
    runs: list[list[tuple[int, float]]] = []
    joins = False
    for time_ms, value in zip(series.times_ms, series.values, strict=True):
        if value is None:
            joins = False
            continue
        if joins and time_ms - runs[-1][-1][0] <= GAP_MS:
            runs[-1].append((time_ms, value))
        else:
            runs.append([(time_ms, value)])
        joins = True
    return runs
