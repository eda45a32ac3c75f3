import re
from pathlib import Path

import pytest

from shouhuan.settings import SettingsError, load


def test_every_problem_is_told_at_once_with_the_name_to_fix() -> None:
    with pytest.raises(SettingsError) as told:
        load({"SHOUHUAN_MQTT_PORT": "many", "SHOUHUAN_EPOCHMS": "5", "SHOUHUAN_PARTITIONS": "0"})
    for name in ("SHOUHUAN_MQTT_PORT", "SHOUHUAN_EPOCHMS", "did you mean SHOUHUAN_EPOCH_MS?", "SHOUHUAN_PARTITIONS"):
        assert name in str(told.value)


def test_variables_win_over_the_file_and_the_file_refuses_unknown_names(tmp_path: Path) -> None:
    file = tmp_path / "shouhuan.toml"
    file.write_text('mqtt_host = "broker"\nmqtt_port = 1884\n')
    settings = load({"SHOUHUAN_CONFIG": str(file), "SHOUHUAN_MQTT_PORT": "1885"})
    assert (settings.mqtt_host, settings.mqtt_port) == ("broker", 1885)
    file.write_text('mqtt_hots = "broker"\n')
    with pytest.raises(SettingsError, match="SHOUHUAN_MQTT_HOTS"):
        load({"SHOUHUAN_CONFIG": str(file)})


def test_secrets_do_not_show_when_settings_are_printed() -> None:
    settings = load({"SHOUHUAN_DATABASE_URL": "postgresql://u:hunter2@h/d", "SHOUHUAN_MQTT_PASSWORD": "hunter2"})
    assert "hunter2" not in repr(settings)


def test_sharing_with_a_broker_that_cannot_is_refused() -> None:
    with pytest.raises(SettingsError, match="no shared subscriptions"):
        load({"SHOUHUAN_MQTT_VERSION": "3.1.1", "SHOUHUAN_PARTITIONS": "2"})


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "is no key (FileNotFoundError)"),
        ("ring", "is no key (ValueError)"),
        ("00ff", "holds 2 bytes, a key has 32"),
    ],
    ids=["absent", "no digits", "short"],
)
def test_a_key_for_commands_that_is_none_is_told_before_anything_starts(
    tmp_path: Path, content: str | None, told: str
) -> None:
    file = tmp_path / "command.key"
    if content is not None:
        file.write_text(content)
    with pytest.raises(SettingsError, match=re.escape(told)) as error:
        load({"SHOUHUAN_COMMAND_KEY_FILE": str(file)})
    assert "`shouhuan provision broker` makes one" in str(error.value)


def test_a_key_for_commands_is_read_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "command.key"
    file.write_text(f"{bytes(range(32)).hex()}\n")
    assert load({"SHOUHUAN_COMMAND_KEY_FILE": str(file)}).command_key == bytes(range(32))
    assert load({}).command_key is None
