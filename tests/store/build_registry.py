"""Registries that several store tests share."""

from datetime import UTC, datetime, timedelta

from schemas.registry import (
    Assignment,
    Consent,
    Contact,
    Datum,
    Day,
    Device,
    Grade,
    Ground,
    Leave,
    Order,
    Org,
    Registry,
    Schedule,
    Wearer,
    Window,
    Zone,
    ZoneKind,
)

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
SQUARE = [[101.70, 26.58], [101.72, 26.58], [101.72, 26.60], [101.70, 26.60], [101.70, 26.58]]


def small_registry() -> Registry:
    """One of every object, two where a tree or an absence matters."""
    return Registry(
        orgs=[Org(id="city", name="攀枝花", name_en="Panzhihua"), Org(id="dongqu", name="东区", parent="city")],
        wearers=[
            Wearer(id="w-1", org="dongqu", name="甲", grade=Grade.RED),
            Wearer(id="w-2", org="dongqu", minor=True),
        ],
        devices=[Device(id="band-1", org="dongqu", model="x"), Device(id="band-2", org="dongqu")],
        assignments=[
            Assignment(device="band-1", wearer="w-1", valid_from=NOW),
            Assignment(device="band-2", wearer="w-2", valid_from=NOW, valid_to=NOW + timedelta(days=9)),
        ],
        orders=[
            Order(
                id="o-1",
                wearer="w-1",
                ground=Ground.COURT_PROHIBITION,
                document="文号1",
                approver="局长",
                valid_from=NOW,
                valid_to=NOW + timedelta(days=90),
            )
        ],
        consents=[Consent(wearer="w-1", document="c", valid_from=NOW)],
        schedules=[Schedule(id="nights", windows=[Window(days=[Day.MON, Day.SUN], start="22:00", end="06:00")])],
        zones=[
            Zone(
                id="home",
                org="dongqu",
                name="家",
                kind=ZoneKind.CURFEW,
                datum=Datum.WGS84,
                radius_m=80.5,
                geometry={"type": "Point", "coordinates": [101.71456, 26.58234]},
                wearers=["w-1"],
                schedule="nights",
                valid_from=NOW,
            ),
            Zone(
                id="district",
                org="dongqu",
                name="区",
                kind=ZoneKind.KEEP_IN,
                datum=Datum.CGCS2000,
                geometry={"type": "Polygon", "coordinates": [SQUARE]},
            ),
        ],
        leaves=[
            Leave(
                id="l-1",
                wearer="w-1",
                document="d",
                approver="a",
                recorded_at=NOW,
                valid_from=NOW,
                valid_to=NOW + timedelta(days=2),
            )
        ],
        contacts=[Contact(id="duty", org="city", name="值班", url="ntfy://x/${TOPIC}")],
    )


def many_wearers(count: int) -> Registry:
    """As many wearers as asked for, each with band, assignment and order."""
    orders = small_registry().orders
    return Registry(
        orgs=[Org(id="city", name="C")],
        wearers=[Wearer(id=f"w-{n}", org="city") for n in range(count)],
        devices=[Device(id=f"band-{n}", org="city") for n in range(count)],
        assignments=[Assignment(device=f"band-{n}", wearer=f"w-{n}", valid_from=NOW) for n in range(count)],
        orders=[
            Order(
                id=f"o-{n}",
                wearer=f"w-{n}",
                ground=orders[0].ground,
                document="d",
                approver="a",
                valid_from=NOW,
                valid_to=NOW + timedelta(days=60),
            )
            for n in range(count)
        ],
    )
