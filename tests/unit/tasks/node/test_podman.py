"""One container is meant, and stopping or starting it waits for its end or its answer."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from blocks.remote.command import command
from blocks.remote.errors import CommandFailed, HostError, WaitExpired
from blocks.remote.waiting import wait_until
from tasks.engine.step import apply_change
from tasks.node.podman import (
    find_container,
    names,
    podman_exec_detached,
    read_file,
    restart,
    restart_service,
    start,
    status,
    stop,
)
from tests.unit.fakes import FakeClock, FakeShell, LocalShell, silent

NAME = "galera-bundle-podman-1"


def podman(*states: str) -> FakeShell:
    return FakeShell("controller-1", otherwise="").on(
        "inspect", "State.Status", NAME, say=[f"{one}\n" for one in states]
    )


def test_the_one_container_with_the_pattern_in_its_name_is_found() -> None:
    shell = FakeShell().on("container ls --all", say=f"clustercheck\n{NAME}\nhaproxy-bundle-podman-1\n")
    assert find_container(shell, names(shell), "galera-bundle") == NAME


OTHER_NAME = "galera-bundle-podman-0"


def two(one: str, other: str) -> FakeShell:
    shell = FakeShell("controller-1")
    return shell.on("State.Status", NAME, say=f"{one}\n").on("State.Status", OTHER_NAME, say=f"{other}\n")


@pytest.mark.parametrize("one", ["running", "exited", "paused"])
@pytest.mark.parametrize("other", ["created", "configured"])
def test_of_two_the_one_that_was_started_is_meant(one: str, other: str) -> None:
    assert find_container(two(one, other), [NAME, "clustercheck", OTHER_NAME], "galera-bundle") == NAME


@pytest.mark.parametrize("other", ["exited", "stopped", "created"])
def test_of_two_the_one_that_runs_is_meant(other: str) -> None:
    assert find_container(two(other, "running"), [NAME, OTHER_NAME], "galera-bundle") == OTHER_NAME


@pytest.mark.parametrize(("one", "other"), [("running", "running"), ("exited", "exited"), ("created", "created")])
def test_several_that_may_be_meant_are_refused_with_their_states(one: str, other: str) -> None:
    said = rf"controller-1: several containers have 'galera-bundle' in the name: {NAME} \({one}\), {OTHER_NAME} \({other}\)"
    with pytest.raises(HostError, match=said) as refused:
        find_container(two(one, other), [NAME, "haproxy-bundle-podman-1", OTHER_NAME], "galera-bundle")
    assert "podman rm" in refused.value.hint


def test_none_is_refused() -> None:
    with pytest.raises(HostError, match="controller-1: no container has 'galera-bundle' in the name") as refused:
        find_container(FakeShell("controller-1"), ["haproxy-bundle-podman-1"], "galera-bundle")
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


class Container:
    """A podman with one container, in a folder of its own: what it answers, and what it was asked.

    Args:
        folder: The test's.
        state: The container's.
        mounts: Destination and source, as its inspection has them.
    """

    def __init__(self, folder: Path, state: str, *mounts: tuple[str, Path]) -> None:
        self.shell, self.asked = LocalShell(folder), folder / "asked"
        self.layers = folder / "layers"
        told = "".join(f"{inside} {outside}\\n" for inside, outside in mounts)
        (folder / "podman").write_text(
            f"""#!/bin/bash
echo "$*" >> {self.asked}
case $* in
  *State.Status*) echo {state} ;;
  *Mounts*) printf '{told}\\n' ;;
  exec*) echo "as the container has it" ;;
  mount*) echo {self.layers} ;;
esac
"""
        )
        (folder / "podman").chmod(0o755)

    def words(self) -> list[str]:
        """The first word of each thing that podman was asked."""
        return [line.split()[0] for line in self.asked.read_text().splitlines()]


OPTIONS = "/etc/my.cnf.d/galera.cnf"
KOLLA = "/var/lib/kolla/config_files/src"


def put(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_a_running_container_is_asked_for_its_own_file(tmp_path: Path) -> None:
    container = Container(tmp_path, "running")
    assert read_file(container.shell, NAME, OPTIONS) == "as the container has it\n"
    assert container.words() == ["inspect", "exec"]


@pytest.mark.parametrize("state", ["exited", "created", "paused"])
def test_what_kolla_copies_into_a_container_counts_while_it_does_not_run(tmp_path: Path, state: str) -> None:
    """The copy of its last start lies in its layers still, and is replaced at the next."""
    source = tmp_path / "puppet-generated" / "mysql"
    container = Container(tmp_path, state, ("/var/lib/mysql", tmp_path), (KOLLA, source))
    put(source / OPTIONS[1:], "new\n")
    put(container.layers / OPTIONS[1:], "of the last start\n")
    assert read_file(container.shell, NAME, OPTIONS) == "new\n"
    assert container.words() == ["inspect", "inspect"]


def test_what_is_mounted_lies_over_what_is_copied_and_the_nearest_mount_counts(tmp_path: Path) -> None:
    etc, near, kolla = tmp_path / "etc", tmp_path / "a name of two words", tmp_path / "kolla"
    container = Container(
        tmp_path, "exited", ("/etc/my.cnf.d", near), ("/etc", etc), ("/etc/my.cnf", etc), (KOLLA, kolla)
    )
    put(near / "galera.cnf", "near\n")
    put(etc / "my.cnf.d/galera.cnf", "far\n")
    put(kolla / OPTIONS[1:], "copied\n")
    assert read_file(container.shell, NAME, OPTIONS) == "near\n"


def test_a_file_that_is_mounted_by_itself_is_found(tmp_path: Path) -> None:
    put(tmp_path / "somewhere.cnf", "itself\n")
    container = Container(tmp_path, "exited", (OPTIONS, tmp_path / "somewhere.cnf"))
    assert read_file(container.shell, NAME, OPTIONS) == "itself\n"


@pytest.mark.parametrize("mounts", [[], [KOLLA]])
def test_else_it_is_read_from_the_layers_which_are_given_back(tmp_path: Path, mounts: list[str]) -> None:
    container = Container(tmp_path, "exited", *((inside, tmp_path / "empty") for inside in mounts))
    put(container.layers / OPTIONS[1:], "of the image\n")
    assert read_file(container.shell, NAME, OPTIONS) == "of the image\n"
    assert container.words()[-2:] == ["mount", "umount"]


def test_a_file_that_is_nowhere_is_told_and_the_layers_are_given_back(tmp_path: Path) -> None:
    container = Container(tmp_path, "exited")
    with pytest.raises(CommandFailed, match=r"galera\.cnf"):
        read_file(container.shell, NAME, OPTIONS)
    assert container.words()[-1] == "umount"


def test_what_is_started_in_a_container_goes_on_without_the_command_that_started_it(tmp_path: Path) -> None:
    """Its output would hold a `podman exec` of any version back, and its session would end with the one that asks."""
    podman, mark = tmp_path / "podman", tmp_path / "mark"
    podman.write_text('#!/bin/bash\nshift 2\nexec "$@"\n')
    podman.chmod(0o755)
    text = f'echo $$ "$1" > {mark}.new; mv {mark}.new {mark}; exec sleep 60'
    LocalShell(tmp_path).run(command(*podman_exec_detached(NAME, "bash", "-c", text, "server", "--pid-file=a b")))
    wait_until("here", "server", "started", lambda: "started" if mark.exists() else "", 10)
    number, word = mark.read_text().split(maxsplit=1)
    assert word == "--pid-file=a b\n"
    assert os.getsid(int(number)) == int(number)
    assert {str(Path(f"/proc/{number}/fd/{end}").readlink()) for end in (0, 1, 2)} == {"/dev/null"}
    subprocess.run(["kill", number], check=True)
