"""``shouhuan provision``: what it writes, what it keeps, and what it never says."""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from shouhuan.cli import app
from shouhuan.door.passwords import hashed, remove_password, set_password
from tests.services.missing import unavailable

HOST = ["--host", "broker.example"]


def provision(*words: str | Path) -> Result:
    return CliRunner().invoke(app, ["provision", *map(str, words)])


@pytest.fixture
def site(tmp_path: Path) -> Path:
    assert provision("broker", tmp_path / "site", *HOST).exit_code == 0
    return tmp_path / "site"


def files(site: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(site.rglob("*")) if path.is_file()}


def test_making_a_site_again_keeps_its_authority_certificate_and_accounts(site: Path) -> None:
    before = files(site)
    assert provision("broker", site, *HOST).exit_code == 0
    after = files(site)
    # A list of revocations is signed anew each time.
    assert [path.name for path in after if after[path] != before.get(path)] == ["revoked.crl"]


def test_another_host_name_makes_another_certificate_and_keeps_the_authority(site: Path) -> None:
    before = files(site)
    assert provision("broker", site, *HOST, "--host", "10.0.0.5").exit_code == 0
    changed = {path.name for path, content in files(site).items() if before[path] != content}
    assert changed == {"broker.crt", "broker.key", "revoked.crl"}


@pytest.mark.parametrize("how", ["--certificate", "--password"])
def test_a_band_keeps_its_credentials_until_new_ones_are_asked_for(site: Path, how: str) -> None:
    assert provision("device", site, "dongqu", "band-1", how).exit_code == 0
    before = files(site)
    again = provision("device", site, "dongqu", "band-1", how)
    assert again.exit_code == 0
    assert "has its credentials already; `--renew` makes new ones" in again.output
    assert files(site) == before
    assert provision("device", site, "dongqu", "band-1", how, "--renew").exit_code == 0
    assert files(site) != before


def test_secrets_are_their_owners_only_and_are_never_said(site: Path) -> None:
    said = [
        provision("device", site, "dongqu", "band-1", "--password"),
        provision("device", site, "dongqu", "band-2"),
        provision("account", site, "simulator"),
        provision("account", site, "worker", "--renew"),
        provision("revoke", site, "dongqu", "band-2"),
    ]
    assert [result.exit_code for result in said] == [0] * len(said)
    secret = [path for path in files(site) if path.suffix in {".key", ".env", ".passwords"} or path.name == "password"]
    assert len(secret) == 11
    assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
    password = (site / "bands/dongqu/band-1/password").read_text()
    service = re.search("PASSWORD=(.*)", (site / "services/shouhuan-stream.env").read_text())
    assert service is not None
    words = "".join(result.output for result in said)
    assert password not in words
    assert service[1] not in words
    assert "PRIVATE KEY" not in words


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_writes_for_the_broker_stays_the_brokers(tmp_path: Path) -> None:
    site = tmp_path / "site"
    assert "chown" not in provision("broker", site, *HOST, "--user", "nobody").output
    provision("device", site, "dongqu", "band-1", "--password")
    provision("revoke", site, "dongqu", "band-1")
    assert {path.owner() for path in (site / "broker", *(site / "broker").iterdir())} == {"nobody"}
    assert {path.owner() for path in files(site / "authority")} == {"root"}


def test_a_broker_user_that_is_not_here_is_told_of(tmp_path: Path) -> None:
    made = provision("broker", tmp_path / "site", *HOST, "--user", "mosquitto-elsewhere")
    assert made.exit_code == 0
    assert "chown -R mosquitto-elsewhere: " in made.output.replace("\n", "")


def test_what_the_broker_needs_holds_no_authority_and_no_bands_secret(site: Path) -> None:
    provision("device", site, "dongqu", "band-1", "--password")
    password = (site / "bands/dongqu/band-1/password").read_bytes()
    authority = (site / "authority/ca.key").read_bytes()
    for content in files(site / "broker").values():
        assert password not in content
        assert authority not in content


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["device", "dong/qu", "band-1"], "'dong/qu' is no name of an org or a device: 1–64 of"),
        (["device", "dongqu", "+"], "'+' is no name of an org or a device"),
        (["device", "o" * 32, "d" * 32], "has 65 characters, a certificate's name takes 64: use --password"),
        (["revoke", "dongqu", "band-7"], "dongqu/band-7 has no credentials here"),
        (["account", "console"], "console is no account at the broker: there are worker and simulator"),
    ],
    ids=["slash", "wildcard", "long", "unknown band", "unknown account"],
)
def test_what_cannot_be_done_is_told_with_what_to_do(site: Path, words: list[str], told: str) -> None:
    result = provision(words[0], site, *words[1:])
    assert result.exit_code == 1
    assert told in result.output


def test_a_folder_that_is_no_site_is_told_to_be_made_one_first(tmp_path: Path) -> None:
    result = provision("device", tmp_path, "dongqu", "band-1")
    assert result.exit_code == 1
    assert "run `shouhuan provision broker` first" in result.output
    assert not (tmp_path / "bands").exists()


def test_a_password_is_kept_as_mosquitto_passwd_keeps_it(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    if shutil.which("mosquitto_passwd") is None:
        unavailable(request.config, "Mosquitto", "no mosquitto_passwd on the PATH")
    theirs = tmp_path / "theirs"
    theirs.write_text("dongqu/band-1:secret\n")
    subprocess.run(["mosquitto_passwd", "-U", theirs], check=True, capture_output=True)
    account, kept = theirs.read_text().strip().split(":")
    assert account == "dongqu/band-1"
    from base64 import b64decode  # noqa: PLC0415 - only here

    assert hashed("secret", b64decode(kept.split("$")[3])) == kept


def test_a_password_file_keeps_the_others(tmp_path: Path) -> None:
    file = tmp_path / "passwords"
    for account in ("a/1", "a/10", "a/1"):
        set_password(file, account, "x")
    assert remove_password(file, "a/1")
    assert not remove_password(file, "a/1")
    assert [line.split(":")[0] for line in file.read_text().splitlines()] == ["a/10"]
