import pytest

from simulator.incidents import DEMO_MIX, Incident, Kind, Pattern, plan

EVERYBODY = dict.fromkeys(Kind, range(50))


def _plan(
    mix: tuple[Pattern, ...] = DEMO_MIX, *, seed: int = 1, interval_s: float = 5.0, silence_after_s: float = 20.0
) -> list[Incident]:
    return plan(mix, EVERYBODY, seed=seed, horizon_s=7200.0, interval_s=interval_s,
                silence_after_s=[silence_after_s] * 50)  # fmt: skip


def test_the_script_is_a_function_of_its_seed() -> None:
    assert _plan(seed=3) == _plan(seed=3) != _plan(seed=4)


def test_nothing_happens_twice_at_once_to_a_wearer() -> None:
    busy_until_s: dict[int, float] = {}
    for incident in _plan():
        assert busy_until_s.get(incident.row, 0.0) <= incident.start_s < incident.end_s
        busy_until_s[incident.row] = incident.end_s


def test_every_kind_happens_again_and_again() -> None:
    kinds = [incident.kind for incident in _plan()]
    assert min(kinds.count(kind) for kind in Kind) >= 4


@pytest.mark.parametrize("silence_after_s", [20.0, 1200.0])
def test_silence_outlasts_what_its_plan_tolerates(silence_after_s: float) -> None:
    silences = _plan((Pattern(Kind.SILENCE, 12, 300),), silence_after_s=silence_after_s)
    assert silences
    assert all(silence.end_s - silence.start_s >= 2 * silence_after_s - 0.1 for silence in silences)


def test_even_the_shortest_press_is_reported_at_slow_intervals() -> None:
    presses = _plan((Pattern(Kind.SOS, 4, 300),), interval_s=60.0)
    assert all(press.end_s - press.start_s >= 179.9 for press in presses)
