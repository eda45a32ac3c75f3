import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.alerts import CLOSE_CAUSE_NAMES, KINDS, AlertCode, Cause, CloseCause, Priority
from schemas.readings import DTYPES, Readings
from schemas.topics import Channel, Topic, is_name, parse_topic

names = st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True)


@given(names, names, st.sampled_from(Channel))
def test_topics_round_trip(org: str, device: str, channel: Channel) -> None:
    assert parse_topic(str(Topic(org, device, channel))) == Topic(org, device, channel)


@given(st.text(max_size=80))
def test_only_names_of_the_grammar_are_names(text: str) -> None:
    assert is_name(text) == (parse_topic(f"wb/v1/{text}/x/up") is not None)


def test_a_batch_survives_the_journal_bit_for_bit() -> None:
    batch = Readings.of(device=[1, 2], seq=[3, 4], event_ms=[5, 6], lat=[26.5, np.nan], firmware=[b"1.4", b""])
    again = Readings.from_bytes(batch.to_bytes())
    for name in DTYPES:
        np.testing.assert_array_equal(getattr(again, name), getattr(batch, name))


def test_a_batch_refuses_unknown_and_unequal_columns() -> None:
    with pytest.raises(TypeError, match="mood"):
        Readings.of(mood=[1])
    with pytest.raises(ValueError, match="differ in length"):
        Readings.of(device=[1], seq=[1, 2])


def test_every_alert_code_has_names_a_priority_and_a_cause() -> None:
    assert KINDS.keys() == set(AlertCode)
    assert CLOSE_CAUSE_NAMES.keys() == set(CloseCause)
    assert {kind.cause for kind in KINDS.values()} == set(Cause)
    assert all(kind.latching for code, kind in KINDS.items() if kind.priority is Priority.HIGHEST)
