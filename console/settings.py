"""What the console must be told to run."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleSettings:
    """``web_dir`` holds the built page; ``secure_cookies`` is for HTTPS; ``now`` is the clock, in UTC."""

    database_url: str
    session_secret: str
    web_dir: Path
    now: Callable[[], datetime]
    secure_cookies: bool = False
    session_length: timedelta = timedelta(hours=12)
    heartbeat_s: float = 15.0
    stream_length_s: float = 900.0

    def missing_page(self) -> str | None:
        """One line for people when the page has not been built."""
        index = self.web_dir / "index.html"
        return (
            None if index.exists() else f"the console's page is not built ({index.name} is missing): run `make setup`"
        )
