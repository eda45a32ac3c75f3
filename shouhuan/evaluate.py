"""``shouhuan evaluate``: one judge, its rivals and a ledger of the truth, over one stream of readings."""

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from multiprocessing import get_context
from typing import Final

import msgspec
import numpy as np

from evaluation.baselines import Baselines, random_alerts
from evaluation.case import Case
from evaluation.degrade import Degradation, degraded
from evaluation.exhibits import exhibits
from evaluation.metrics import Judged, context_reports, judge_codes
from evaluation.outcome import Check, CodeReport, CurvePoint, Evaluation, Event, Found
from evaluation.recording import Observed, Recording
from evaluation.sampling import Run, checks, sampling
from evaluation.trial import SETTINGS, Setting, Trial, turns
from evaluation.workload import load
from schemas.alerts import AlertCode
from schemas.readings import Readings
from shouhuan.cases import OnShare, Source

RANDOM: Final = "random at the same rate"
NEVER: Final = "never"
RESTART_AT: Final = 0.5
"""Share of the readings after which the judge is restarted."""

Curves = Mapping[AlertCode, Mapping[str, Sequence[CurvePoint]]]


@dataclass(frozen=True)
class Request:
    """What is to be evaluated, and how hard it is made; ``without`` is the same source with nobody commanding bands."""

    source: Source
    command: str
    today: date
    seed: int
    degradation: Degradation = field(default_factory=Degradation)
    restart: bool = False
    curves: bool = False
    exhibits: int = 0
    without: Source | None = None


@dataclass
class Passed:
    """Everything that one pass over the readings leaves behind."""

    readings: int
    observed: Observed
    recording: Recording | None
    baselines: Mapping[str, list[Found]]
    trial: Trial
    restarted: Trial | None
    seconds: dict[str, float]

    def found(self) -> list[Found]:
        """What the judge found while bands spoke."""
        return self.observed.in_time(self.trial.found())


def evaluate(request: Request, on_share: OnShare = lambda _: None) -> Evaluation:
    """Judge one source and say how it went. Curves are drawn by a second process meanwhile."""
    case = request.source.case(on_share)
    with _beside(request) as beside:
        passed = _pass(case, request)
        curves, without = beside.curves(), beside.without()
    events, found = _counted(case.events(), request, passed.observed), passed.found()
    by_chance = random_alerts(found, passed.observed.spans(), seed=request.seed)
    baselines = {**passed.baselines, RANDOM: by_chance, NEVER: []}
    judged = judge_codes(
        events, found, baselines, passed.observed.days(), passed.trial.codes, seed=request.seed, curves=curves
    )
    evaluation = _evaluation(request, case, passed, events, found, judged)
    return (
        evaluation
        if without is None
        else _compared(evaluation, case, without, Run(events, found, passed.readings), passed)
    )


def _pass(case: Case, request: Request) -> Passed:
    """Feed everybody the same readings, turn by turn."""
    trial, restarted = Trial(case.numbered), Trial(case.numbered) if request.restart else None
    baselines, observed = Baselines.of(case.numbered), Observed.of(case.numbered)
    recording = Recording() if request.exhibits else None
    clock = _Stopwatch()
    readings, last_ms = 0, 0
    waiting = _total(case, request) * RESTART_AT if restarted else np.inf
    for batch in clock.timed("play or read", degraded(case.batches(), request.degradation)):
        readings += len(batch)
        last_ms = max(last_ms, int(batch.ingest_ms.max(initial=0)))
        with clock.running("judge"):
            trial.feed(batch)
        if restarted is not None:
            with clock.running("judge, restarted"):
                restarted.feed(batch)
                if readings >= waiting:
                    restarted.restart()
                    waiting = np.inf
        with clock.running("baselines"):
            for turn in turns(batch):
                baselines.add(turn)
        with clock.running("bookkeeping"):
            observed.add(batch)
            if recording is not None:
                recording.add(batch)
    baselines.end(last_ms)
    rivals = {name: observed.in_time(found) for name, found in baselines.alerts().items()}
    return Passed(readings, observed, recording, rivals, trial, restarted, clock.seconds)


def _total(case: Case, request: Request) -> int:
    return sum(len(batch) for batch in degraded(case.batches(), request.degradation))


def _counted(events: Sequence[Event], request: Request, observed: Observed) -> list[Event]:
    """What happened while nobody listened yet cannot be asked of a judge that starts cold."""
    if not request.degradation.cold_start_days:
        return list(events)
    first_ms = min((first for first, _ in observed.spans().values()), default=0)
    return [event for event in events if event.start_ms >= first_ms]


def _evaluation(
    request: Request, case: Case, passed: Passed, events: list[Event], found: list[Found], judged: Judged
) -> Evaluation:
    days = passed.observed.days()
    shown = (
        exhibits(
            judged.missed,
            judged.false,
            events=events,
            ours=found,
            contexts=case.contexts(),
            recording=passed.recording,
            numbered=case.numbered,
            most=request.exhibits,
            seed=request.seed,
        )
        if passed.recording is not None
        else []
    )
    return Evaluation(
        title=case.name,
        command=request.command,
        date=request.today.isoformat(),
        seed=request.seed,
        wearers=sum(amount > 0 for amount in days.values()),
        wearer_days=round(sum(days.values()), 1),
        readings=passed.readings,
        degradations=[*request.degradation.describe(), *(["restarted half-way"] if request.restart else [])],
        codes=judged.reports,
        contexts=context_reports(case.contexts(), judged.false),
        load=load(found, events, days, judged.belongs_or_explained, seed=request.seed),
        checks=_checks(passed),
        exhibits=shown,
        seconds={name: round(seconds, 1) for name, seconds in passed.seconds.items()},
        reporting=case.reporting,
    )


def _compared(evaluation: Evaluation, case: Case, without: "Alone", closed: Run, passed: Passed) -> Evaluation:
    """The same with what the sampling loop gave and cost."""
    if case.spent is None:
        raise ValueError("nobody commands these bands: there is nothing to compare")
    days = passed.observed.days()
    compared = sampling(without.run, closed, case.spent(), days, passed.trial.codes, seed=evaluation.seed or 0)
    return msgspec.structs.replace(
        evaluation,
        sampling=compared,
        checks=[*evaluation.checks, *checks(compared, without.run, closed)],
        seconds=evaluation.seconds | {f"{stage}, no loop": round(s, 1) for stage, s in without.seconds.items()},
    )


def _checks(passed: Passed) -> list[Check]:
    if passed.restarted is None:
        return []
    before, after = (
        {msgspec.json.encode(record) for record in one.records()} for one in (passed.trial, passed.restarted)
    )
    return [
        Check(
            name="a restart half-way changes no alert",
            passed=before == after,
            detail=f"{len(before)} alerts without, {len(after)} with a restart, {len(before ^ after)} differ",
        )
    ]


@dataclass(frozen=True)
class Alone:
    """A run that is only judged, with no rivals beside it, and how long it took."""

    run: Run
    seconds: dict[str, float]


@dataclass(frozen=True)
class Beside:
    """What a second process works out meanwhile."""

    curves_to_come: "Future[Curves] | None" = None
    without_to_come: Future[Alone] | None = None

    def curves(self) -> Curves:
        """Wait for the curves; none where nobody asked for them."""
        return self.curves_to_come.result() if self.curves_to_come else {}

    def without(self) -> Alone | None:
        """Wait for the run in which nobody commands bands."""
        return self.without_to_come.result() if self.without_to_come else None


@contextmanager
def _beside(request: Request) -> Iterator[Beside]:
    if not request.curves and request.without is None:
        yield Beside()
        return
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        alone = pool.submit(judged_alone, request) if request.without is not None else None
        yield Beside(pool.submit(curves, request) if request.curves else None, alone)


def judged_alone(request: Request) -> Alone:
    """What is found ``without`` anybody who commands bands, in a process of its own."""
    if request.without is None:
        raise ValueError("the request has no such source")
    case = request.without.case(lambda _: None)
    trial, observed, clock = Trial(case.numbered), Observed.of(case.numbered), _Stopwatch()
    readings = 0
    for batch in clock.timed("play or read", degraded(case.batches(), request.degradation)):
        readings += len(batch)
        observed.add(batch)
        with clock.running("judge"):
            trial.feed(batch)
    events = _counted(case.events(), request, observed)
    return Alone(Run(events, observed.in_time(trial.found()), readings), clock.seconds)


def curves(request: Request) -> Curves:
    """Recall against false alarms of every code: all detectors at all settings, in one pass of a process of its own."""
    case = request.source.case(lambda _: None)
    trials = [(setting, Trial(case.numbered, setting)) for setting in (*SETTINGS, Setting())]
    observed = Observed.of(case.numbered)
    for batch in degraded(case.batches(), request.degradation):
        observed.add(batch)
        for _, trial in trials:
            trial.feed(batch)
    points: dict[AlertCode, list[CurvePoint]] = {}
    for setting, trial in trials:
        for report in _reports(case, trial, observed, request.seed):
            false, recall = report.ours.false_per_wearer_day.value, report.ours.recall.value
            if report.has_detector and false is not None and recall is not None:
                points.setdefault(report.code, []).append(CurvePoint(setting.name, false, recall))
    return {code: {"ours": sorted(of_code, key=lambda p: p.false_per_wearer_day)} for code, of_code in points.items()}


def _reports(case: Case, trial: Trial, observed: Observed, seed: int) -> list[CodeReport]:
    judged = judge_codes(
        case.events(), observed.in_time(trial.found()), {}, observed.days(), trial.codes, seed=seed, resamples=1
    )
    return judged.reports


class _Stopwatch:
    """How long each stage took, s."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def running(self, stage: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - began

    def timed(self, stage: str, batches: Iterator[Readings]) -> Iterator[Readings]:
        """The batches; making them is timed."""
        while True:
            with self.running(stage):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch
