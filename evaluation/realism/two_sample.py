"""Can a classifier tell the sides apart? Asked about people it has never seen; and each feature by itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from evaluation.outcome import Interval
from evaluation.realism.days import Flags, Floats
from evaluation.realism.features import Features

LEAST_PRESENT: Final = 0.1
"""A feature that fewer days of either side have is left out."""
FOLDS: Final = 5
RESAMPLES: Final = 1_000


class Marginal(msgspec.Struct, frozen=True, kw_only=True):
    """One feature alone: how well it tells the two apart (0.5 to 1), its 10/50/90 % quantiles, shares without it."""

    feature: str
    auc: float
    simulated: list[float]
    real: list[float]
    simulated_missing: float
    real_missing: float


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """One classifier two-sample test: ``auc`` is of the more telling classifier, ``by`` its name.

    ``left_out`` names features that only one side has: they would decide, and say nothing about behaviour.
    """

    name: str
    source: str
    simulated_people: int
    simulated_days: int
    real_people: int
    real_days: int
    auc: Interval
    by: str
    aucs: dict[str, float]
    marginals: list[Marginal]
    left_out: list[str]


def compare(name: str, source: str, simulated: Features, real: Features, *, seed: int) -> Comparison:
    """Teach two classifiers to tell the sides apart and ask them about people they have not seen.

    Raises ``ValueError`` where a side has fewer than two people, since none could be held out.
    """
    shared = _shared(simulated, real)
    sides = _Sides.of(
        *_equally_blind(simulated.rows[:, shared], real.rows[:, shared], np.random.default_rng(seed)),
        simulated.people,
        real.people,
        seed,
    )
    scores = {by: sides.held_out(make, seed) for by, make in CLASSIFIERS.items()}
    aucs = {by: sides.auc(score) for by, score in scores.items()}
    by = max(aucs, key=lambda name: aucs[name])
    return Comparison(
        name=name,
        source=source,
        simulated_people=len(set(simulated.people)),
        simulated_days=len(simulated.rows),
        real_people=len(set(real.people)),
        real_days=len(real.rows),
        auc=sides.interval(scores[by], seed),
        by=by,
        aucs=aucs,
        marginals=marginals(simulated, real),
        left_out=[name for name, kept in zip(simulated.names, shared, strict=True) if not kept],
    )


def marginals(simulated: Features, real: Features) -> list[Marginal]:
    """Each feature that both sides have, the most telling first."""
    told = [
        _marginal(simulated.names[n], simulated.rows[:, n], real.rows[:, n])
        for n in np.flatnonzero(_shared(simulated, real))
    ]
    return sorted(told, key=lambda marginal: (-marginal.auc, marginal.feature))


def _marginal(feature: str, simulated: Floats, real: Floats) -> Marginal:
    here, there = simulated[np.isfinite(simulated)], real[np.isfinite(real)]
    auc = rank_auc(here, there)
    return Marginal(
        feature=feature,
        auc=max(auc, 1.0 - auc),
        simulated=np.quantile(here, (0.1, 0.5, 0.9)).tolist(),
        real=np.quantile(there, (0.1, 0.5, 0.9)).tolist(),
        simulated_missing=1.0 - len(here) / len(simulated),
        real_missing=1.0 - len(there) / len(real),
    )


def rank_auc(low: Floats, high: Floats) -> float:
    """The chance that one of ``high`` exceeds one of ``low``, equals counted half.

    >>> rank_auc(np.array([1.0, 2.0]), np.array([2.0, 3.0]))
    0.875
    """
    ordered = np.sort(low)
    below = np.searchsorted(ordered, high, "left") + np.searchsorted(ordered, high, "right")
    return float(below.mean() / (2 * len(low)))


def _shared(simulated: Features, real: Features) -> Flags:
    """Which features enough days of both sides have."""
    present = np.minimum(np.isfinite(simulated.rows).mean(axis=0), np.isfinite(real.rows).mean(axis=0))
    return np.asarray(present >= LEAST_PRESENT)


def _equally_blind(simulated: Floats, real: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Each day loses also what a random day of the other side lacks.

    Otherwise the mere absence of a value would tell the sides apart; gaps have features of their own.
    """
    lacks_here, lacks_there = np.isnan(simulated), np.isnan(real)
    like_real = lacks_there[rng.integers(len(real), size=len(simulated))]
    like_simulated = lacks_here[rng.integers(len(simulated), size=len(real))]
    return np.where(like_real, np.nan, simulated), np.where(like_simulated, np.nan, real)


@dataclass(frozen=True, slots=True)
class _Sides:
    """Both sides' days together: which are real, whose, and in which fold their person is held out."""

    rows: Floats
    is_real: Flags
    person: NDArray[np.intp]
    person_is_real: Flags
    fold: NDArray[np.intp]

    @classmethod
    def of(
        cls, simulated: Floats, real: Floats, simulated_people: Sequence[str], real_people: Sequence[str], seed: int
    ) -> "_Sides":
        here, row_here = np.unique(simulated_people, return_inverse=True)
        there, row_there = np.unique(real_people, return_inverse=True)
        folds = min(FOLDS, len(here), len(there))
        if folds < 2:  # noqa: PLR2004
            raise ValueError(f"{len(here)} simulated and {len(there)} real people: at least two of each are needed")
        rng = np.random.default_rng(seed)
        # Dealt side by side, so that each fold holds out some of either.
        dealt = np.concatenate([rng.permutation(len(here)) % folds, rng.permutation(len(there)) % folds])
        person = np.concatenate([row_here, len(here) + row_there])
        return cls(
            rows=np.concatenate([simulated, real]),
            is_real=np.arange(len(simulated) + len(real)) >= len(simulated),
            person=person,
            person_is_real=np.arange(len(here) + len(there)) >= len(here),
            fold=dealt[person],
        )

    def held_out(self, make: Any, seed: int) -> Floats:  # noqa: ANN401
        """A score a day by a classifier that saw nobody of its fold."""
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415

        scores = np.empty(len(self.rows))
        # Threads cost more than they gain on so few days, a hundredfold where the cores are busy.
        with threadpool_limits(1):
            for fold in np.unique(self.fold):
                seen, asked = self.fold != fold, self.fold == fold
                known = np.isfinite(self.rows[seen]).any(axis=0)
                model = make(seed).fit(self.rows[seen][:, known], self.is_real[seen])
                scores[asked] = model.predict_proba(self.rows[asked][:, known])[:, 1]
        return scores

    def auc(self, scores: Floats) -> float:
        """Over pairs of a real and a simulated day of one fold: other folds' scores come from other models."""
        won, pairs = self._duels(scores)
        return float(won.sum() / pairs.sum())

    def interval(self, scores: Floats, seed: int) -> Interval:
        """The AUC with its 95 % interval by bootstrap over people of both sides."""
        won, pairs = self._duels(scores)
        rng = np.random.default_rng(seed)
        there = rng.multinomial(len(won), np.full(len(won), 1 / len(won)), RESAMPLES)
        here = rng.multinomial(won.shape[1], np.full(won.shape[1], 1 / won.shape[1]), RESAMPLES)
        fought = np.einsum("br,rs,bs->b", there, pairs, here, optimize=True)
        draws = np.einsum("br,rs,bs->b", there, won, here, optimize=True)[fought > 0] / fought[fought > 0]
        low, high = np.quantile(draws, (0.025, 0.975))
        return Interval(float(won.sum() / pairs.sum()), float(low), float(high))

    def _duels(self, scores: Floats) -> tuple[Floats, Floats]:
        """For each real and simulated person: duels of their days within a fold that the real won, and all of them."""
        people = np.arange(len(self.person_is_real))
        won = np.zeros((self.person_is_real.sum(), (~self.person_is_real).sum()))
        pairs = np.zeros_like(won)
        for fold in np.unique(self.fold):
            real = np.flatnonzero((self.fold == fold) & self.is_real)
            simulated = np.flatnonzero((self.fold == fold) & ~self.is_real)
            whose = (self.person[real][:, None] == people[self.person_is_real]).astype(np.float64)
            theirs = (self.person[simulated][:, None] == people[~self.person_is_real]).astype(np.float64)
            above = scores[real][:, None] - scores[simulated]
            won += whose.T @ ((np.sign(above) + 1.0) / 2.0) @ theirs
            pairs += np.outer(whose.sum(axis=0), theirs.sum(axis=0))
        return won, pairs


def _logistic(seed: int) -> Any:  # noqa: ANN401
    from sklearn.impute import SimpleImputer  # type: ignore[import-untyped]  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression  # type: ignore[import-untyped]  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # type: ignore[import-untyped]  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # type: ignore[import-untyped]  # noqa: PLC0415

    fit = LogisticRegression(C=0.1, class_weight="balanced", max_iter=2_000, random_state=seed)
    return make_pipeline(SimpleImputer(strategy="median"), StandardScaler(), fit)


def _boosting(seed: int) -> Any:  # noqa: ANN401
    from sklearn.ensemble import HistGradientBoostingClassifier  # type: ignore[import-untyped]  # noqa: PLC0415

    return HistGradientBoostingClassifier(
        max_iter=60, max_leaf_nodes=6, min_samples_leaf=10, class_weight="balanced", random_state=seed
    )


CLASSIFIERS: Final = {"logistic regression": _logistic, "gradient boosting": _boosting}
