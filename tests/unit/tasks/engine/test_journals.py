"""The journal survives the run: written whole or not at all, read by the next run from whatever machine."""

import hashlib
import subprocess
from pathlib import Path

import pytest

import tasks.engine.journals
from blocks.remote.command import Command
from blocks.remote.connection import LineSink
from blocks.remote.errors import CommandFailed, RunbookError
from blocks.remote.shell import Result
from tasks.engine.journal import Record
from tasks.engine.journals import HostJournals, JournalKeeper, LocalJournals
from tests.unit.fakes import FakeShell, LocalShell
from tests.unit.tasks.samples import CLEANUP, KEPT, journal


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where this machine keeps its journals, for one test."""
    monkeypatch.setattr(tasks.engine.journals, "STATE_DIRECTORY", str(tmp_path / "state"))
    return tmp_path / "state" / "restore-galera"


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LocalJournals:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return LocalJournals("lab", "deploy-stack")


FULL = journal(
    state={"contents": {"dump": "/root/ü d.sql 10 bytes of 100"}},
    kept={"old data": KEPT},
    attempts=3,
    settled=["1", "2"],
    begun="15a",
    in_force={"clients": "clients are blocked\nfrom 172.16.2.99"},
    cleanups=[CLEANUP],
    records=[Record(number="1", sentence="Ask", host="controller-0", outcome="answered", note='"x"', findings=("a",))],
    findings=["it's odd"],
)


def test_what_was_written_is_read_again(here: LocalShell, folder: Path) -> None:
    HostJournals(here, "restore-galera").write(FULL)
    assert HostJournals(here, "restore-galera").read() == (FULL, [])


def test_a_host_without_a_journal_has_none(here: LocalShell, folder: Path) -> None:
    assert HostJournals(here, "restore-galera").read() == (None, [])


def test_the_last_writing_counts(here: LocalShell, folder: Path) -> None:
    for step in ("1", "2", "3"):
        HostJournals(here, "restore-galera").write(journal(begun=step))
    current, finished = HostJournals(here, "restore-galera").read()
    assert current is not None
    assert (current.begun, finished) == ("3", [])


def test_a_closed_journal_is_told_apart_from_the_current_one(here: LocalShell, folder: Path) -> None:
    HostJournals(here, "restore-galera").close(journal(kept={"old data": KEPT}))
    HostJournals(here, "restore-galera").write(journal(begun="2", run_id="the next"))
    current, finished = HostJournals(here, "restore-galera").read()
    assert current is not None
    assert current.begun == "2"
    assert [one.kept for one in finished] == [{"old data": KEPT}]
    assert (folder / "20261121T123456Z.json").exists()


def test_a_writing_that_was_cut_short_leaves_the_journal_as_it_was(here: LocalShell, folder: Path) -> None:
    HostJournals(here, "restore-galera").write(journal(begun="2"))
    (folder / ".new").write_text('{"runbook": "restore-gal')
    current, _ = HostJournals(here, "restore-galera").read()
    assert current is not None
    assert current.begun == "2"


def test_the_journal_is_for_root_alone(here: LocalShell, folder: Path) -> None:
    HostJournals(here, "restore-galera").write(FULL)
    assert folder.stat().st_mode & 0o077 == 0


def test_the_journal_of_another_runbook_is_not_read(here: LocalShell, folder: Path) -> None:
    HostJournals(here, "another").write(FULL)
    assert HostJournals(here, "restore-galera").read() == (None, [])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\0" * 40,
        "{",
        "[]",
        '{"runbook": "restore-galera"}',
        FULL.model_dump_json()[:-20],
        FULL.model_dump_json().replace('"attempts":3', '"attempts":"many"'),
    ],
)
class TestDamaged:
    """A journal that can't be read is never taken for none: all that was kept would be forgotten."""

    def test_a_damaged_journal_refuses_the_run_and_names_its_file(
        self, here: LocalShell, folder: Path, text: str
    ) -> None:
        HostJournals(here, "restore-galera").write(FULL)
        (folder / "current.json").write_text(text)
        with pytest.raises(RunbookError, match=f"here: the journal {folder}/current.json is damaged") as refused:
            HostJournals(here, "restore-galera").read()
        assert "another version" in refused.value.hint

    def test_the_one_written_before_it_is_offered(self, here: LocalShell, folder: Path, text: str) -> None:
        for step in ("15", "16"):
            HostJournals(here, "restore-galera").write(journal(begun=step, kept={"old data": KEPT}))
        (folder / "current.json").write_text(text)
        with pytest.raises(RunbookError) as refused:
            HostJournals(here, "restore-galera").read()
        assert "step 15 was begun" in refused.value.hint
        assert KEPT in refused.value.hint
        # What the hint says, done.
        subprocess.run(["cp", folder / "current.json.before", folder / "current.json"], check=True)
        current, _ = HostJournals(here, "restore-galera").read()
        assert current is not None
        assert current.begun == "15"

    def test_a_damaged_journal_of_a_finished_run_is_named(self, here: LocalShell, folder: Path, text: str) -> None:
        HostJournals(here, "restore-galera").close(journal())
        (folder / "20261121T123456Z.json").write_text(text)
        with pytest.raises(RunbookError, match=r"20261121T123456Z\.json is damaged"):
            HostJournals(here, "restore-galera").read()

    def test_so_is_one_on_this_machine(self, local: LocalJournals, tmp_path: Path, text: str) -> None:
        local.write(journal(begun="15"))
        local.write(journal(begun="16"))
        path = tmp_path / "openstack-runbooks" / "journals" / "lab" / "deploy-stack" / "current.json"
        path.write_text(text)
        with pytest.raises(RunbookError, match=f"this machine: the journal {path} is damaged") as refused:
            local.read()
        assert "step 15 was begun" in refused.value.hint


class CutShell(LocalShell):
    """A host whose connection goes while a command's input is on its way: what had arrived is all there is.

    Attributes:
        arrives: How many bytes arrive; None for all.
    """

    arrives: int | None = None

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        if command.stdin is None or self.arrives is None:
            return super().run(command, on_line)
        cut = command.stdin.encode()[: self.arrives].decode(errors="ignore")
        return super().run(Command(command.words, stdin=cut, ok=command.ok))


@pytest.mark.parametrize("arrives", [0, 1, 100, -1], ids=["nothing", "a byte", "a part", "all but the last byte"])
@pytest.mark.parametrize("closing", [False, True], ids=["write", "close"])
def test_a_worker_that_dies_while_it_sends_leaves_the_journal_as_it_was(
    folder: Path, arrives: int, closing: bool
) -> None:
    shell = CutShell()
    keeper = HostJournals(shell, "restore-galera")
    keeper.write(journal(begun="15", kept={"old data": KEPT}))
    shell.arrives = arrives
    later = journal(begun="16", kept={"old data": KEPT})
    with pytest.raises(CommandFailed, match="did not arrive whole"):
        keeper.close(later) if closing else keeper.write(later)
    current, finished = keeper.read()
    assert current is not None
    assert (current.begun, current.kept, finished) == ("15", {"old data": KEPT}, [])
    assert sorted(file.name for file in folder.iterdir()) == ["current.json"]


def test_what_is_sent_is_announced_by_length_and_checksum() -> None:
    shell = FakeShell(otherwise="")
    HostJournals(shell, "restore-galera").write(FULL)
    (command,) = shell.ran
    assert command.stdin is not None
    sent = command.stdin.encode()
    assert str(len(sent)) in command.words
    assert hashlib.sha256(sent).hexdigest() in command.words


def close_and_die(keeper: JournalKeeper, folder: Path) -> None:
    """Close a journal, and put back what it takes away last: killed in between."""
    keeper.write(journal(begun="15", kept={"old data": KEPT}))
    current = (folder / "current.json").read_text()
    keeper.close(journal(begun="15", kept={"old data": KEPT}))
    (folder / "current.json").write_text(current)


def closes_once(keeper: JournalKeeper) -> None:
    current, finished = keeper.read()
    assert current is None
    assert [one.kept for one in finished] == [{"old data": KEPT}]
    keeper.write(journal(begun="2", run_id="the next"))
    current, finished = keeper.read()
    assert current is not None
    assert current.begun == "2"
    assert [one.kept for one in finished] == [{"old data": KEPT}]


def test_killed_while_it_closes_the_journal_is_closed(here: LocalShell, folder: Path) -> None:
    keeper = HostJournals(here, "restore-galera")
    close_and_die(keeper, folder)
    closes_once(keeper)


def test_killed_while_it_closes_the_one_on_this_machine_is_closed(local: LocalJournals, tmp_path: Path) -> None:
    close_and_die(local, tmp_path / "openstack-runbooks" / "journals" / "lab" / "deploy-stack")
    closes_once(local)


def test_closing_twice_is_closing_once(here: LocalShell, folder: Path) -> None:
    keeper = HostJournals(here, "restore-galera")
    for _ in range(2):
        keeper.close(journal(kept={"old data": KEPT}))
    closes_once(keeper)


def test_a_journal_is_closed_by_one_command() -> None:
    shell = FakeShell(otherwise="")
    HostJournals(shell, "restore-galera").close(journal())
    assert len(shell.ran) == 1


def test_an_operator_who_takes_the_journal_away_takes_the_run_away(here: LocalShell, folder: Path) -> None:
    for step in ("15", "16"):
        HostJournals(here, "restore-galera").write(journal(begun=step))
    (folder / "current.json").unlink()
    assert HostJournals(here, "restore-galera").read() == (None, [])


def test_a_finished_journal_that_an_older_version_left_as_the_current_one_is_finished(
    here: LocalShell, folder: Path
) -> None:
    HostJournals(here, "restore-galera").write(journal(finished=True, kept={"old data": KEPT}))
    current, finished = HostJournals(here, "restore-galera").read()
    assert (current, [one.kept for one in finished]) == (None, [{"old data": KEPT}])


def test_a_journal_that_was_laid_out_by_hand_can_be_read(here: LocalShell, folder: Path) -> None:
    HostJournals(here, "restore-galera").write(FULL)
    (folder / "current.json").write_text(FULL.model_dump_json(indent=2))
    assert HostJournals(here, "restore-galera").read() == (FULL, [])


def test_a_journal_that_knows_more_than_this_version_can_be_read() -> None:
    text = FULL.model_dump_json()[:-1] + ',"something new": 1}'
    current, _ = HostJournals(FakeShell().on("*.json", say=f"current.json\t{text}\n"), "restore-galera").read()
    assert current == FULL


def test_a_full_disk_fails_the_writing(here: LocalShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.engine.journals, "STATE_DIRECTORY", "/proc/nowhere")
    with pytest.raises(CommandFailed):
        HostJournals(here, "restore-galera").write(FULL)


def test_the_journal_goes_through_standard_input_and_is_not_logged() -> None:
    shell = FakeShell(otherwise="")
    HostJournals(shell, "restore-galera").write(FULL)
    (command,) = shell.ran
    assert command.quiet
    assert KEPT not in command.shown


# -- a runbook that works on no host


def test_a_runbook_without_hosts_keeps_its_journal_on_this_machine(local: LocalJournals, tmp_path: Path) -> None:
    assert local.read() == (None, [])
    local.write(FULL)
    assert local.read() == (FULL, [])
    folder = tmp_path / "openstack-runbooks" / "journals" / "lab" / "deploy-stack"
    assert [file.name for file in folder.iterdir()] == ["current.json"]
    assert folder.stat().st_mode & 0o077 == 0


def test_its_closed_journal_is_told_apart_from_the_current_one(local: LocalJournals) -> None:
    local.close(journal(kept={"old data": KEPT}))
    local.write(journal(begun="2", run_id="the next"))
    current, finished = local.read()
    assert current is not None
    assert (current.begun, [one.kept for one in finished]) == ("2", [{"old data": KEPT}])


def test_its_journal_of_another_site_is_not_read(local: LocalJournals) -> None:
    LocalJournals("another", "deploy-stack").write(FULL)
    assert local.read() == (None, [])


def test_a_writing_that_was_cut_short_leaves_its_journal_as_it_was(local: LocalJournals, tmp_path: Path) -> None:
    local.write(journal(begun="2"))
    (tmp_path / "openstack-runbooks" / "journals" / "lab" / "deploy-stack" / ".new").write_text('{"runb')
    current, _ = local.read()
    assert current is not None
    assert current.begun == "2"
