import threading
import time
from datetime import timedelta
from typing import Any

import msgspec
import psycopg
import pytest

from schemas.registry import Assignment, Grade, Leave, NumberedRegistry, Registry
from store.errors import RegistryError, StoreUnavailable
from store.registry import CHANNEL, import_registry, load_registry, registry_version
from tests.store.build import ask
from tests.store.build_registry import NOW, many_wearers, small_registry

replace = msgspec.structs.replace
LATER = NOW + timedelta(hours=1)
PARTS = [part for part in Registry.__struct_fields__ if part != "version"]


def load(url: str) -> NumberedRegistry:
    with psycopg.connect(url) as connection:
        return load_registry(connection)


def plain(registry: Registry) -> dict[str, list[Any]]:
    """A registry as sets of objects: order and versions do not count."""
    without = replace(registry, zones=[replace(zone, version=0) for zone in registry.zones])
    return {part: sorted(getattr(without, part), key=repr) for part in PARTS}


def with_grade(grade: Grade) -> Registry:
    registry = small_registry()
    first, *others = registry.wearers
    return replace(registry, wearers=[replace(first, grade=grade), *others])


def test_an_empty_database_has_an_empty_registry(database_url: str) -> None:
    assert load(database_url) == NumberedRegistry(Registry(version=1, plans=[]), {}, {}, 0)


def test_what_was_imported_is_loaded_as_it_was_in_the_file(database_url: str) -> None:
    report = import_registry(database_url, small_registry(), now=NOW)
    assert (report.added, report.changed, report.unchanged, report.version) == (23, 0, 0, 1)
    loaded = load(database_url)
    assert plain(loaded.registry) == plain(small_registry())
    assert loaded.device_no == {"band-1": 1, "band-2": 2}
    assert loaded.wearer_no == {"w-1": 1, "w-2": 2}
    assert loaded.version == 1
    assert [zone.version for zone in loaded.registry.zones] == [1, 1, 1]


def test_the_same_file_again_changes_nothing(database_url: str) -> None:
    import_registry(database_url, small_registry(), now=NOW)
    before = load(database_url)
    report = import_registry(database_url, small_registry(), now=LATER)
    assert (report.added, report.changed, report.unchanged, report.version) == (0, 0, 23, 1)
    assert load(database_url) == before


def test_a_change_closes_the_old_row_and_keeps_the_number(database_url: str) -> None:
    import_registry(database_url, with_grade(Grade.GREEN), now=NOW)
    report = import_registry(database_url, with_grade(Grade.RED), now=LATER)
    assert (report.added, report.changed, report.unchanged, report.version) == (0, 1, 22, 2)
    rows = ask(database_url, "SELECT wearer_no, grade, version, lower(recorded), upper(recorded) FROM wearer "
                             "WHERE id = 'w-1' ORDER BY version")  # fmt: skip
    assert rows == [(1, "green", 1, NOW, LATER), (1, "red", 2, LATER, None)]
    assert load(database_url).version == 2


def test_only_a_changed_zone_gets_a_new_version(database_url: str) -> None:
    import_registry(database_url, small_registry(), now=NOW)
    home, *others = small_registry().zones
    changed = replace(small_registry(), zones=[replace(home, radius_m=120), *others])
    import_registry(database_url, changed, now=LATER)
    assert {zone.id: (zone.version, zone.radius_m) for zone in load(database_url).registry.zones} == {
        "home": (2, 120),
        "district": (1, None),
        "bank": (1, None),
    }


def test_what_a_file_does_not_mention_stays(database_url: str) -> None:
    import_registry(database_url, small_registry(), now=NOW)
    fewer = replace(small_registry(), wearers=small_registry().wearers[:1], assignments=[], zones=[])
    assert import_registry(database_url, fewer, now=LATER).changed == 0
    assert plain(load(database_url).registry) == plain(small_registry())


def test_two_changes_at_one_instant_are_both_taken(database_url: str) -> None:
    for grade in (Grade.RED, Grade.BLUE, Grade.GREEN):
        import_registry(database_url, with_grade(grade), now=NOW)
    assert load(database_url).registry.wearers[0].grade is Grade.GREEN


def test_a_clock_set_back_does_not_end_a_belief_before_it_began(database_url: str) -> None:
    import_registry(database_url, with_grade(Grade.RED), now=LATER)
    import_registry(database_url, with_grade(Grade.BLUE), now=NOW)
    assert load(database_url).registry.wearers[0].grade is Grade.BLUE


def test_an_assignment_that_overlaps_a_known_one_is_refused_and_nothing_is_imported(database_url: str) -> None:
    import_registry(database_url, small_registry(), now=NOW)
    before = load(database_url)
    clash = [Assignment(device="band-1", wearer="w-2", valid_from=LATER)]
    registry = replace(with_grade(Grade.BLUE), assignments=clash)
    with pytest.raises(RegistryError, match="band-1 is assigned twice at once"):
        import_registry(database_url, registry, now=LATER)
    assert load(database_url) == before


def with_leave(**changes: Any) -> Registry:
    first, *others = small_registry().leaves
    return replace(small_registry(), leaves=[replace(first, **changes), *others])


BEGAN = NOW + timedelta(days=1)  # the leaves of the small registry


def test_a_leave_reaches_the_registry_until_ten_minutes_after_it_began(database_url: str) -> None:
    with pytest.raises(
        RegistryError, match=r"leaves\[0\]\.valid_from: l-1 is back-dated, it would have begun at 2026-"
    ):
        import_registry(database_url, small_registry(), now=BEGAN + timedelta(minutes=10, seconds=1))
    assert load(database_url).version == 0
    assert import_registry(database_url, small_registry(), now=BEGAN + timedelta(minutes=10)).added == 23


def test_a_leave_that_runs_already_may_stand_in_a_file_unchanged_and_may_not_change(database_url: str) -> None:
    import_registry(database_url, small_registry(), now=NOW)
    running = BEGAN + timedelta(hours=5)
    assert import_registry(database_url, small_registry(), now=running).unchanged == 23
    longer = with_leave(valid_to=BEGAN + timedelta(days=9))
    with pytest.raises(RegistryError, match="l-1 is back-dated") as caught:
        import_registry(database_url, longer, now=running)
    assert [problem.path for problem in caught.value.problems] == ["leaves[0].valid_from"]
    assert import_registry(database_url, longer, now=NOW).changed == 1


def test_what_a_later_rule_forbids_and_was_there_before_does_not_stop_an_import(database_url: str) -> None:
    import_registry(database_url, small_registry(), now=NOW)
    with psycopg.connect(database_url) as connection:
        forty_days = "tstzrange('2026-12-01Z', '2027-01-10Z')"
        connection.execute(f"UPDATE leave SET validity = {forty_days} WHERE id = 'l-1'")  # type: ignore[arg-type] # noqa: S608
    others = replace(with_grade(Grade.BLUE), leaves=[])
    assert import_registry(database_url, others, now=NOW).changed == 1
    with pytest.raises(RegistryError, match="l-9 lasts longer than 30 days"):
        import_registry(database_url, replace(others, leaves=[_forty_days()]), now=NOW)


def _forty_days() -> Leave:
    leave = small_registry().leaves[0]
    return replace(leave, id="l-9", wearer="w-2", valid_to=leave.valid_from + timedelta(days=40))


def test_an_import_notifies_the_new_version_and_an_import_of_nothing_does_not(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        for _ in range(2):
            import_registry(database_url, small_registry(), now=NOW)
        heard = [notice.payload for notice in listener.notifies(timeout=0.2)]
    assert heard == ["1"]


def test_two_imports_at_once_take_turns(database_url: str) -> None:
    reports = []
    both = threading.Barrier(2)

    def run() -> None:
        both.wait()
        reports.append(import_registry(database_url, small_registry(), now=NOW))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.added for report in reports) == [0, 23]


def test_an_import_takes_part_in_the_callers_transaction(database_url: str) -> None:
    with psycopg.connect(database_url) as connection, connection.transaction(force_rollback=True):
        import_registry(connection, small_registry(), now=NOW)
        assert registry_version(connection) == 1
    assert load(database_url).version == 0


def test_ten_thousand_wearers_are_loaded_within_two_seconds(database_url: str) -> None:
    import_registry(database_url, many_wearers(10_000), now=NOW)
    start = time.monotonic()
    loaded = load(database_url)
    assert time.monotonic() - start < 2
    assert len(loaded.registry.wearers) == len(loaded.wearer_no) == 10_000


def test_a_database_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(StoreUnavailable):
        import_registry("postgresql://postgres@127.0.0.1:1/nowhere", Registry(), now=NOW)
