"""``shouhuan explain``: why an alert rang, and whether the stored readings still say so."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache, partial
from getpass import getuser
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from alerts.explain import DecidingFix, Ringing, deciding_fixes, explain, local_time, margin_of, threshold_of
from flows.judge import Judge
from flows.rules import ShardRules, rules_by_shard
from schemas.alerts import KINDS, NOBODY, AlertCode, AlertEvent, Cause, Transition
from schemas.judging import Heartbeat, Release
from schemas.readings import Readings
from shouhuan.clock import now
from shouhuan.settings import Settings
from store.acts import Act
from store.connection import Connection, connect, translated
from store.history import (
    StoredAlert,
    StoredEvent,
    TimedRelease,
    Version,
    audit_look,
    events_of,
    find_alert,
    has_order,
    readings_of,
    registry_as_of,
    releases_of,
    versions,
)

SAME: Final = 0
DIFFERENT: Final = 1
UNEXPLAINED: Final = 2
"""What the command answers to its shell."""

LOOK_BACK: Final = (timedelta(hours=6), timedelta(days=3))
"""How long before the onset a judge without memory begins: longer, where a shorter time does not yield the same."""
LOOK_BACK_BODY: Final = (*LOOK_BACK, timedelta(days=92))
"""A body is held against its own past, and that goes back to the beginning: no order lasts longer than three months."""


class CannotExplain(Exception):  # noqa: N818 - it is an answer, not a fault
    """There is nothing to explain, or no right to look; the message says what is wrong and what to do."""


class Difference(NamedTuple):
    """A field in which the stored verdict and the re-derived one are not alike."""

    field: str
    stored: object
    rederived: object


class Moment(NamedTuple):
    """Something that a judge is given, and when (UTC ms, our clock)."""

    at_ms: int
    item: Readings | Release | ShardRules | Heartbeat


@dataclass(frozen=True, kw_only=True)
class Explanation:
    """What can be said of an alert; ``differences`` is None where its readings are no longer stored."""

    alert: StoredAlert
    events: Sequence[StoredEvent]
    differences: Sequence[Difference] | None = None
    readings: int = 0

    @property
    def rings(self) -> Ringing:
        """The alert as it is put into words."""
        alert = self.alert
        return Ringing(
            code=AlertCode(alert.code),
            wearer=alert.wearer,
            device=alert.device,
            subject=alert.subject,
            onset_ms=_ms(alert.onset_at),
            at_ms=_ms(alert.opened_at),
            timezone=alert.timezone,
            evidence=alert.evidence,
        )


def run(settings: Settings, alert_id: str, operator: str, out: Console) -> int:
    """Explain an alert on ``out``; 0 if the verdict was re-derived and is the same, 1 if not, 2 if it cannot be.

    Raises ``StoreError``, and ``CannotExplain`` for an alert of which nothing may be said.
    """
    url = settings.database_url.get_secret_value()
    with translated(url), connect(url, autocommit=True) as connection:
        found = explained(connection, alert_id, operator, now())
    show(found, out)
    if found.differences is None:
        return UNEXPLAINED
    return DIFFERENT if found.differences else SAME


def os_user() -> str:
    """Who runs this process; by number where the system has no name for them, as in a container."""
    try:
        return getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"


def explained(connection: Connection, alert_id: str, operator: str, at: datetime) -> Explanation:
    """Look an alert up and re-derive its verdict; the look is in the audit before anything is read of the wearer.

    Raises ``CannotExplain``.
    """
    identity = _identity(alert_id)
    alert = _lawful(connection, identity, operator, at)
    found = Explanation(alert=alert, events=events_of(connection, identity))
    if alert.seq is not None and alert.ingest_at is None:
        return found
    rules_of = cache(partial(_rules_of, connection, alert.device_no))
    body = KINDS[AlertCode(alert.code)].cause is Cause.VITALS
    for look_back in LOOK_BACK_BODY if body else LOOK_BACK:
        since, until = alert.onset_at - look_back, _known_at(found)
        readings = readings_of(connection, alert.device_no, since, until)
        rules = _rules_between(alert, versions(connection), since, until, rules_of)
        if not len(readings) or not rules:
            continue
        moments = past(alert, rules, releases_of(connection, alert.device_no, since, until), readings)
        found = replace(found, differences=differences(alert, rejudge(alert, moments)), readings=len(readings))
        if not found.differences:
            break
    return found


def past(
    alert: StoredAlert, rules: Sequence[Moment], releases: Iterable[TimedRelease], readings: Readings
) -> list[Moment]:
    """What the judge was given up to an alert, in order; of rules there is one from the beginning.

    What time itself decided is given the time of its decision. Since when we had listened is not stored: where we
    last heard a silent band, according to the evidence, is taken for it.
    """
    given = [*rules, *(Moment(_ms(release.at), Release((release.released,))) for release in releases)]
    if alert.seq is None:
        decided_ms = _ms(alert.opened_at)
        given.append(Moment(decided_ms, Heartbeat("", decided_ms, alert.evidence.get("last_heard_ms", 0))))
    edges = np.flatnonzero(np.diff(readings.ingest_ms)) + 1
    received = [readings.take(slice(a, b)) for a, b in zip([0, *edges], [*edges, len(readings)], strict=True)]
    given += [Moment(int(batch.ingest_ms[0]), batch) for batch in received]
    return sorted(given, key=lambda moment: moment.at_ms)


def rejudge(alert: StoredAlert, moments: Iterable[Moment]) -> list[AlertEvent]:
    """The alerts that a judge without memory opens when it is given the past again, up to the one asked for."""
    opened: list[AlertEvent] = []
    for event in _judged(moments):
        if event.transition is Transition.OPENED:
            opened.append(event)
        if event.alert_id == alert.alert_id:
            break
    return opened


def differences(alert: StoredAlert, opened: Iterable[AlertEvent]) -> list[Difference]:
    """In what the stored verdict is unlike the one of these that is nearest to it; nothing where they agree.

    What a newer detector writes down besides is no difference.
    """
    onset_ms = _ms(alert.onset_at)
    alike = [event for event in opened if (event.code, event.subject) == (alert.code, alert.subject)]
    if not alike:
        return [Difference("alert", "opened", "not opened")]
    event = min(alike, key=lambda event: abs(event.onset_ms - onset_ms))
    # Evidence was stored as JSON, which has neither NaN nor tuples.
    evidence = msgspec.json.decode(msgspec.json.encode(event.evidence))
    known = {name: evidence.get(name) for name in alert.evidence}
    stored = _compared(alert.device, onset_ms, alert.rule_version, alert.evidence)
    again = _compared(event.device, event.onset_ms, event.rule_version, known)
    fields = {**stored, **again}
    return [Difference(f, stored.get(f), again.get(f)) for f in fields if stored.get(f) != again.get(f)]


def show(found: Explanation, out: Console) -> None:
    """Print the sentences, the facts behind them, and whether the readings still say so."""
    for sentence in explain(found.rings):
        out.print(Text(sentence), soft_wrap=True)
    if fixes := deciding_fixes(found.rings):
        out.print(_fix_table(fixes, found.alert.timezone))
    facts = Table(show_header=False, box=None)
    for name, value in _facts(found):
        facts.add_row(name, Text(value))
    out.print(facts)
    for line in _outcome(found):
        out.print(Text(line), soft_wrap=True)


def _identity(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise CannotExplain(
            f"{text!r} is no alert id, which looks like 6f1d2c8e-6c0b-5d5e-9a55-7368756f6875: "
            "take it from table alert or from what `shouhuan replay` wrote"
        ) from None


def _lawful(connection: Connection, identity: UUID, operator: str, at: datetime) -> StoredAlert:
    """The alert, if there is one and its wearer may still be looked at; either way the attempt is in the audit."""
    alert = find_alert(connection, identity)
    refusal = _refusal(connection, identity, alert, at)
    subject = f"alert:{identity}"
    look = Act(at=at, operator=operator, action="alert.explain", subject=subject, allowed=not refusal, detail=refusal)
    audit_look(connection, look)
    if alert is None or refusal:
        raise CannotExplain(refusal)
    track = Act(at=at, operator=operator, action="track.view", subject=f"wearer:{alert.wearer}", detail=subject)
    audit_look(connection, track)
    return alert


def _refusal(connection: Connection, identity: UUID, alert: StoredAlert | None, at: datetime) -> str:
    if alert is None:
        return f"there is no alert {identity} in this database: check the id and SHOUHUAN_DATABASE_URL"
    if alert.wearer_no == NOBODY:
        return (
            f"this alert is of a whole place, {alert.subject}: no band's readings alone yield it again; the console "
            "says how many bands of how many were lost, and which"
        )
    if has_order(connection, alert.wearer, at):
        return ""
    return (
        f"no supervision order covers wearer {alert.wearer} now, so their readings may not be looked at: import the "
        "order if there is one, or read the incident in the console"
    )


def _known_at(found: Explanation) -> datetime:
    """By when everything that decided had reached us: its reading's receipt, or the alert's commit."""
    alert = found.alert
    return alert.ingest_at or max([alert.opened_at, *(event.committed_at for event in found.events)])


def _rules_of(connection: Connection, device_no: int, version: Version) -> ShardRules:
    """What one band was judged by under a version of the registry."""
    numbered = registry_as_of(connection, version)
    bands = [device for device in numbered.registry.devices if numbered.device_no[device.id] == device_no]
    registry = msgspec.structs.replace(numbered.registry, devices=bands)
    return rules_by_shard(msgspec.structs.replace(numbered, registry=registry), shards=1)[0]


def _rules_between(
    alert: StoredAlert,
    made: Sequence[Version],
    since: datetime,
    until: datetime,
    rules_of: Callable[[Version], ShardRules],
) -> list[Moment]:
    """The rules at the beginning of a span, and those that came into force within it.

    An alert without a subject names the version of the whole registry that judged it; that one is the last.
    """
    if alert.subject:
        known = [version for version in made if version.since <= until] or list(made[:1])
    else:
        known = [version for version in made if version.number <= alert.rule_version]
    first = max((place for place, version in enumerate(known) if version.since <= since), default=0)
    return [Moment(min(_ms(version.since), _ms(until)), rules_of(version)) for version in known[first:]]


def _judged(moments: Iterable[Moment]) -> Iterator[AlertEvent]:
    judge: Judge | None = None
    for at_ms, item in moments:
        if isinstance(item, ShardRules):
            judge = judge or Judge.new(item)
        if judge is not None:
            yield from _given(judge, at_ms, item)


def _given(judge: Judge, at_ms: int, item: Readings | Release | ShardRules | Heartbeat) -> list[AlertEvent]:
    match item:
        case Readings():
            return judge.judge(item)
        case ShardRules():
            return judge.adopt(item, at_ms)
        case Heartbeat():
            judge.listening_since(item.since_ms)
            return judge.tick(item.now_ms)
        case Release():
            judge.release(item)
    return []


def _compared(device: str, onset_ms: int, rule_version: int, evidence: Mapping[str, Any]) -> dict[str, object]:
    """Every fact of a verdict under its own name."""
    facts = {"device": device, "onset_ms": onset_ms, "rule_version": rule_version, "evidence": evidence}
    return dict(_leaves("", facts))


def _leaves(name: str, value: object) -> Iterator[tuple[str, object]]:
    """The values in nested evidence, by path; numbers rounded, as evidence is.

    >>> dict(_leaves("", {"fixes": [{"distance_m": 63.20000001}], "crossing": None}))
    {'fixes[0].distance_m': 63.2, 'crossing': None}
    """
    match value:
        case dict():
            for key, inner in value.items():
                yield from _leaves(f"{name}.{key}" if name else key, inner)
        case list():
            for number, inner in enumerate(value):
                yield from _leaves(f"{name}[{number}]", inner)
        case float():
            yield name, round(value, 3)
        case _:
            yield name, value


def _fix_table(fixes: Sequence[DecidingFix], timezone: str) -> Table:
    table = Table("time", "distance", "accuracy", "log odds", title="deciding fixes (+ outside, − inside)")
    for fix in fixes:
        table.add_row(
            "" if fix.time_ms is None else local_time(fix.time_ms, timezone),
            f"{fix.distance_m:+.1f} m",
            "" if fix.accuracy_m is None else f"{fix.accuracy_m:.1f} m",
            "" if fix.log_odds is None else f"{fix.log_odds:+.1f}",
        )
    return table


def _facts(found: Explanation) -> Iterator[tuple[str, str]]:
    alert, evidence = found.alert, found.alert.evidence
    threshold, margin = threshold_of(evidence), margin_of(evidence)
    if threshold is not None:
        yield "threshold", f"{threshold:g} log odds"
    if margin is not None:
        yield "margin", f"{margin:+.1f} log odds"
    yield "rule", f"{alert.code}, {'zone' if alert.subject else 'registry'} version {alert.rule_version}"
    yield "firmware", alert.firmware or "not reported"
    for event in found.events:
        yield event.transition, local_time(_ms(event.at), alert.timezone)


def _outcome(found: Explanation) -> Iterator[str]:
    if found.differences is None:
        yield (
            "not re-derived: the readings that decided are no longer stored (`shouhuan retention` deletes old ones); "
            "what stands above is the evidence kept with the alert"
        )
    elif not found.differences:
        yield f"re-derived: the same, from {found.readings} stored readings"
    else:
        yield f"re-derived from {found.readings} stored readings, and different:"
        for difference in found.differences:
            yield f"  {difference.field}: stored {difference.stored}, re-derived {difference.rederived}"


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
