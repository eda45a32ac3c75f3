"""The console as one ASGI application: API, live feed, page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles
from psycopg import OperationalError
from starlette.middleware.sessions import SessionMiddleware

from console import api, events, health, zones
from console.desk import Desk
from console.guard import Guard
from console.settings import ConsoleSettings
from store.connection import first_line
from store.errors import StoreUnavailable

_log: Final = structlog.get_logger(__name__)
__all__ = ["ConsoleSettings", "create_app"]


def create_app(settings: ConsoleSettings) -> FastAPI:
    """The application; it connects when it starts, not here, and lives on while the database is away."""
    desk = Desk(settings)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with desk.at_work():
            yield

    app = FastAPI(title="Shouhuan console", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.desk = desk
    app.include_router(api.router)
    app.include_router(events.router)
    app.include_router(zones.router)
    app.include_router(health.router)
    app.add_exception_handler(RequestValidationError, _not_understood)
    app.add_exception_handler(OperationalError, _no_database)
    app.add_exception_handler(StoreUnavailable, _no_database)
    app.add_exception_handler(psycopg.Error, _refused)
    _serve_page(app, settings)
    app.add_middleware(
        SessionMiddleware,
        secret_key=settings.session_secret,
        session_cookie="shouhuan_session",
        max_age=int(settings.session_length.total_seconds()),
        same_site="strict",
        https_only=settings.secure_cookies,
    )
    app.add_middleware(Guard, https=settings.secure_cookies)
    return app


def _serve_page(app: FastAPI, settings: ConsoleSettings) -> None:
    missing = settings.missing_page()
    if missing is None:
        app.mount("/", StaticFiles(directory=settings.web_dir, html=True))
        return

    @app.get("/", response_class=PlainTextResponse)
    async def no_page() -> Response:
        return PlainTextResponse(f"{missing}\n", 503)


async def _not_understood(_: Request, error: Exception) -> JSONResponse:
    """Name what is wrong without repeating what was sent: it may be a password."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for no other
    problems = (f"{'.'.join(map(str, problem['loc'][1:]))}: {problem['msg']}" for problem in error.errors())
    return JSONResponse({"detail": "; ".join(problems)}, 422)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    """Log what the database refused, not the row: a traceback would print both."""
    route = getattr(request.scope.get("route"), "path", None)
    _log.error("database-refused", route=route, error=first_line(error), sqlstate=getattr(error, "sqlstate", None))
    return JSONResponse({"detail": "the database refused; the console's log says what"}, 500)


async def _no_database(_request: Request, _error: Exception) -> JSONResponse:
    return JSONResponse({"detail": "the database does not answer; try again shortly"}, 503)
