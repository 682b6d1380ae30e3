"""systemd 239 of RHEL 8.2 lets through what it knows, and refuses the rest in its own words."""

from __future__ import annotations

import shlex

import pytest

from tests.lab.floor import systemd
from tests.lab.floor.refusal import Refusal


def run_refused(line: str) -> str:
    with pytest.raises(Refusal) as caught:
        systemd.check_run(shlex.split(line))
    assert caught.value.code == 1
    return str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "--version",
        "true",
        "--quiet --unit=a --on-active=10 --timer-property=AccuracySec=1s -- systemctl stop b",
        "-qG --unit a -p Type=exec -p KillMode=mixed -p RuntimeMaxSec=9 -pTimeoutStopSec=5 true --detach",
        "--service-type=oneshot --setenv=A=1 -E B= --collect --wait --pipe true",
        "--scope -p MemoryMax=1G true",
        "--coll true",
        "-p StandardOutput=file:/var/log/a -p StandardError=journal -p StandardInput=null true",
        "-p StandardOutput=fd:out true",
        "-p 'ExecStopPost=-/usr/bin/podman kill a' true",
        "-p 'ExecStopPost=-@/usr/bin/podman podman kill a' true",
        "-p ConditionPathExists=!/a -p Requires=b.service -p 'Description=c d' true",
        "-p LimitNOFILE=16384 -p UMask=0077 -p OOMScoreAdjust=-900 true",
    ],
)
def test_what_systemd_run_knows_goes_through(line: str) -> None:
    systemd.check_run(shlex.split(line))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--working-directory=/ true", "systemd-run: unrecognized option '--working-directory=/'"),
        ("--same-dir true", "systemd-run: unrecognized option '--same-dir'"),
        ("--shell", "systemd-run: unrecognized option '--shell'"),
        ("-d true", "systemd-run: invalid option -- 'd'"),
        ("-S", "systemd-run: invalid option -- 'S'"),
        ("--quiet=yes true", "systemd-run: option '--quiet' doesn't allow an argument"),
        ("--unit", "systemd-run: option '--unit' requires an argument"),
        ("-p", "systemd-run: option requires an argument -- 'p'"),
        ("--on 3 true", "systemd-run: option '--on' is ambiguous; possibilities: '--on-active' '--on-boot'"),
    ],
)
def test_a_newer_option_of_systemd_run_is_unrecognized(line: str, words: str) -> None:
    assert run_refused(line).startswith(words)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-p OOMPolicy=continue true", "Unknown assignment: OOMPolicy=continue"),
        ("-p ExecCondition=/bin/true true", "Unknown assignment: ExecCondition=/bin/true"),
        ("-p TimeoutAbortSec=3 true", "Unknown assignment: TimeoutAbortSec=3"),
        ("-p RuntimeRandomizedExtraSec=3 true", "Unknown assignment: RuntimeRandomizedExtraSec=3"),
        ("-p LockPersonality=yes true", "Unknown assignment: LockPersonality=yes"),
        ("-p ManagedOOMSwap=kill true", "Unknown assignment: ManagedOOMSwap=kill"),
        ("--scope -p Type=exec true", "Unknown assignment: Type=exec"),
        ("--on-active=1 --timer-property=FixedRandomDelay=yes true", "Unknown assignment: FixedRandomDelay=yes"),
        ("-p Type true", "Not an assignment: Type"),
    ],
)
def test_a_newer_property_is_an_unknown_assignment(line: str, words: str) -> None:
    assert run_refused(line) == words


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("-p StandardOutput=append:/var/log/a true", "Invalid StandardOutput setting: append:/var/log/a"),
        ("-p StandardError=truncate:/a true", "Invalid StandardError setting: truncate:/a"),
        ("-p StandardInput=append:/a true", "Invalid StandardInput setting: append:/a"),
        ("--service-type=notify-reload true", "Invalid Type setting: notify-reload"),
        ("-p 'ExecStopPost=-podman kill a' true", "Path podman is not absolute."),
        ("-p 'ExecStartPre=\"podman\" kill a' true", "Path podman is not absolute."),
        ("-E A true", "Invalid environment block."),
    ],
)
def test_a_newer_value_starts_no_unit(line: str, why: str) -> None:
    assert run_refused(line) == f"Failed to start transient service unit: {why}"


def test_a_command_with_a_plus_is_not_supported() -> None:
    assert "not supported for transient services" in run_refused("-p ExecStopPost=+/bin/true true")


@pytest.mark.parametrize(
    "line",
    [
        "stop a.service --quiet",
        "list-units --all --plain --no-legend 'openstack-*'",
        "show --property=ActiveState --value a",
        "-q is-active a",
        "is-system-running --wait",
        "kill --kill-who=main -s HUP a",
        "",
    ],
)
def test_what_systemctl_knows_goes_through(line: str) -> None:
    systemd.check_ctl(shlex.split(line))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("clean a", "Unknown operation clean."),
        ("freeze a", "Unknown operation freeze."),
        ("show -P ActiveState a", "systemctl: invalid option -- 'P'"),
        ("kill --kill-whom=main a", "systemctl: unrecognized option '--kill-whom=main'"),
        ("stop a --no-warn", "systemctl: unrecognized option '--no-warn'"),
        ("status --with-dependencies a", "systemctl: unrecognized option '--with-dependencies'"),
    ],
)
def test_what_is_newer_in_systemctl_is_refused(line: str, words: str) -> None:
    with pytest.raises(Refusal) as caught:
        systemd.check_ctl(shlex.split(line))
    assert (str(caught.value), caught.value.code) == (words, 1)
