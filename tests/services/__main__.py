"""``python -m tests.services install``: what the tests need and only root can install, once."""

import os
import shutil
import subprocess
import sys

from tests.services import rootfs, timescale

PROGRAMS = {
    "mmdebstrap": "mmdebstrap",
    "mosquitto": "mosquitto",
    "mosquitto_pub": "mosquitto-clients",
    "chromium": "chromium",
    "fc-list": "fontconfig",
}
CHINESE_FONT = "fonts-noto-cjk"


def say(line: str) -> None:
    print(f"services: {line}", flush=True)  # noqa: T201 - its output is its progress


def missing_packages() -> list[str]:
    """The Debian packages whose programs are not on this machine."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    packages = [package for program, package in PROGRAMS.items() if shutil.which(program, path=path) is None]
    return packages if _has_chinese_font() else [*packages, CHINESE_FONT]


def install() -> int:
    """Install packages where we may, then make the root file system; what cannot be had is said, not fatal."""
    packages = missing_packages()
    if not packages:
        say("all programs are here")
    elif os.geteuid() != 0 or shutil.which("apt-get") is None:
        say(f"not here: {', '.join(packages)}; tests that need them are skipped (as root on Debian they are installed)")
    else:
        say(f"installing {', '.join(packages)}")
        _apt_get("update", "-qq")
        _apt_get("install", "-y", "-qq", "--no-install-recommends", *packages)
    _make_rootfs()
    return 0


def main(words: list[str]) -> int:
    if words != ["install"]:
        say("usage: python -m tests.services install")
        return 2
    return install()


def _make_rootfs() -> None:
    if timescale.comes_from_elsewhere():
        say("TimescaleDB is given, or comes from Docker")
        return
    if rootfs.path().exists():
        say(f"TimescaleDB is in {rootfs.path()}")
        return
    say(f"making a Debian root file system with TimescaleDB in {rootfs.path()} (0.5 GB, once)")
    try:
        rootfs.ensure()
    except rootfs.RootfsUnavailable as reason:
        say(f"no TimescaleDB from a Debian root file system: {reason}")
    else:
        say("made")


def _apt_get(*words: str) -> None:
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(["apt-get", *words], env=quiet, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        say(f"apt-get {words[0]} failed: {done.stderr.strip()[-500:]}")


def _has_chinese_font() -> bool:
    if shutil.which("fc-list") is None:
        return False
    return bool(subprocess.run(["fc-list", ":lang=zh"], capture_output=True, check=False).stdout.strip())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
