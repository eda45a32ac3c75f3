"""The registry in the database: import what a file adds or changes, load what is believed now."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec

from schemas.problems import Problem
from schemas.registry import NumberedRegistry, Registry
from store.connection import Connection, connect, scalar, translated
from store.errors import RegistryError
from store.registry_check import check
from store.registry_leaves import back_dated
from store.registry_parts import KEYS, key_of
from store.registry_tables import TABLES, Current, Table, close_rows, insert_rows, read_current, read_version

CHANNEL: Final = "shouhuan_registry"
"""NOTIFY with the new version tells every judge to load the registry anew."""

TYPING_TIME: Final = timedelta(minutes=10)
"""How long after its beginning a leave may reach the registry: somebody wrote, approved and imported it."""

_LOCK: Final = 0x5265_6769_7374_7279


class ImportReport(NamedTuple):
    """How many objects an import added, changed and left as they were, and the version it made.

    >>> print(ImportReport(added=3, changed=1, unchanged=200, version=7))
    3 added, 1 changed, 200 unchanged; registry version 7
    """

    added: int
    changed: int
    unchanged: int
    version: int

    def __str__(self) -> str:
        counts = f"{self.added} added, {self.changed} changed, {self.unchanged} unchanged"
        return f"{counts}; registry version {self.version}"


class Difference(NamedTuple):
    """What an import does to one list."""

    added: list[Any]
    changed: list[Any]
    unchanged: int


def import_registry(target: str | Connection, registry: Registry, *, now: datetime) -> ImportReport:
    """Add and change what the file says, in one transaction; what it does not mention stays.

    A changed object's row is closed at ``now`` and a new one is added, so past verdicts can be
    re-derived. Devices and wearers keep their numbers. Raises ``RegistryError`` where the registry
    would not hold together afterwards (an assignment that overlaps one already known) or a new or changed leave began
    more than ten minutes before ``now``, and imports nothing. What was wrong before, by a rule that came later, is no
    fault of this import.
    """
    if not isinstance(target, str):
        return _import(target, registry, now)
    with translated(target), connect(target) as connection:
        return _import(connection, registry, now)


def load_registry(connection: Connection, *, nameless: bool = False) -> NumberedRegistry:
    """What is believed now, with the numbers of devices and wearers; zones carry the version that made them.

    ``nameless`` leaves out what says who people are: judging needs none of it.
    """
    current = read_current(connection, nameless=nameless)
    return NumberedRegistry(current.registry, current.device_no, current.wearer_no, current.version)


def registry_version(connection: Connection) -> int:
    """The version that ``load_registry`` would answer with; 0 before the first import."""
    return read_version(connection)


def difference(part: str, current: Registry, wanted: Registry) -> Difference:
    """What of a list is new, what differs, and how much is the same; a version is no difference.

    >>> from schemas.registry import Org
    >>> old, new = Org(id="a", name="A"), Org(id="a", name="B")
    >>> found = difference("orgs", Registry(orgs=[old]), Registry(orgs=[new, Org(id="c", name="C")]))
    >>> [org.id for org in found.added], [org.id for org in found.changed], found.unchanged
    (['c'], ['a'], 0)
    """
    known = {key_of(part, thing): thing for thing in getattr(current, part)}
    things = [(known.get(key_of(part, thing)), thing) for thing in getattr(wanted, part)]
    added = [thing for old, thing in things if old is None]
    changed = [thing for old, thing in things if old is not None and _unversioned(old) != _unversioned(thing)]
    return Difference(added, changed, len(things) - len(added) - len(changed))


def merged(current: Registry, wanted: Registry) -> Registry:
    """The registry after an import: current objects, overlaid with those of the file."""
    parts = {part: _overlay(part, getattr(current, part), getattr(wanted, part)) for part in KEYS}
    return msgspec.structs.replace(wanted, **parts)


def hold(connection: Connection) -> Current:
    """What is believed now, for who imports into it before the transaction ends; the next one waits until then."""
    # Two imports take turns, so that the second compares with what the first left.
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    return read_current(connection)


def import_problems(current: Registry, wanted: Registry, now: datetime) -> list[Problem]:
    """Why ``import_registry`` would refuse, an empty list where it would not; places are those of ``merged``."""
    return [*_new_problems(current, wanted), *_back_dated(current, wanted, now)]


def write(connection: Connection, current: Current, registry: Registry, now: datetime) -> ImportReport:
    """Add and change, within the transaction of ``hold``, what ``import_problems`` has found nothing wrong with."""
    differences = {table: difference(table.part, current.registry, registry) for table in TABLES}
    added = sum(len(found.added) for found in differences.values())
    changed = sum(len(found.changed) for found in differences.values())
    unchanged = sum(found.unchanged for found in differences.values())
    version = current.version
    if added or changed:
        version = scalar(connection, "SELECT nextval('registry_version')")
        for table, found in differences.items():
            _write(connection, table, found, current, version, now)
        connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, str(version)))
    return ImportReport(added, changed, unchanged, version)


def _import(connection: Connection, registry: Registry, now: datetime) -> ImportReport:
    with connection.transaction():
        current = hold(connection)
        if problems := import_problems(current.registry, registry, now):
            raise RegistryError(problems, "the registry after this import")
        return write(connection, current, registry, now)


def _new_problems(current: Registry, wanted: Registry) -> Iterator[Problem]:
    """What the import would break; current objects keep their places, so an old problem reads the same afterwards."""
    problems = check(merged(current, wanted))
    known = set(check(current)) if problems else set()
    yield from (problem for problem in problems if problem not in known)


def _back_dated(current: Registry, wanted: Registry, now: datetime) -> Iterator[Problem]:
    found = difference("leaves", current, wanted)
    fresh = {leave.id for leave in (*found.added, *found.changed)}
    for place, leave in enumerate(wanted.leaves):
        if leave.id in fresh and (message := back_dated(leave, now - TYPING_TIME)):
            yield Problem(f"leaves[{place}].valid_from", message)


def _write(
    connection: Connection, table: Table, found: Difference, current: Current, version: int, now: datetime
) -> None:
    if found.changed:
        close_rows(connection, table, found.changed, now)
    known = _known_numbers(table, current)
    numbers = [known.get(thing.id) for thing in found.changed] if table.number else [None] * len(found.changed)
    numbers += _new_numbers(connection, table, len(found.added))
    things = [*found.changed, *found.added]
    if things:
        rows = [table.row(thing, number, version, now) for thing, number in zip(things, numbers, strict=True)]
        insert_rows(connection, table, rows)


def _known_numbers(table: Table, current: Current) -> dict[str, int]:
    return {"wearer_no": current.wearer_no, "device_no": current.device_no}.get(table.number or "", {})


def _new_numbers(connection: Connection, table: Table, count: int) -> list[int | None]:
    if table.sequence is None:
        return [None] * count
    query = "SELECT nextval(%s::regclass) FROM generate_series(1, %s)"
    return [number for (number,) in connection.execute(query, (table.sequence, count))]


def _unversioned(thing: Any) -> Any:  # noqa: ANN401 - any registry object
    return msgspec.structs.replace(thing, version=0) if hasattr(thing, "version") else thing


def _overlay(part: str, current: list[Any], wanted: list[Any]) -> list[Any]:
    by_key = {key_of(part, thing): thing for thing in current}
    by_key |= {key_of(part, thing): thing for thing in wanted}
    return list(by_key.values())
