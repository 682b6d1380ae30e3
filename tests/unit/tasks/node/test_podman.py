"""One container is meant, and stopping or starting it waits for its end or its answer."""

from pathlib import Path

import pytest

from blocks.remote.command import command
from blocks.remote.errors import HostError, WaitExpired
from tasks.engine.step import apply_change
from tasks.node.podman import find_one, names, restart, restart_service, start, status, stop
from tests.unit.fakes import FakeClock, FakeShell, LocalShell, silent

NAME = "galera-bundle-podman-1"


def podman(*states: str) -> FakeShell:
    return FakeShell("controller-1", otherwise="").on(
        "inspect", "State.Status", NAME, say=[f"{one}\n" for one in states]
    )


def test_the_one_container_with_the_pattern_in_its_name_is_found() -> None:
    shell = FakeShell().on("container ls --all", say=f"clustercheck\n{NAME}\nhaproxy-bundle-podman-1\n")
    assert find_one(shell.name, names(shell), "galera-bundle") == NAME


@pytest.mark.parametrize(
    ("among", "said"),
    [
        (["haproxy-bundle-podman-1"], "controller-1: no container has 'galera-bundle' in the name"),
        (
            [NAME, "haproxy-bundle-podman-1", f"{NAME}-old"],
            f"several containers have 'galera-bundle' in the name: {NAME}, {NAME}-old",
        ),
    ],
)
def test_none_or_several_are_refused(among: list[str], said: str) -> None:
    with pytest.raises(HostError, match=said) as refused:
        find_one("controller-1", among, "galera-bundle")
    assert "site file" in refused.value.hint


def test_the_state_is_podmans_word() -> None:
    assert status(podman("paused"), NAME) == "paused"


@pytest.mark.parametrize("state", ["running", "paused", "stopping"])
def test_a_container_that_lives_is_stopped_after_what_must_end_in_peace(clock: FakeClock, state: str) -> None:
    shell = podman(state, "exited")
    assert apply_change(shell, stop(NAME, before=(command("mysqladmin", "shutdown"),)), silent) == "done"
    assert [one.words[0] for one in shell.ran if one.words[1] in {"shutdown", "container"}] == ["mysqladmin", "podman"]


@pytest.mark.parametrize("state", ["exited", "created", "stopped", "configured"])
def test_a_container_that_has_ended_is_left_alone(clock: FakeClock, state: str) -> None:
    shell = podman(state)
    assert apply_change(shell, stop(NAME, before=(command("mysqladmin", "shutdown"),)), silent) == "already"
    assert shell.lines("shutdown") == shell.lines("container stop") == []


def test_a_container_that_does_not_stop_is_told(clock: FakeClock) -> None:
    with pytest.raises(WaitExpired, match=rf"container {NAME} never became '\w+'.*last seen 'running'"):
        apply_change(podman("running"), stop(NAME), silent)


@pytest.mark.parametrize("state", ["exited", "created"])
def test_a_stopped_container_is_started_and_awaited(clock: FakeClock, state: str) -> None:
    shell = podman(state).on("exec", NAME, "true", say=[125, 125, 0])
    assert apply_change(shell, start(NAME), silent) == "done"
    assert shell.lines("container start") == [f"sudo podman container start {NAME}"]
    assert len(shell.lines("exec", "true")) == 3


def test_a_running_container_is_not_started_again(clock: FakeClock) -> None:
    shell = podman("running")
    assert apply_change(shell, start(NAME), silent) == "already"
    assert shell.lines("container start") == []


def test_a_restart_is_awaited_too(clock: FakeClock) -> None:
    shell = podman("running").on("exec", NAME, "true", say=[1, 0])
    apply_change(shell, restart(NAME), silent)
    assert shell.lines("restart") == [f"sudo podman container restart --time 0 {NAME}"]
    assert len(shell.lines("exec", "true")) == 2


@pytest.mark.parametrize(("has_unit", "by"), [("true", "systemctl"), ("false", "podman")])
def test_a_container_with_a_unit_is_started_again_through_it(tmp_path: Path, has_unit: str, by: str) -> None:
    said = tmp_path / "said"
    looks = {"systemctl": f'[ "$1" != cat ] || exec {has_unit}', "podman": '[ "$1" != exec ] || exit 0'}
    for name, look in looks.items():
        (tmp_path / name).write_text(f'#!/bin/bash\n{look}\necho "{name} $*" >> {said}\n')
        (tmp_path / name).chmod(0o755)
    apply_change(LocalShell(tmp_path), restart_service("clustercheck"), silent)
    started = [
        line for line in said.read_text().splitlines() if "start" in line.split("clustercheck")[0].split(" ", 1)[1]
    ]
    assert [line.split()[0] for line in started] == [by]
