"""A host whose programs are older than what is run there is refused by name; one that is newer is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.node.versions import (
    CONTROLLER,
    TELEMETRY,
    check_versions,
    parse_number,
    read_versions,
    untried,
)
from tests.unit.fakes import FakeShell, LocalShell

RHEL_8_2 = {
    "podman": "podman version 1.6.4",
    "systemd": "systemd 239 (239-31.el8_2.2)",
    "Pacemaker": "Pacemaker 2.0.3-5.el8_2.1",
    "pcs": "0.10.4",
    "MariaDB": "/usr/libexec/mysqld  Ver 10.3.17-MariaDB for Linux on x86_64 (MariaDB Server)",
}
DEBIAN_13 = {
    "podman": "podman version 5.4.2",
    "systemd": "systemd 257 (257.8-1~deb13u2)",
    "Pacemaker": "Pacemaker 3.0.0",
    "pcs": "0.12.0",
    "MariaDB": "mariadbd  Ver 11.8.3-MariaDB-0+deb13u1 from Debian for debian-linux-gnu on x86_64",
}


@pytest.mark.parametrize("versions", [RHEL_8_2, DEBIAN_13])
def test_hosts_of_both_ends_of_the_range_are_as_they_were_tried(versions: dict[str, str]) -> None:
    checks = check_versions("controller-0", versions)
    assert [check.name.removeprefix("version of ") for check in checks] == list(RHEL_8_2)
    assert all(check.ok for check in checks)
    assert untried(checks) == []


@pytest.mark.parametrize(
    ("program", "text", "said"),
    [
        ("podman", "podman version 1.4.4", "podman 1.4.4 is older than 1.6.4"),
        ("systemd", "systemd 219", "systemd 219 is older than 239"),
        ("Pacemaker", "Pacemaker 1.1.23-1.el7_9.1", "Pacemaker 1.1.23 is older than 2.0.3"),
        ("pcs", "0.9.169", "pcs 0.9.169 is older than 0.10.4"),
        ("MariaDB", "mysqld  Ver 10.1.48-MariaDB for Linux", "MariaDB 10.1.48 is older than 10.3"),
        ("podman", "", "podman is not there, or does not say its version"),
        ("pcs", "Traceback (most recent call last):", "pcs is not there, or does not say its version"),
    ],
)
def test_one_that_is_too_old_or_not_there_is_refused_by_name(program: str, text: str, said: str) -> None:
    wrong = [check for check in check_versions("controller-1", RHEL_8_2 | {program: text}) if not check.ok]
    assert len(wrong) == 1
    assert str(wrong[0]).startswith(f"controller-1: {said}")
    assert wrong[0].hint


@pytest.mark.parametrize(
    ("program", "text"),
    [
        ("podman", "podman version 6.0.0"),
        ("systemd", "systemd 258~rc1 (258~rc1-1)"),
        ("Pacemaker", "Pacemaker 3.1.0"),
        ("pcs", "0.13"),
        ("MariaDB", "mariadbd  Ver 12.1.2-MariaDB-ubu2404 for debian-linux-gnu"),
    ],
)
def test_one_that_nobody_has_tried_is_allowed_and_told(program: str, text: str) -> None:
    checks = check_versions("controller-0", DEBIAN_13 | {program: text})
    assert all(check.ok for check in checks)
    (told,) = untried(checks)
    assert told.startswith(f"controller-0: version of {program}: ")
    assert "newer than" in told


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("mysqld  Ver 10.6.5-3-MariaDB-enterprise-log for Linux", (10, 6, 5)),
        ("mysql  Ver 15.1 Distrib 10.3.28-MariaDB", (10, 3, 28)),
        ("mysqld  Ver 8.0.30 for Linux on x86_64", ()),
        ("", ()),
    ],
)
def test_a_servers_version_is_not_its_clients(text: str, number: tuple[int, ...]) -> None:
    assert parse_number("MariaDB", text) == number


def test_a_server_that_says_no_version_is_left_to_who_needs_it() -> None:
    assert len(check_versions("controller-0", RHEL_8_2 | {"MariaDB": ""})) == 4


def test_what_was_not_asked_is_not_judged() -> None:
    assert [check.name for check in check_versions("compute-0", {"systemd": "systemd 239"}, TELEMETRY)] == [
        "version of systemd"
    ]


def programs(folder: Path, **said: str) -> LocalShell:
    """A host with these programs alone in front of all others, each with what it says."""
    for name, text in said.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
    return LocalShell(folder)


def test_all_are_asked_at_once_and_one_that_fails_says_nothing(tmp_path: Path) -> None:
    podman = """case $* in
  --version) echo podman version 1.6.4 ;;
  *Status*) echo running ;;
  exec*) echo "mysqld  Ver 10.3.17-MariaDB" ;;
esac"""
    shell = programs(
        tmp_path,
        podman=podman,
        systemctl='echo "systemd 239 (239-31.el8_2.2)"; echo "+PAM +AUDIT"',
        crm_mon='[ "$1" = --version ] && echo "Pacemaker 2.0.3-5.el8_2.1"; echo "Written by Andrew Beekhof"',
        pcs="echo broken >&2; exit 1",
    )
    assert read_versions(shell, CONTROLLER, "galera-bundle-podman-0") == RHEL_8_2 | {
        "pcs": "",
        "MariaDB": "mysqld  Ver 10.3.17-MariaDB",
    }


def test_the_server_of_a_container_that_does_not_run_is_asked_in_its_image(tmp_path: Path) -> None:
    podman = """case $* in
  *Status*) echo exited ;;
  *Image*) echo 1f2e ;;
  "run --rm --network none --entrypoint bash 1f2e -c "*) echo "Ver 10.3.17-MariaDB" ;;
esac"""
    assert read_versions(programs(tmp_path, podman=podman), (), "galera-bundle-podman-0") == {}
    found = read_versions(programs(tmp_path, podman=podman), CONTROLLER[-1:], "galera-bundle-podman-0")
    assert found == {"MariaDB": "Ver 10.3.17-MariaDB"}


def test_a_host_of_platform_8_has_no_podman_and_an_older_systemd() -> None:
    shell = FakeShell("compute-0").on(
        "systemctl --version", say="systemctl --version: systemd 219\npodman --version: \n"
    )
    checks = check_versions(shell.name, read_versions(shell, TELEMETRY), TELEMETRY)
    assert [check.name for check in checks if check.ok] == ["version of systemd"]


def test_all_that_is_too_old_on_a_host_is_told() -> None:
    said = "systemctl --version: systemd 208\npodman --version: podman version 0.12.1.2\n"
    shell = FakeShell("compute-0").on("systemctl --version", say=said)
    checks = check_versions(shell.name, read_versions(shell, TELEMETRY), TELEMETRY)
    assert [str(check).split(" is ")[0] for check in checks] == [
        "compute-0: podman 0.12.1.2",
        "compute-0: systemd 208",
    ]
