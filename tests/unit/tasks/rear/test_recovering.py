"""`rear recover` as a job, with a program in ReaR's place: followed, attached to, asked something, failed."""

from __future__ import annotations

import os
import shutil
import signal
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
from tasks.rear.recovering import recover
from tasks.rear.rescue import rescue_command
from tests.unit.fakes import LocalShell, silent

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
    monkeypatch.setattr(recovering, "MOUNTS", str(tmp_path / "mounts"))
    (tmp_path / "mounts").write_text("/dev/sr0 / iso9660 ro 0 0\n")
    (tmp_path / "bin").mkdir()
    shell = Rescue(tmp_path / "bin")
    yield shell
    if (directory / "pid").exists() and not (directory / "code").exists():
        shell.run(rescue_command(f"{recovering._END} || :", str(directory), says="end"))
    shutil.rmtree(directory, ignore_errors=True)


def rear(tmp_path: Path, text: str) -> None:
    program = tmp_path / "bin/rear"
    program.write_text(
        f'#!/bin/bash\n[ "$MIGRATION_MODE $DISKS_TO_BE_WIPED $*" = "false false -v recover" ] || exit 99\n{text}\n'
    )
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


@pytest.mark.parametrize(
    "question",
    [
        "Confirm or edit the disk mapping\\n1) Yes\\n(default '1' timeout 300 seconds)",
        "Type yes\\n(timeout 300 seconds)",
        "Confirm\\n(default 'yes')",
        "Please enter the password for LUKS device luks (/dev/vda2):",
        "Set the password for LUKS volume luks (for 'cryptsetup luksFormat' on /dev/vda2):",
    ],
)
def test_a_question_that_nobody_would_answer_is_told_and_ended(rescue: Rescue, tmp_path: Path, question: str) -> None:
    # As ReaR asks: in a shell of its own, which would go on waiting. While that one is there, no other begins.
    rear(
        tmp_path,
        f'printf "{LOG}{question}\\n"\nanswer=$(echo $BASHPID >{tmp_path}/asking; read -r x; echo y >{tmp_path}/went-on)',
    )
    last = question.split("\\n")[-1]
    with pytest.raises(HostError) as raised:
        apply_change(rescue, recover(30), silent)
    assert (
        "rear recover asks something that nobody answers, and was ended; its disk is half written:\n"
        in raised.value.message
    )
    assert raised.value.message.endswith(last)
    assert "USER_INPUT_" in raised.value.hint
    wait_until("here", "the job", "ended", lambda: recovering._look(rescue, recovering._Seen()).state, 10)
    asking = Path("/proc", (tmp_path / "asking").read_text().strip(), "fd/0")
    wait_until("here", "what asks", "gone", lambda: "there" if asking.exists() else "gone", 10)
    assert not (tmp_path / "went-on").exists()


def test_a_question_that_a_variable_answers_is_none(rescue: Rescue, tmp_path: Path) -> None:
    rear(
        tmp_path,
        f"""printf "{LOG}Confirm\\n(default '1' timeout 300 seconds)\\n"
        echo "UserInput: Will use predefined input in USER_INPUT_LAYOUT_CODE_RUN='1'"
        echo 'Hit any key to interrupt the automated input (timeout 5 seconds)'; sleep 2
        echo "Finished recovering your system." """,
    )
    assert apply_change(rescue, recover(30), silent) == "done"


def umount(tmp_path: Path, code: int = 0) -> None:
    program = tmp_path / "bin/umount"
    program.write_text(f'#!/bin/bash\necho "$1" >>{tmp_path}/unmounted; exit {code}\n')
    program.chmod(0o755)


def test_what_an_attempt_before_has_mounted_is_unmounted_before_the_disk_is_written_anew(
    rescue: Rescue, tmp_path: Path
) -> None:
    mounted = ("/mnt/local", "/mnt/local/boot", "/mnt/local/boot/efi", "/mnt/localhost")
    (tmp_path / "mounts").write_text("".join(f"/dev/vda1 {each} xfs rw 0 0\n" for each in ("/", *mounted)))
    umount(tmp_path)
    rear(tmp_path, f"cat {tmp_path}/unmounted; echo 'Finished recovering your system.'")
    lines: list[str] = []
    apply_change(rescue, recover(30), Watch(lines.append, lambda _: None))
    assert lines[:-1] == ["/mnt/local/boot/efi", "/mnt/local/boot", "/mnt/local"]


def test_what_can_not_be_unmounted_is_told_with_what_to_do(rescue: Rescue, tmp_path: Path) -> None:
    (tmp_path / "mounts").write_text("/dev/vda1 /mnt/local xfs rw 0 0\n")
    umount(tmp_path, 32)
    rear(tmp_path, f"echo x >{tmp_path}/begun")
    with pytest.raises(HostError, match="/mnt/local can't be unmounted: cut the node's power"):
        apply_change(rescue, recover(30), silent)
    assert not (tmp_path / "begun").exists()


def test_one_whose_number_another_process_has_by_now_is_gone(rescue: Rescue, tmp_path: Path) -> None:
    directory = Path(recovering.DIRECTORY)
    directory.mkdir()
    (directory / "log").write_text("Disk layout created.\n")
    (directory / "pid").write_text("1\n")
    (directory / "rear").write_text("1\n")
    assert recovering._look(rescue, recovering._Seen()).state == "lost"
    rear(tmp_path, "echo 'Finished recovering your system.'")
    assert apply_change(rescue, recover(30), silent) == "done"


def test_a_begin_that_was_cut_short_is_begun_again(rescue: Rescue, tmp_path: Path) -> None:
    Path(recovering.DIRECTORY).mkdir()
    assert recovering._look(rescue, recovering._Seen()).state == "absent"
    rear(tmp_path, "echo 'Finished recovering your system.'")
    assert apply_change(rescue, recover(30), silent) == "done"


def test_rear_that_goes_on_without_who_waits_for_it_is_not_joined_by_another(rescue: Rescue, tmp_path: Path) -> None:
    rear(tmp_path, f"echo x >>{tmp_path}/begun; sleep 3; echo 'Finished recovering your system.'")
    with pytest.raises(WaitExpired):
        apply_change(rescue, recover(0.3), silent)
    os.kill(int(Path(recovering.DIRECTORY, "pid").read_text()), signal.SIGKILL)
    with pytest.raises(HostError, match="rear recover is gone without a result"):
        apply_change(rescue, recover(30), silent)
    assert (tmp_path / "begun").read_text() == "x\n"


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        ("echo 'Mount command mount -t nfs failed'; exit 1", "ended with 1; it had not begun", "can't mount the store"),
        ("echo 'ERROR: Integrity check failed'; exit 1", "ended with 1; it had not begun", "choose another image"),
        (
            f"printf '{LOG}'; echo 'tar: No space left on device'; exit 1",
            "ended with 1; its disk is half",
            "is too small",
        ),
        ("echo 'all well'; exit 0", "ended with 0; it had not begun", "see its log"),
    ],
)
def test_a_failure_is_told_with_its_end_and_begun_anew_by_the_next_run(
    rescue: Rescue, tmp_path: Path, text: str, said: str, hint: str
) -> None:
    rear(tmp_path, text)
    with pytest.raises(HostError, match=f"rear recover {said}") as raised:
        apply_change(rescue, recover(30), silent)
    assert hint in raised.value.hint
    rear(tmp_path, "echo 'Finished recovering your system.'")
    done = apply_change(rescue, recover(30), silent)
    assert done == "done"
