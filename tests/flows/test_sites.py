"""What passes the sites' step and what does not."""

import msgspec

from anomaly.outage import Census
from flows.rules import SHARDS
from flows.sites import SitesLogic, concerns_sites
from schemas.alerts import AlertCode
from tests.anomaly.test_outage import MINUTE_MS, ORGS, brief, lost, silence


def censuses(at_min: int, bands: tuple, shards: int = SHARDS) -> list[Census]:
    return [
        Census(shard, at_min * MINUTE_MS, 1, {"dongqu": 60} if not shard else {}, () if shard else bands, ORGS)
        for shard in range(shards)
    ]


def test_tamper_and_all_else_never_wait_for_the_sites() -> None:
    strap = msgspec.structs.replace(silence(3), code=AlertCode.DEVICE_STRAP)
    assert not concerns_sites(strap)
    assert concerns_sites(silence(3))
    assert concerns_sites(censuses(4, ())[0])


def test_an_outage_and_its_silences_pass_as_one_alert_also_over_a_restart() -> None:
    step = SitesLogic(None)
    told, _ = step.on_batch(censuses(4, lost(*range(18))))
    assert brief(told) == [("site.outage", "opened", "dongqu")]
    again = SitesLogic(msgspec.msgpack.decode(msgspec.msgpack.encode(step.snapshot())))
    assert again.on_batch([silence(3), silence(5)])[0] == []
    told, _ = again.on_batch(censuses(40, lost(5)))
    assert brief(told) == [
        ("site.outage", "cleared", "dongqu"),
        ("device.silence", "opened", "dongqu-3"),
        ("device.silence", "opened", "dongqu-5"),
    ]


def test_without_an_outage_a_silence_is_told_at_once() -> None:
    step = SitesLogic(None)
    assert brief(step.on_batch([silence(3)])[0]) == [("device.silence", "opened", "dongqu-3")]
