"""What production starts: commands that exist, settings that are known, no secret with a default."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parent.parent
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = sorted(name for name, service in SERVICES.items() if service["image"].startswith("shouhuan:"))
DOCKERFILE = (ROOT / "Dockerfile").read_text()
GUIDE = (ROOT / "docs/deployment.md").read_text()
ENV_EXAMPLE = (ROOT / ".env.example").read_text()
BROKER_CONF = (ROOT / "deploy/mosquitto/mosquitto.conf").read_text()
FROM_ENVIRONMENT = re.compile(r"\$\{[A-Z_]+:(-|\?[^}]+)\}")
IS_SECRET = re.compile(r"PASSWORD|SECRET")


def one_shot(name: str) -> bool:
    return bool(SERVICES[name].get("restart") == "no")


def example_variables() -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", ENV_EXAMPLE, re.MULTILINE))


@pytest.fixture(scope="module")
def commands() -> set[str]:
    import typer.main  # noqa: PLC0415 - the other tests need no command line

    from shouhuan.cli import app  # noqa: PLC0415

    return set(getattr(typer.main.get_command(app), "commands"))  # noqa: B009 - a group has it, a command has not


@pytest.mark.parametrize("name", OURS)
def test_a_service_runs_a_command_that_exists(name: str, commands: set[str]) -> None:
    assert SERVICES[name]["command"][0] in commands


def test_the_guide_names_only_commands_that_exist(commands: set[str]) -> None:
    # The image starts `shouhuan` by itself, so a service's name is followed by the subcommand.
    services = "|".join(OURS)
    run = re.findall(rf"docker compose run .*?\b(?:{services}) ([a-z]+)", GUIDE)
    assert set(run) >= {"import", "operator", "doctor"}
    assert {*run, *re.findall(r"`shouhuan ([a-z]+)", GUIDE)} <= commands


@pytest.mark.parametrize(
    "text", [yaml.dump(SERVICES), DOCKERFILE, ENV_EXAMPLE, GUIDE], ids=["compose", "image", "env", "guide"]
)
def test_every_setting_named_is_one_the_program_knows(text: str) -> None:
    from shouhuan.settings import Settings  # noqa: PLC0415

    known = {f"SHOUHUAN_{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(r"\bSHOUHUAN_[A-Z_]+\b", text)) <= known


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_that_stays_says_whether_it_is_well_and_comes_back(name: str) -> None:
    if one_shot(name):
        return
    assert SERVICES[name]["healthcheck"]["test"][0] in {"CMD", "CMD-SHELL"}
    assert SERVICES[name]["restart"] == "unless-stopped"
    assert SERVICES[name]["deploy"]["resources"]["limits"]["memory"]


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_waits_until_what_it_needs_is_done_or_well(name: str) -> None:
    for needed, terms in SERVICES[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if one_shot(needed) else "service_healthy"
        assert terms["condition"] == expected, f"{name} needs {needed}"


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_secrets_come_from_the_environment_and_have_no_default(name: str) -> None:
    environment = SERVICES[name].get("environment", {})
    for variable, value in environment.items():
        if IS_SECRET.search(variable):
            assert FROM_ENVIRONMENT.fullmatch(value), variable
    if url := environment.get("SHOUHUAN_DATABASE_URL"):
        assert re.fullmatch(r"postgresql://shouhuan:\$\{POSTGRES_PASSWORD:\?[^}]+\}@timescaledb:5432/shouhuan", url)


def test_the_example_environment_names_all_that_must_be_set_and_sets_nothing() -> None:
    required = set(re.findall(r"\$\{([A-Z_]+):\?", (ROOT / "docker-compose.yml").read_text()))
    assert required <= example_variables().keys()
    assert set(example_variables().values()) == {""}


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_volumes_are_declared_and_mounted_files_exist(name: str) -> None:
    for volume in SERVICES[name].get("volumes", []):
        source = volume.split(":")[0]
        assert source in COMPOSE["volumes"] or (ROOT / source).exists(), volume


def test_images_are_pinned() -> None:
    images = [service["image"] for service in SERVICES.values()] + re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert all(re.search(r":\d+\.\d+", image) for image in images), images


def test_the_image_is_built_in_stages_and_runs_without_root_or_development_tools() -> None:
    *_, last_stage = DOCKERFILE.split("\nFROM ")
    assert re.search(r"^USER (?!root)", last_stage, re.MULTILINE)
    assert "npm" not in last_stage
    assert "dev" not in " ".join(re.findall(r"pip install (.*)", DOCKERFILE))


def test_every_package_and_nothing_unnamed_enters_the_image() -> None:
    rules = (ROOT / ".dockerignore").read_text().splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert "*" in rules
    assert {f"!{package}/" for package in packages} <= set(rules)


@pytest.mark.parametrize(
    "line",
    ["allow_anonymous false", "set_tcp_nodelay true", "persistence true"],
)
def test_the_broker_is_closed_prompt_and_persistent(line: str) -> None:
    assert line in BROKER_CONF.splitlines()
    assert "allow_anonymous true" not in BROKER_CONF


@pytest.mark.parametrize(
    "option",
    [
        "max_inflight_messages",
        "max_queued_messages",
        "max_packet_size",
        "password_file",
        "acl_file",
    ],
)
def test_the_broker_leaves_no_limit_to_its_defaults(option: str) -> None:
    assert re.search(rf"^{option} \S+$", BROKER_CONF, re.MULTILINE)


def test_the_broker_of_production_keeps_the_limits_and_access_lists_of_a_provisioned_one() -> None:
    from shouhuan.door.configuration import BANDS_ACL, LIMITS, SERVICES_ACL  # noqa: PLC0415

    assert LIMITS in BROKER_CONF
    assert (ROOT / "deploy/mosquitto/acl").read_text().endswith(f"\n\n{BANDS_ACL}\n{SERVICES_ACL}")


@pytest.mark.parametrize("word", [*SERVICES, *example_variables(), *COMPOSE["volumes"], "oncall.env", "tls.conf"])
def test_the_guide_mentions(word: str) -> None:
    assert f"`{word}`" in GUIDE or re.search(rf"\b{re.escape(word)}\b", GUIDE)
