"""The journal survives the run: written whole or not at all, read by the next run from whatever machine."""

from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import tasks.engine.journal
from blocks.remote.errors import CommandFailed, RunbookError
from tasks.engine.journal import HostJournals, LocalJournals, Record
from tests.unit.fakes import FakeShell, LocalShell
from tests.unit.tasks.samples import CLEANUP, KEPT, journal


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Where this machine keeps its journals, for one test."""
    monkeypatch.setattr(tasks.engine.journal, "STATE_DIRECTORY", str(tmp_path / "state"))
    return tmp_path / "state" / "restore-galera"


FULL = journal(
    subject={"dump": "/root/ü d.sql 10 bytes of 100"},
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
    HostJournals(here, "restore-galera").write(journal(begun="2"))
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
    ["{", "[]", '{"runbook": "restore-galera"}', FULL.model_dump_json().replace('"attempts":3', '"attempts":"many"')],
)
def test_a_journal_that_cannot_be_read_refuses_the_run(text: str) -> None:
    shell = FakeShell().on("*.json", say=f"{text}\n")
    with pytest.raises(RunbookError, match=r"controller-0: a journal in .*/restore-galera can't be read") as refused:
        HostJournals(shell, "restore-galera").read()
    assert "another version" in refused.value.hint


def test_a_journal_that_knows_more_than_this_version_can_be_read() -> None:
    text = FULL.model_dump_json()[:-1] + ',"something new": 1}'
    current, _ = HostJournals(FakeShell().on("*.json", say=f"{text}\n"), "restore-galera").read()
    assert current == FULL


def test_a_full_disk_fails_the_writing(here: LocalShell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.engine.journal, "STATE_DIRECTORY", "/proc/nowhere")
    with pytest.raises(CommandFailed):
        HostJournals(here, "restore-galera").write(FULL)


def test_the_journal_goes_through_standard_input_and_is_not_logged() -> None:
    shell = FakeShell(otherwise="")
    HostJournals(shell, "restore-galera").write(FULL)
    (command,) = shell.ran
    assert command.quiet
    assert KEPT not in command.shown


@pytest.mark.parametrize("hours", [-5, 0, 9])
def test_the_stamp_is_in_utc(hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    started = datetime(2026, 11, 21, 12, 34, 56, tzinfo=zone) + timedelta(hours=hours)
    assert journal(started=started).stamp == "20261121T123456Z"


# -- a runbook that works on no host


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> LocalJournals:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return LocalJournals("lab", "deploy-stack")


def test_a_runbook_without_hosts_keeps_its_journal_on_this_machine(local: LocalJournals, tmp_path: Path) -> None:
    assert local.read() == (None, [])
    local.write(FULL)
    assert local.read() == (FULL, [])
    folder = tmp_path / "openstack-runbooks" / "journals" / "lab" / "deploy-stack"
    assert [file.name for file in folder.iterdir()] == ["current.json"]
    assert folder.stat().st_mode & 0o077 == 0


def test_its_closed_journal_is_told_apart_from_the_current_one(local: LocalJournals) -> None:
    local.close(journal(kept={"old data": KEPT}))
    local.write(journal(begun="2"))
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
