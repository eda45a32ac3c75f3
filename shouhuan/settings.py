"""Settings: from the environment (``SHOUHUAN_…``) and a TOML file; a name nobody knows is an error, not a silence."""

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)

from schemas.signing import KEY_BYTES
from schemas.topics import Format

PREFIX: Final = "SHOUHUAN_"
FILE_VARIABLE: Final = "SHOUHUAN_CONFIG"
WEB_DIR: Final = Path(__file__).parent.parent / "console" / "web" / "dist"
"""Where the console's front end is built to."""
_NOT_OURS: Final = ("SHOUHUAN_TEST_", "SHOUHUAN_REQUIRE_", "SHOUHUAN_SCREENSHOT_")


def _words(value: object) -> object:
    """``native, senml`` in a variable is a list of words."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


class SettingsError(Exception):
    """Settings that cannot be used; the message lists every problem."""


class Settings(BaseModel):
    """Every setting of every process; each is ``SHOUHUAN_<NAME>`` in the environment or ``<name>`` in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    database_url: SecretStr = Field(
        SecretStr("postgresql://127.0.0.1/shouhuan"), description="PostgreSQL or TimescaleDB"
    )
    mqtt_host: str = Field("127.0.0.1", description="the broker's address")
    mqtt_port: Annotated[int, Field(ge=1, le=65535)] = Field(1883, description="the broker's port")
    mqtt_version: Literal["5", "3.1.1"] = Field("5", description="3.1.1 means one partition, not shared")
    mqtt_shared: bool | None = Field(
        None, description="share the bands' messages among sessions; unset: if there are several partitions (ADR 0009)"
    )
    mqtt_username: str | None = Field(None, description="the workers' account at the broker")
    mqtt_password: SecretStr | None = Field(None, description="its password")
    mqtt_tls_ca: Path | None = Field(None, description="certificate authority of the broker; absent means no TLS")
    formats: Annotated[frozenset[Format], BeforeValidator(_words), Field(min_length=1)] = Field(
        frozenset(Format), description="what telemetry may be written in: any of native, owntracks, senml"
    )
    mqtt_receive_maximum: Annotated[int, Field(ge=10, le=65535)] = Field(
        2_000, description="messages in flight to one partition, unacknowledged"
    )
    partitions: Annotated[int, Field(ge=1, le=64)] = Field(1, description="MQTT sessions of the stream process")
    partition_prefix: str = Field("mqtt", description="names partitions; unique for each set of workers")
    recovery_dir: Path = Field(Path("var/recovery"), description="where the dataflow keeps its snapshots")
    epoch_ms: Annotated[int, Field(ge=10, le=60_000)] = Field(1_000, description="how often a snapshot is taken")
    max_future_s: Annotated[float, Field(ge=0)] = Field(120.0, description="how far a band's clock may be ahead")
    max_age_days: Annotated[float, Field(gt=0)] = Field(30.0, description="how long a band may have stored a reading")
    command_key_file: Path | None = Field(None, description="signs commands to bands; absent means unsigned")
    fast_interval_s: Annotated[float, Field(ge=0, le=300)] = Field(
        15.0, description="how often a band is asked to report near a boundary or in breach; 0 asks nothing"
    )
    console_host: str = Field("127.0.0.1", description="where the console listens")
    console_port: Annotated[int, Field(ge=0, le=65535)] = Field(8080, description="its port")
    console_url: str = Field("http://127.0.0.1:8080", description="how people reach the console; links in pages use it")
    console_secure_cookies: bool = Field(False, description="true behind HTTPS")
    session_secret: SecretStr | None = Field(None, description="signs console sessions; at least 32 characters")
    monitor_host: str = Field("127.0.0.1", description="where metrics and health are served; never to the public")
    monitor_port: Annotated[int, Field(ge=1, le=65535)] | None = Field(
        None, description="the port of `/metrics`, `/healthz` and `/readyz`, one a process; unset serves nothing"
    )
    stall_after_s: Annotated[float, Field(ge=5)] = Field(
        60.0, description="a process that has made no step for so long is not healthy"
    )
    ready_lag_s: Annotated[float, Field(gt=0)] = Field(
        30.0, description="a process whose work has waited longer is not ready"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="of structured logs on stderr")

    @model_validator(mode="after")
    def _sharing_needs_mqtt_5(self) -> Self:
        if self.mqtt_version != "5" and (self.mqtt_shared or self.partitions > 1):
            raise ValueError("MQTT 3.1.1 has no shared subscriptions: one partition, SHOUHUAN_MQTT_SHARED unset")
        return self

    @field_validator("command_key_file")
    @classmethod
    def _holds_a_key(cls, file: Path | None) -> Path | None:
        if file is not None:
            _read_key(file)
        return file

    @property
    def command_key(self) -> bytes | None:
        """The key that signs commands, read now; None where they go unsigned."""
        return None if self.command_key_file is None else _read_key(self.command_key_file)


def load(environment: Mapping[str, str] | None = None, **overrides: object) -> Settings:
    """Read the file named by ``SHOUHUAN_CONFIG`` (if any), then the environment, then ``overrides``.

    Raises ``SettingsError`` listing every unknown name and every bad value.

    >>> load({"SHOUHUAN_MQTT_PORT": "2883"}).mqtt_port
    2883
    >>> load({"SHOUHUAN_MQTT_PROT": "2883"})
    Traceback (most recent call last):
    shouhuan.settings.SettingsError: settings cannot be used:
      SHOUHUAN_MQTT_PROT: no such setting; did you mean SHOUHUAN_MQTT_PORT?
    """
    environment = os.environ if environment is None else environment
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX) and name != FILE_VARIABLE and not name.startswith(_NOT_OURS)
    }
    from_file = _read(environment.get(FILE_VARIABLE))
    try:
        return Settings.model_validate({**from_file, **given, **overrides})
    except ValidationError as error:
        raise SettingsError("settings cannot be used:\n" + "\n".join(map(_explain, error.errors()))) from None


def _read_key(file: Path) -> bytes:
    try:
        key = bytes.fromhex(file.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} is no key ({type(error).__name__}): `shouhuan provision broker` makes one") from None
    if len(key) != KEY_BYTES:
        raise ValueError(f"{file} holds {len(key)} bytes, a key has {KEY_BYTES}: `shouhuan provision broker` makes one")
    return key


def _read(path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{FILE_VARIABLE}={path} cannot be read: {error}") from None


def _explain(problem: Mapping[str, Any]) -> str:

    if not problem["loc"]:
        return f"  {problem['msg']}"
    name = str(problem["loc"][0])
    if problem["type"] != "extra_forbidden":
        return f"  {PREFIX}{name.upper()}: {problem['msg']}"
    close = get_close_matches(name, Settings.model_fields, n=1)
    hint = f"; did you mean {PREFIX}{close[0].upper()}?" if close else ""
    return f"  {PREFIX}{name.upper()}: no such setting{hint}"
