"""Registries that several store tests share."""

from datetime import UTC, date, datetime, timedelta

from schemas.registry import (
    Assignment,
    Calendar,
    Consent,
    Contact,
    DatedWindows,
    Datum,
    Day,
    DayWindow,
    Device,
    Grade,
    Ground,
    Leave,
    LeavePlace,
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
        calendars=[Calendar(id="holidays", dates=[date(2027, 1, 1), date(2027, 2, 6)])],
        schedules=[
            Schedule(
                id="nights",
                windows=[Window(days=[Day.MON, Day.SUN], start="22:00", end="06:00")],
                exceptions=[
                    DatedWindows(first=date(2026, 12, 24)),
                    DatedWindows(
                        first=date(2026, 12, 30),
                        last=date(2026, 12, 31),
                        windows=[DayWindow(start="20:00", end="07:00")],
                    ),
                ],
                calendar="holidays",
                holiday_windows=[DayWindow(start="00:00", end="24:00")],
            )
        ],
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
                approach_m=50,
            ),
            Zone(
                id="bank",
                org="dongqu",
                name="江岸",
                kind=ZoneKind.KEEP_OUT,
                datum=Datum.GCJ02,
                geometry={"type": "LineString", "coordinates": [[101.70, 26.57], [101.72, 26.575]]},
                width_m=120.5,
                approach_m=80,
                dwell_s=600,
                wearers=["w-2"],
            ),
        ],
        leaves=[
            Leave(
                id="l-1",
                wearer="w-1",
                document="d",
                approver="a",
                recorded_at=NOW,
                valid_from=NOW + timedelta(days=1),
                valid_to=NOW + timedelta(days=3),
            ),
            Leave(
                id="l-2",
                wearer="w-1",
                document="d",
                approver="a",
                recorded_at=NOW,
                valid_from=NOW + timedelta(days=1),
                valid_to=NOW + timedelta(days=150),
                places=[
                    LeavePlace(
                        name="成都市场",
                        datum=Datum.GCJ02,
                        geometry={"type": "Point", "coordinates": [104.08, 30.66]},
                        radius_m=500,
                    ),
                    LeavePlace(
                        name="高速",
                        datum=Datum.WGS84,
                        geometry={"type": "MultiLineString", "coordinates": [[[101.72, 26.6], [102.26, 27.9]]]},
                        width_m=400,
                    ),
                ],
                permit=True,
            ),
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
