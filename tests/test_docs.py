"""The documentation and the code say the same."""

import re
from pathlib import Path

import pytest
import yaml

from schemas.alerts import AlertCode
from schemas.reasons import DropReason, RejectReason
from schemas.registry import Registry
from shouhuan.cli import app
from shouhuan.settings import Settings
from store.registry_file import read_registry

ROOT = Path(__file__).parent.parent
PACKAGES = [
    "schemas",
    "geo",
    "anomaly",
    "alerts",
    "ingest",
    "store",
    "flows",
    "oncall",
    "console",
    "simulator",
    "shouhuan",
]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands() -> list[str]:
    return sorted(c.name or c.callback.__name__ for c in app.registered_commands if c.callback)


def test_the_registry_examples_are_one_valid_file_with_every_object(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", text("docs/registry.md"), re.DOTALL)
    path = tmp_path / "registry.yaml"
    path.write_text("".join(blocks), encoding="utf-8")
    read_registry(path)
    assert yaml.safe_load(path.read_text(encoding="utf-8")).keys() == set(Registry.__struct_fields__)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_documented(name: str) -> None:
    assert f"`SHOUHUAN_{name.upper()}`" in text("docs/operations.md")


@pytest.mark.parametrize("reason", [reason.value for reason in (*RejectReason, *DropReason)])
def test_every_reason_for_not_taking_something_is_documented(reason: str) -> None:
    assert f"`{reason}`" in text("docs/operations.md")


@pytest.mark.parametrize("folder", PACKAGES)
def test_every_folder_has_its_section(folder: str) -> None:
    assert f"`{folder}/`" in text("docs/architecture.md")


@pytest.mark.parametrize("code", [code.value for code in AlertCode])
def test_every_alert_code_is_in_the_protocol(code: str) -> None:
    assert f"`{code}`" in text("docs/protocol.md")


@pytest.mark.parametrize("command", commands())
def test_every_command_is_documented(command: str) -> None:
    assert f"`shouhuan {command}" in text("docs/operations.md")


@pytest.mark.parametrize("command", commands())
def test_every_command_has_help(command: str) -> None:
    from typer.testing import CliRunner  # noqa: PLC0415 - only this test runs commands

    outcome = CliRunner().invoke(app, [command, "--help"])
    assert outcome.exit_code == 0
    assert "Usage" in outcome.output


@pytest.mark.parametrize("name", PACKAGES)
def test_each_top_level_name_is_ours_and_nobody_elses(name: str) -> None:
    from importlib.metadata import packages_distributions  # noqa: PLC0415
    from importlib.util import find_spec  # noqa: PLC0415

    spec = find_spec(name)
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).is_relative_to(ROOT)
    assert set(packages_distributions().get(name, ["shouhuan"])) == {"shouhuan"}
