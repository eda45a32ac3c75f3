"""Fleets of bands with ground truth: live over MQTT or as a capture. A stranger that knows only the wire."""

from simulator.capture import Written, write_capture
from simulator.fleet import Fleet
from simulator.incidents import DEMO_MIX, Kind, Pattern
from simulator.link import Broker
from simulator.options import Options
from simulator.panzhihua import demo_registry
from simulator.publish import Files, Sent, run_live

__all__ = [
    "DEMO_MIX",
    "Broker",
    "Files",
    "Fleet",
    "Kind",
    "Options",
    "Pattern",
    "Sent",
    "Written",
    "demo_registry",
    "run_live",
    "write_capture",
]
