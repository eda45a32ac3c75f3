"""The demo's visitor: a band that nobody simulates, for whoever wants to be a band with ``mosquitto_pub``."""

from datetime import datetime, timedelta
from typing import Final

import msgspec

from schemas.registry import Assignment, Contact, Datum, Device, Ground, Order, Registry, Wearer, Zone, ZoneKind
from schemas.topics import Channel, Topic

ORG: Final = "dongqu"
BAND: Final = "band-visitor"
_WEARER: Final = "w-visitor"
_CENTRE: Final = (26.5460, 101.7040)
_OUTSIDE: Final = (26.5550, 101.7040)


def with_visitor(registry: Registry, push: Contact, now: datetime) -> Registry:
    """The registry with the visitor, who may not leave 300 m round the middle of Dongqu, and somebody to tell."""
    since, until = now - timedelta(days=1), now + timedelta(days=60)
    return msgspec.structs.replace(
        registry,
        wearers=[*registry.wearers, Wearer(id=_WEARER, org=ORG, name="演示访客")],
        devices=[*registry.devices, Device(id=BAND, org=ORG, model="by-hand")],
        assignments=[*registry.assignments, Assignment(device=BAND, wearer=_WEARER, valid_from=since)],
        orders=[
            *registry.orders,
            Order(
                id="order-visitor",
                wearer=_WEARER,
                ground=Ground.REFUSED_TO_REPORT,
                document="演示决定书〔2026〕访客",
                approver="演示局长",
                valid_from=since,
                valid_to=until,
            ),
        ],
        zones=[
            *registry.zones,
            Zone(
                id="zone-visitor",
                org=ORG,
                name="访客活动范围",
                kind=ZoneKind.KEEP_IN,
                datum=Datum.WGS84,
                geometry={"type": "Point", "coordinates": [_CENTRE[1], _CENTRE[0]]},
                radius_m=300.0,
                wearers=[_WEARER],
            ),
        ],
        contacts=[push],
    )


def command(host: str, port: int, username: str, password: str) -> str:
    """A line for a shell: run twice, it takes the visitor 1 km out of the zone."""
    lat, lon = _OUTSIDE
    fix = f'{{\\"lat\\":{lat},\\"lon\\":{lon},\\"accuracy_m\\":8.5}}'
    reading = f'{{\\"time_ms\\":$(date +%s%3N),\\"fix\\":{fix}}}'
    return (
        f"mosquitto_pub -h {host} -p {port} -u {username} -P {password} -q 1 -t {Topic(ORG, BAND, Channel.UP)} "
        f'-m "{{\\"v\\":1,\\"seq\\":$(date +%s),\\"readings\\":[{reading}]}}"'
    )
