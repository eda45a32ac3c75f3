"""``shouhuan console``: the command centre's server with settings and a clock, and its accounts."""

import secrets
import time

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.app import ConsoleSettings, create_app
from console.auth import hash_password
from shouhuan.clock import now
from shouhuan.metrics import ConsoleMetrics
from shouhuan.monitor import Monitor
from shouhuan.settings import WEB_DIR, Settings
from store.connection import connect
from store.views import add_operator


def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    secret = settings.session_secret.get_secret_value() if settings.session_secret else secrets.token_urlsafe(32)
    app = create_app(
        ConsoleSettings(
            database_url=settings.database_url.get_secret_value(),
            session_secret=secret,
            web_dir=WEB_DIR,
            secure_cookies=settings.console_secure_cookies,
            now=now,
        )
    )
    metrics = ConsoleMetrics(lambda: app.state.desk.feed.listeners)
    Monitor(metrics.registry).start(settings)
    uvicorn.run(
        Counted(app, metrics),
        host=settings.console_host,
        port=settings.console_port,
        log_level="warning",
        access_log=False,
    )


class Counted:
    """An application whose answers are counted, and timed until they begin: a live feed never ends."""

    def __init__(self, app: ASGIApp, metrics: ConsoleMetrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        began_s = time.perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.requests.labels(str(message["status"])).inc()
                self._metrics.answer_s.observe(time.perf_counter() - began_s)
            await send(message)

        await self._app(scope, receive, counted)


def save_operator(
    settings: Settings, name: str, password: str, org: str | None, *, changes_rules: bool = False
) -> None:
    """Add an account or give it a new password."""
    with connect(settings.database_url.get_secret_value(), autocommit=True) as connection:
        add_operator(connection, name, hash_password(password), org, changes_rules=changes_rules)
