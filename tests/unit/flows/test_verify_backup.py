"""verify-backup's plan, what it works on, and how it is killed at any step and started again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import blocks.remote.relay
import tasks.backup.fetching
import tasks.engine.journals
import tasks.runbooks.verify_backup.copy_drill
from blocks.remote.command import Command
from blocks.remote.connection import LineSink
from blocks.remote.errors import ConnectionLost, RunbookError
from blocks.remote.shell import Result
from blocks.remote.units import LongCommand
from blocks.site import BACKUP_NODE, DRILL_HOST, UNDERCLOUD
from blocks.store import BackupStore
from flows.verify_backup import NAME, hosts, procedure, verify_backup
from tasks.backup.records import Verified
from tasks.backup.store import Store
from tasks.database.contents import SchemaContents, TableContents
from tasks.database.contents_comparison import Comparison, Difference
from tasks.database.throwaway_server import ThrowawayServer
from tasks.engine.plan import Plan
from tasks.engine.run import Run, TakeUp
from tasks.runbooks.verify_backup.drill import DumpRestore
from tasks.runbooks.verify_backup.preflight import Verification, look
from tasks.runbooks.verify_backup.verification import verify
from tests.unit.fakes import FakeShell, LocalShell
from tests.unit.flows.golden import assert_golden
from tests.unit.tasks.backup.samples import RECIPIENT, make_store, run_id
from tests.unit.tasks.runbooks.verify_backup.samples import CONTENTS, COPY, FILES, make_set, run_of, with_programs
from tests.unit.tasks.samples import SITE

pytestmark = pytest.mark.usefixtures("no_engine")
# The container is there from `run` to `rm`; whatever is loaded into it is taken.
PODMAN = """
case $1 in
  run)
    if [[ $* = *--detach* ]]; then : >"{here}/container"; else cat >/dev/null; printf 'version\t10.3.28-MariaDB\n'; fi ;;
  rm) rm -f "{here}/container" ;;
  inspect) [ "$2" = --type=image ] || [ -e "{here}/container" ] ;;
  exec) [ -e "{here}/container" ] || exit 125; [[ $* = *mysqladmin* ]] || cat >/dev/null ;;
esac
"""


class Killed(Exception):
    """The worker was killed."""


class MortalShell(LocalShell):
    """A shell whose worker is killed after so many commands that change something.

    Args:
        path: Programs that go before all others.
        left: How many are run before; None for all.
    """

    def __init__(self, path: Path, left: int | None = None) -> None:
        super().__init__(path)
        self.name = "backup-node"
        self.left = left

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        if command.changes and self.left is not None:
            if self.left == 0:
                raise Killed
            self.left -= 1
        return super().run(command, on_line)


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with one set, on a host that can restore it."""
    monkeypatch.setattr(tasks.engine.journals, "STATE_DIRECTORY", str(tmp_path / "journals"))
    (tmp_path / "store").mkdir()
    (tmp_path / "drills").mkdir()
    programs = with_programs(
        tmp_path / "bin", podman=PODMAN.format(here=tmp_path), **{"systemctl": "exit 0", "systemd-run": "exit 0"}
    )
    made = make_store(tmp_path / "store")
    made.settings.drill_directory = str(tmp_path / "drills")
    store = Store(MortalShell(programs), made.settings, "lab")
    make_set(store)

    def perform(long: LongCommand, shell: Any, _: Any) -> str:
        shell.run(Command(long.words))
        return "done"

    monkeypatch.setattr(LongCommand, "perform", perform)
    monkeypatch.setattr(LongCommand, "has_unread_result", lambda *_: False)
    monkeypatch.setattr(LongCommand, "forget", lambda *_: None)
    monkeypatch.setattr(ThrowawayServer, "contents", lambda *_: CONTENTS)
    return store


@pytest.fixture
def copied(store: Store) -> Store:
    """The same with a later set, which has a physical copy as well."""
    make_set(store, 1, FILES | COPY, contents_after_copy=CONTENTS.model_dump(mode="json"))
    return store


def take(store: Store, number: int = 9) -> tuple[Run, Verification]:
    """Take the runbook's steps."""
    run = run_of(store)
    run.journal.run_id = str(run_id(number))
    job = look(run, "latest")
    run.begin(TakeUp(run.journal), run.journal.run_id)
    procedure(run, job)
    run.finish()
    return run, job


def started(store: Store) -> Run:
    """A run that keeps its journal."""
    run = run_of(store)
    run.begin(TakeUp(run.journal), run.journal.run_id)
    return run


def left(store: Store) -> list[str]:
    """What a drill has left of itself."""
    drills = Path(store.settings.drill_directory)
    container = drills.parent / "container"
    return [*(path.name for path in drills.iterdir()), *(["container"] if container.exists() else [])]


def test_it_works_on_the_stores_host_and_those_that_may_have_the_drill() -> None:
    assert verify_backup.name == NAME
    store = BackupStore(kind="sftp", host="192.0.2.9", path="/backups")
    assert hosts(SITE.model_copy(update={"store": store}), {}) == [BACKUP_NODE, "mysql"]
    site = SITE.model_copy(update={"store": store, "undercloud": "undercloud"})
    assert hosts(site, {}) == [BACKUP_NODE, UNDERCLOUD, "mysql"]
    store = BackupStore(kind="sftp", host="192.0.2.9", path="/backups", drill_host="undercloud")
    assert hosts(SITE.model_copy(update={"store": store}), {}) == [BACKUP_NODE, DRILL_HOST]


@pytest.mark.parametrize("in_place", [True, False])
def test_the_plan_is_the_golden_one(in_place: bool, copied: Store) -> None:
    job = look(run_of(copied), "latest")
    assert job.drill is not None
    settings = BackupStore(kind="sftp", host="192.0.2.9", path="/backups")
    elsewhere = Store(FakeShell("backup-node"), settings, "lab")
    drill = replace(
        job.drill,
        store=elsewhere,
        shell=FakeShell("undercloud"),
        directory="/var/tmp/openstack-runbooks-drill-lab",
        in_place=in_place,
    )
    plan = Plan()
    procedure(plan, replace(job, drill=drill))
    assert_golden("verify-backup" if in_place else "verify-backup-fetched", plan)


def test_a_plan_can_be_made_of_a_set_that_is_not_written_yet(store: Store) -> None:
    """As the end of a runbook that takes backups; its own steps have numbers of their own."""
    job = look(run_of(store), "latest")
    assert job.drill is not None
    plan = Plan()
    assert verify(plan, replace(job.drill, manifest=lambda: None, prefix="verify ")) == []
    assert plan.numbers == tuple(f"verify {number}" for number in range(1, 6))


# What encrypts and decrypts here is the same; decrypting needs the key.
AGE = """
if [ "$1" = --decrypt ]; then grep -q SECRET "$3" || exit 1; fi
tr a-zA-Z n-za-mN-ZA-M
"""


@pytest.fixture
def encrypted(store: Store, tmp_path: Path) -> Store:
    """The same with a later set that is encrypted."""
    with_programs(tmp_path / "bin", age=AGE, **{"age-keygen": f"echo {RECIPIENT}"})
    key = tmp_path / "key"
    key.write_text("AGE-SECRET-KEY-1\n")
    store.settings.age_recipient, store.settings.age_identity = RECIPIENT, str(key)
    make_set(store, 1, FILES | COPY, contents_after_copy=CONTENTS.model_dump(mode="json"))
    return store


def test_what_is_encrypted_is_decrypted_on_its_way_into_the_server(encrypted: Store) -> None:
    run, job = take(encrypted)
    assert [outcome.differences for outcome in job.outcomes] == [(), ()]
    assert encrypted.catalogue().sets[-1].verified == encrypted.catalogue().sets[-1].kinds
    assert left(encrypted) == []
    assert "SECRET" not in run.journal.model_dump_json()


def test_what_does_not_decrypt_differs(encrypted: Store, tmp_path: Path) -> None:
    job = look(run_of(encrypted), "latest")
    with_programs(tmp_path / "bin", age="cat >/dev/null; exit 1")
    run = started(encrypted)
    procedure(run, job)
    assert "the dump can't be unpacked" in job.outcomes[0].differences


def test_nothing_is_done_where_all_are_verified(store: Store) -> None:
    take(store)
    run = run_of(store)
    job = look(run, "latest-unverified")
    procedure(run, job)
    assert [(each.number, each.outcome) for each in run.journal.records] == [("1", "left out")]
    job.conclude()


def test_a_drill_is_on_record_once(store: Store) -> None:
    take(store)
    (record,) = store.catalogue().sets[0].records
    assert isinstance(record, Verified)
    assert (record.run_id, record.differences, record.host) == (run_id(9), (), "backup-node")
    take(store)
    assert len(store.catalogue().sets[0].records) == 1, "the same run again"
    take(store, 10)
    assert len(store.catalogue().sets[0].records) == 2
    assert left(store) == []


def test_databases_of_one_set_are_restored_one_after_the_other(store: Store) -> None:
    job = look(run_of(store), "latest")
    assert job.drill is not None
    (restore,) = job.drill.restores
    assert isinstance(restore, DumpRestore)
    manifest = job.drill.manifest()
    assert manifest is not None
    (database,) = manifest.databases
    both = manifest.model_copy(update={"databases": (database, database.model_copy(update={"name": "overcloud"}))})
    restores = (restore, replace(restore, database="overcloud", grants=None))
    run = started(store)
    outcomes = verify(run, replace(job.drill, restores=restores, manifest=lambda: both))
    assert [(outcome.database, outcome.differences) for outcome in outcomes] == [("undercloud", ()), ("overcloud", ())]
    assert [record.number for record in run.journal.records] == [str(number) for number in range(1, 10)]
    records = store.catalogue().sets[0].records
    assert [each.database for each in records if isinstance(each, Verified)] == ["undercloud", "overcloud"]
    assert left(store) == []


def test_of_many_differences_the_first_are_told(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {f"t{number:03}": TableContents(engine="InnoDB") for number in range(150)}
    more = SchemaContents(charset="utf8", collation="utf8_general_ci", tables=tables)
    found = CONTENTS.model_copy(update={"schemas": {"ironic": more}})
    monkeypatch.setattr(ThrowawayServer, "contents", lambda *_: found)
    run, job = take(store)
    (outcome,) = job.outcomes
    assert outcome.differences[0] == "table ironic.nodes: is missing"
    assert (len(outcome.differences), outcome.differences[-1]) == (101, "and 51 more")
    assert "undercloud differs from its backup's manifest: and 51 more" in run.journal.findings


def records(store: Store) -> list[tuple[str, tuple[str, ...]]]:
    """What is on record of the latest set."""
    return [
        (each.method, each.differences) for each in store.catalogue().sets[-1].records if isinstance(each, Verified)
    ]


def test_dump_and_copy_are_on_record_each_by_itself(copied: Store) -> None:
    run, job = take(copied)
    job.conclude()
    assert records(copied) == [("logical", ()), ("physical", ())]
    assert [record.number for record in run.journal.records] == [str(number) for number in range(1, 11)]
    take(copied)
    assert len(records(copied)) == 2, "the same run again"
    assert copied.catalogue().sets[-1].verified == copied.catalogue().sets[-1].kinds
    assert left(copied) == []


def test_what_differs_in_the_copy_alone_leaves_the_dump_verified(
    copied: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        tasks.runbooks.verify_backup.copy_drill,
        "compare_copy",
        lambda *_: Comparison((Difference("table ironic.nodes", "is missing"),), ()),
    )
    run, job = take(copied)
    assert records(copied) == [("logical", ()), ("physical", ("table ironic.nodes: is missing",))]
    assert {kind.method for kind in copied.catalogue().sets[-1].verified} == {"logical"}
    said = "the physical copy of undercloud differs from its backup's manifest: table ironic.nodes: is missing"
    assert said in run.journal.findings
    with pytest.raises(RunbookError, match=r"the physical copy of undercloud: table ironic\.nodes: is missing"):
        job.conclude()


@pytest.mark.parametrize(
    ("before", "after", "told", "said"),
    [
        ("", "", "", []),
        ("a:40", "a:42", "a:41", []),
        ("a:40", "a:42", "a:39", []),
        ("a:40", "a:42", "a:43", ["the copy's position in the cluster is a:43, and was a:42 after it"]),
        ("a:40", "a:42", "b:41", ["the copy's position in the cluster is b:41, and was a:42 after it"]),
        ("a:40", "a:42", "", ["the copy's position in the cluster is not in it, and was a:42 after it"]),
        ("a:40", "a:42", "a:x", ["the copy's position in the cluster is a:x, and was a:42 after it"]),
    ],
)
def test_a_copy_has_the_clusters_position(
    before: str, after: str, told: str, said: list[str], store: Store, tmp_path: Path
) -> None:
    contents, later = (CONTENTS.model_copy(update={"galera": each}).model_dump(mode="json") for each in (before, after))
    make_set(store, 1, FILES | COPY, contents=contents, contents_after_copy=later)
    podman = tmp_path / "bin/podman"
    podman.write_text(podman.read_text().replace("MariaDB\n'", f"MariaDB\nposition\t{told}\n'"))
    take(store)
    assert records(store)[1] == ("physical", tuple(said))


def test_a_copy_of_which_no_server_can_be_made_is_a_difference_and_nothing_is_compared(
    copied: Store, tmp_path: Path
) -> None:
    podman = tmp_path / "bin/podman"
    podman.write_text(podman.read_text().replace("else cat >/dev/null;", "else cat >/dev/null; exit 63;"))
    run, _ = take(copied)
    assert records(copied)[1] == ("physical", ("the copy can't be prepared: mariadb-backup has failed",))
    assert [(each.number, each.outcome) for each in run.journal.records][5:] == [
        ("6", "done"),
        ("7", "done"),
        ("8", "left out"),
        ("9", "done"),
    ]
    assert left(copied) == []


def test_a_copy_on_which_no_server_starts_is_a_difference(copied: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ThrowawayServer, "why_not_started", lambda *_: "[ERROR] no privilege tables")
    run, _ = take(copied)
    assert records(copied)[1] == ("physical", ("no server starts on it: [ERROR] no privilege tables",))
    assert [(each.number, each.outcome) for each in run.journal.records][8:] == [("9", "left out"), ("10", "done")]


def test_missing_files_are_damage_of_both(copied: Store) -> None:
    name = copied.catalogue().sets[-1].name
    (Path(copied.base) / str(name) / "undercloud.mbstream").unlink()
    take(copied)
    assert records(copied) == [
        ("logical", ("undercloud.mbstream is missing",)),
        ("physical", ("undercloud.mbstream is missing",)),
    ]


def test_killed_at_any_command_and_started_again_it_reaches_the_same_end(copied: Store) -> None:
    """The worker vanishes: no hook runs, and nothing is cleaned up but by the next run (or by the host's own timer)."""
    store = copied
    shell = store.shell
    assert isinstance(shell, MortalShell)
    for commands in range(100):
        shell.left = commands
        try:
            take(store, 1000 + commands)
        except Killed:
            pass
        else:
            break
        shell.left = None
        _, job = take(store, 2000 + commands)
        job.conclude()
        assert left(store) == []
    assert commands > 20
    assert store.catalogue().sets[-1].verified == store.catalogue().sets[-1].kinds


def test_a_lost_connection_fetches_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    job = look(run_of(store), "latest")
    assert job.drill is not None
    real = blocks.remote.relay.relay
    failures = [ConnectionLost("backup-node", "cut")]

    def relay(*words: Any) -> Any:
        if failures:
            raise failures.pop()
        return real(*words)

    monkeypatch.setattr(tasks.backup.fetching, "relay", relay)
    with pytest.raises(RunbookError, match="failed on backup-node: backup-node: cut"):
        verify(started(store), replace(job.drill, in_place=False))
    assert left(store) == []
    outcomes = verify(started(store), replace(job.drill, in_place=False))
    assert [outcome.differences for outcome in outcomes] == [()]
    assert left(store) == []


def test_what_was_written_otherwise_than_it_was_sent_is_not_loaded(store: Store, tmp_path: Path) -> None:
    job = look(run_of(store), "latest")
    assert job.drill is not None
    with_programs(
        tmp_path / "bin", tee='[ "$1" = -p ] && exec /usr/bin/tee "$@"; head -c 5 | /usr/bin/tee "$@"; cat >/dev/null'
    )
    with pytest.raises(RunbookError, match="was written otherwise than it was sent"):
        verify(started(store), replace(job.drill, in_place=False))
    assert left(store) == []
