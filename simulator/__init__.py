"""Fleets of bands with ground truth: live over MQTT or as a capture. A stranger that knows only the wire."""

from simulator.capture import Written, write_capture
from simulator.fleet import Fleet
from simulator.kinds import KINDS, Kind
from simulator.link import Broker
from simulator.options import DEMO_MIX, FIELD_FAULTS, Faults, Mix, Options, People
from simulator.panzhihua import demo_registry
from simulator.publish import Files, Sent, run_live
from simulator.reports import Reports
from simulator.scenario import Scenario, ScenarioError, read_scenario, shipped

__all__ = [
    "DEMO_MIX",
    "FIELD_FAULTS",
    "KINDS",
    "Broker",
    "Faults",
    "Files",
    "Fleet",
    "Kind",
    "Mix",
    "Options",
    "People",
    "Reports",
    "Scenario",
    "ScenarioError",
    "Sent",
    "Written",
    "demo_registry",
    "read_scenario",
    "run_live",
    "shipped",
    "write_capture",
]
