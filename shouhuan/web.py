"""``shouhuan console``: the command centre's server with settings and a clock, and its accounts."""

import secrets

import uvicorn

from console.app import ConsoleSettings, create_app
from console.auth import hash_password
from shouhuan.clock import now
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
    uvicorn.run(app, host=settings.console_host, port=settings.console_port, log_level="warning", access_log=False)


def save_operator(
    settings: Settings, name: str, password: str, org: str | None, *, changes_rules: bool = False
) -> None:
    """Add an account or give it a new password."""
    with connect(settings.database_url.get_secret_value(), autocommit=True) as connection:
        add_operator(connection, name, hash_password(password), org, changes_rules=changes_rules)
