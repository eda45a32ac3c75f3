"""``GET /healthz`` and ``/readyz``: for whoever supervises the console; open to all, so they name no address."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from psycopg import OperationalError

from console.desk import Desk, DeskOf
from store.errors import MigrationError
from store.migrate import pending_in

router = APIRouter()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """The process is alive."""
    return {"status": "alive"}


@router.get("/readyz")
async def readyz(desk: DeskOf) -> JSONResponse:
    """The database answers and has this version's schema; else 503 with what is wrong and what to do."""
    problem = await _problem(desk)
    if problem is None:
        return JSONResponse({"status": "ready"})
    check, wrong, cure = problem
    return JSONResponse({"status": "not ready", "problems": [{"check": check, "wrong": wrong, "do": cure}]}, 503)


async def _problem(desk: Desk) -> tuple[str, str, str] | None:
    try:
        async with desk.session() as session:
            waiting = await pending_in(session)
    except OperationalError:
        return "database", "the database does not answer", "start it; `shouhuan doctor` says where it was looked for"
    except MigrationError as error:
        return "migrations", str(error), "run the version of the console that the database has"
    if waiting:
        return "migrations", f"waiting: {', '.join(waiting)}", "run `shouhuan migrate`"
    return None
