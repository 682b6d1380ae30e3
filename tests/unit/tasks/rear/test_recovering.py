"""`rear recover` as a job, with a program in ReaR's place: followed, attached to, asked something, failed."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks.remote.command import Command
from blocks.remote.connection import LineSink, Watch
from blocks.remote.errors import HostError, Unreachable, WaitExpired
from blocks.remote.shell import Result
from blocks.remote.waiting import wait_until
from tasks.engine.step import apply_change
from tasks.rear import recovering
from tasks.rear.recovering import power_off, recover, restore_config_drive
from tasks.rear.rescue import rescue_command
from tests.unit.fakes import FakeShell, LocalShell, silent

LOG = "Relax-and-Recover 2.7\\nStart system layout restoration.\\nDisk layout created.\\nRestoring from '/x/backup.tar.gz'\\n"


class Rescue(LocalShell):
    """A rescue system; its programs, and what it loses, are the test's."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.away = 0

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        if self.away:
            self.away -= 1
            raise Unreachable(self.name, "no route")
        return super().run(command, on_line)


@pytest.fixture
def rescue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rescue]:
    directory = tmp_path / "recover"
    monkeypatch.setattr(recovering, "DIRECTORY", str(directory))
    (tmp_path / "bin").mkdir()
    shell = Rescue(tmp_path / "bin")
    yield shell
    if (directory / "pid").exists() and not (directory / "code").exists():
        shell.run(rescue_command(f"{recovering._END} || :", str(directory), says="end"))
    shutil.rmtree(directory, ignore_errors=True)


def rear(tmp_path: Path, text: str) -> None:
    program = tmp_path / "bin/rear"
    program.write_text(f'#!/bin/bash\n[ "$MIGRATION_MODE $*" = "false -v recover" ] || exit 99\n{text}\n')
    program.chmod(0o755)


@pytest.mark.parametrize(
    "last", ["Finished recovering your system. You can explore it.", "Finished 'recover'. The target"]
)
def test_it_is_followed_line_by_line_to_its_end(rescue: Rescue, tmp_path: Path, last: str) -> None:
    lines: list[str] = []
    percents: list[float] = []
    rear(tmp_path, f'printf "{LOG}"; sleep 0.3; echo "WARNING: tar ended with 1"; echo "{last}"')
    change = recover(30)
    assert apply_change(rescue, change, Watch(lines.append, percents.append)) == "done"
    assert lines[0] == "Relax-and-Recover 2.7"
    assert lines[-1] == last
    assert percents == sorted(percents)
    assert percents[-1] == 100
    assert change.findings_after is not None
    assert change.findings_after(rescue) == ["WARNING: tar ended with 1"]


def test_one_that_goes_on_after_its_run_was_killed_is_attached_to(rescue: Rescue, tmp_path: Path) -> None:
    rear(tmp_path, f'echo x >>{tmp_path}/begun; sleep 1.5; echo "Finished recovering your system."')
    with pytest.raises(WaitExpired, match=r"rear recover never became 'ended' .* last seen 'running'"):
        apply_change(rescue, recover(0.3), silent)
    rescue.away = 2  # a lost connection ends nothing either
    recover_again = recover(30)
    rescue.away = 0
    assert apply_change(rescue, recover_again, silent) == "attached"
    assert apply_change(rescue, recover(30), silent) == "attached", "its result was never read"
    assert (tmp_path / "begun").read_text() == "x\n"


def test_a_connection_that_is_lost_meanwhile_ends_nothing(rescue: Rescue, tmp_path: Path) -> None:
    rear(tmp_path, 'sleep 0.5; echo "Finished recovering your system."')

    def lose(line: str) -> None:
        rescue.away = 1

    assert apply_change(rescue, recover(30), Watch(lose, lambda _: None)) == "done"


def test_a_question_that_nobody_would_answer_is_told_and_ended(rescue: Rescue, tmp_path: Path) -> None:
    rear(
        tmp_path,
        "echo 'Confirm or edit the disk mapping'; echo \"(default '1' timeout 300 seconds)\"\n"
        f"read -r x; echo y >{tmp_path}/went-on",
    )
    with pytest.raises(
        HostError, match=r"rear recover asks something .*half written:\n.*disk mapping\n.*timeout 300 seconds"
    ) as raised:
        apply_change(rescue, recover(30), silent)
    assert "USER_INPUT_" in raised.value.hint
    wait_until("here", "the job", "ended", lambda: recovering._look(rescue, recovering._Seen()).state, 10)
    assert not (tmp_path / "went-on").exists()


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("echo 'Mount command mount -t nfs failed'; exit 1", "ended with 1", "can't mount the store"),
        ("echo 'ERROR: Integrity check failed'; exit 1", "ended with 1", "choose another image"),
        ("echo 'tar: No space left on device'; exit 1", "ended with 1", "the disk is too small"),
        ("echo 'all well'; exit 0", "ended with 0", "see its log"),
    ],
)
def test_a_failure_is_told_with_its_end_and_begun_anew_by_the_next_run(
    rescue: Rescue, tmp_path: Path, text: str, said: str, hint: str
) -> None:
    rear(tmp_path, text)
    with pytest.raises(HostError, match=f"rear recover {said}; the disk is half written") as raised:
        apply_change(rescue, recover(30), silent)
    assert hint in raised.value.hint
    rear(tmp_path, "echo 'Finished recovering your system.'")
    done = apply_change(rescue, recover(30), silent)
    assert done == "done"


def test_the_config_drive_is_written_and_compared_once() -> None:
    written = False

    def write(_: Command) -> str:
        nonlocal written
        written = True
        return ""

    shell = FakeShell().on("md5sum", say=lambda _: 0 if written else 1).on("dd if=", "/dev/vda1", say=write)
    change = restore_config_drive("/dev/vda1", 60)
    assert [apply_change(shell, change, silent) for _ in range(2)] == ["done", "already"]


def test_a_connection_that_is_lost_is_no_reason_to_write_the_config_drive() -> None:
    with pytest.raises(Unreachable):
        apply_change(FakeShell().on("md5sum", say=Unreachable("x", "y")), restore_config_drive("/dev/vda1", 60), silent)


def test_a_node_that_does_not_answer_any_more_is_off() -> None:
    shell = FakeShell().on("true", say="").on("poweroff", say="")
    assert apply_change(shell, power_off(), silent) == "done"
    assert apply_change(FakeShell().on("true", say=Unreachable("x", "y")), power_off(), silent) == "already"
