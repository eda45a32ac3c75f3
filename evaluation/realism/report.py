"""How unlike reality are the simulated days? The three comparisons and the published figures, also as Markdown."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from evaluation.outcome import Interval
from evaluation.realism.days import DaySample, fitbit_days
from evaluation.realism.features import (
    hour_features,
    lifesnaps_hours,
    lifesnaps_nights,
    minute_features,
    night_features,
)
from evaluation.realism.targets import Target, marginal_targets
from evaluation.realism.two_sample import Comparison, compare

UNREALISTIC_AUC: Final = 0.8


class Realism(msgspec.Struct, frozen=True, kw_only=True):
    """How unlike reality: three comparisons and the published figures."""

    comparisons: list[Comparison]
    targets: list[Target]


def realism_report(simulated: Sequence[DaySample], folder: Path, *, seed: int) -> Realism:
    """Compare simulated days with the real ones under ``folder`` (``fitbit_minute``, ``lifesnaps_daily``).

    Raises ``FileNotFoundError`` where a file is missing. Needs scikit-learn.
    """
    real = fitbit_days(folder)
    sides = (
        ("minutes", "Fitbit, 3 people", minute_features(simulated), minute_features(real)),
        ("hourly steps", "LifeSnaps, 36 people", hour_features(simulated), lifesnaps_hours(folder)),
        ("daily values", "LifeSnaps, 36 people", night_features(simulated), lifesnaps_nights(folder)),
    )
    return Realism(
        comparisons=[compare(*side, seed=seed) for side in sides],
        targets=marginal_targets(simulated, real),
    )


def as_markdown(realism: Realism) -> str:
    """The report as Markdown: one table of tests, the features of each by how telling they are, the figures."""
    parts = [_tests_table(realism.comparisons), *(_features_table(one) for one in realism.comparisons)]
    return "\n\n".join([*parts, _targets_table(realism.targets)]) + "\n"


def _tests_table(comparisons: Sequence[Comparison]) -> str:
    rows = [
        f"| {one.name} | {one.source}, {one.real_days} days | {one.simulated_people} people, {one.simulated_days} days "
        f"| {_interval(one.auc)} | {one.by} | {'no' if (one.auc.value or 0.0) > UNREALISTIC_AUC else 'yes'} |"
        for one in comparisons
    ]
    head = f"| days by | real | simulated | AUC (95 %) | told by | realistic (≤ {UNREALISTIC_AUC:g}) |"
    return "\n".join([head, "|---|---|---|---|---|---|", *rows])


def _features_table(comparison: Comparison) -> str:
    rows = [
        f"| {one.feature} | {one.auc:.2f} | {_triple(one.simulated)} | {_triple(one.real)} "
        f"| {one.simulated_missing:.0%} / {one.real_missing:.0%} |"
        for one in comparison.marginals
    ]
    title = f"What tells them apart, by {comparison.name}; 10 / 50 / 90 % of days:"
    head = "| feature | AUC alone | simulated | real | missing |\n|---|---|---|---|---|"
    left_out = (
        f"\n\nLeft out, one side hardly has them: {', '.join(comparison.left_out)}." if comparison.left_out else ""
    )
    return f"{title}\n\n" + "\n".join([head, *rows]) + left_out


def _targets_table(targets: Sequence[Target]) -> str:
    rows = [
        f"| {one.name} | {one.unit} | {_figure(one.measured)} | {_range(one)} | {_figure(one.real_days)} |"
        for one in targets
    ]
    head = "| figure | unit | simulated | real, published | real, by this code |"
    return "\n".join([head, "|---|---|---|---|---|", *rows])


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3g}"


def _interval(interval: Interval) -> str:
    if interval.value is None or interval.low is None or interval.high is None:
        return "–"
    return f"{interval.value:.2f} ({interval.low:.2f}–{interval.high:.2f})"


def _triple(quantiles: Sequence[float]) -> str:
    return " / ".join(f"{value:.3g}" if abs(value) < 1_000 else f"{value:.0f}" for value in quantiles)  # noqa: PLR2004


def _range(target: Target) -> str:
    return f"{target.low:g}" if target.low == target.high else f"{target.low:g} to {target.high:g}"
