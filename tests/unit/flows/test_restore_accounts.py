"""Restoring accounts into a cluster in memory: whole, refused, interrupted at every change, and taken up again."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import tasks.runbooks.restore_accounts.changes
import tasks.runbooks.restore_accounts.preflight
from blocks.remote.command import Command
from blocks.remote.connection import LineSink
from blocks.remote.errors import Refused, RunbookError
from blocks.remote.shell import Result, Shell
from flows.restore_accounts import procedure
from tasks.backup.store import Store
from tasks.database.contents import AccountContents, ServerContents
from tasks.database.mariadb import Server
from tasks.engine.journal import Journal
from tasks.engine.plan import Plan
from tasks.engine.run import Run
from tasks.runbooks.restore_accounts.changes import conclude
from tasks.runbooks.restore_accounts.job import Job, Request
from tasks.runbooks.restore_accounts.preflight import look
from tests.unit.fakes import FakeShell
from tests.unit.flows.backup_cluster import make_backup
from tests.unit.flows.cluster import Killed
from tests.unit.flows.golden import assert_golden
from tests.unit.tasks.backup.samples import make_store
from tests.unit.tasks.control_plane import VERSIONS
from tests.unit.tasks.runbooks.verify_backup.samples import site_of
from tests.unit.tasks.samples import HOSTS, journal

pytestmark = pytest.mark.usefixtures("no_engine", "clock")
HASH = "*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B"
NOVA, CHECK, READER, SST, MORE = (
    "'nova'@'%'",
    "'clustercheck'@'localhost'",
    "role reader",
    "'sst'@'localhost'",
    "'new'@'%'",
)
GRANTS = f"""CREATE OR REPLACE ROLE `reader`;
CREATE OR REPLACE USER `nova`@`%` IDENTIFIED BY PASSWORD '{HASH}';
CREATE OR REPLACE USER `clustercheck`@`localhost` IDENTIFIED BY PASSWORD '{HASH}';
CREATE OR REPLACE USER `sst`@`localhost` IDENTIFIED BY PASSWORD '{HASH}';
GRANT SELECT ON `nova`.* TO `reader`;
GRANT ALL PRIVILEGES ON `nova`.* TO `nova`@`%`;
GRANT `reader` TO `nova`@`%`;
"""


def account(login: str = "1", *privileges: str) -> AccountContents:
    return AccountContents(login=login, limits="2", grants={"`nova`.*": privileges} if privileges else {})


BACKUP = {NOVA: account("1", "SELECT"), CHECK: account(), READER: account("1", "SELECT"), SST: account()}
TODAY = {NOVA: account("9", "SELECT"), CHECK: account("9"), SST: account("9"), MORE: account()}
ALL = Request((), "", False)
ONE = Request(("nova", "reader"), "", False)


def contents(accounts: dict[str, AccountContents]) -> ServerContents:
    return ServerContents(version="10.3.28-MariaDB", accounts=accounts)


@dataclass
class Cluster:
    """A cluster that serves.

    Attributes:
        accounts: What it has.
        files: Path → the accounts that were written there.
    """

    accounts: dict[str, AccountContents] = field(default_factory=lambda: dict(TODAY))
    files: dict[str, str] = field(default_factory=dict)
    journals: dict[str, str] = field(default_factory=dict)
    status: str = "Synced"
    changes: int = 0
    kill_at: int = 0
    dead: bool = False
    nodes: list[Node] = field(default_factory=list)


class Node(FakeShell):
    """One node."""

    def __init__(self, name: str, cluster: Cluster) -> None:
        super().__init__(name)
        self.cluster = cluster
        self.on("container ls", say="clustercheck\ngalera-bundle-podman-0\n")
        self.on("--version", say="mysqld  Ver 10.3.28-MariaDB for Linux\n").on("systemctl --version", say=VERSIONS)
        self.on("State.Status", "--type=container", say="running\n")
        self.on("podman exec", "cat", "galera.cnf", say='[mysqld]\nwsrep_sst_auth = "sst:hunter2"\n')
        self.on("mysql --defaults", "--batch", say=self._sql)
        self.on("*.json", say=lambda _: "".join(f"{name}\t{text}\n" for name, text in cluster.journals.items()))
        self._order("the statements did not arrive whole", do=self._replace)
        self._order("the accounts did not arrive whole", do=self._keep)
        self._order("cat >", "ln -f current.json", do=lambda asked: self._write("current.json", asked))
        self._order("cat >", "rm -f current.json", do=self._close)

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        if self.cluster.dead:
            raise Killed
        return super().run(command, on_line)

    def _order(self, *words: str, do: Callable[[Command], None]) -> None:
        def obey(asked: Command) -> str:
            self.cluster.changes += 1
            do(asked)
            if self.cluster.changes == self.cluster.kill_at:
                self.cluster.dead = True
                raise Killed
            return ""

        self.on(*words, say=obey)

    def _sql(self, asked: Command) -> str:
        if "wsrep_cluster_status" not in (asked.stdin or ""):
            return ""
        return (
            f"wsrep_local_state_comment\t{self.cluster.status}\nwsrep_cluster_status\tPrimary\n"
            "wsrep_cluster_size\t3\nwsrep_cluster_state_uuid\tone\n"
        )

    def _replace(self, asked: Command) -> None:
        said = asked.stdin or ""
        assert HASH not in asked.line
        for name in BACKUP:
            quoted = name.replace("'", "`").removeprefix("role ")
            if f"USER {quoted} " in said or f"IF NOT EXISTS `{quoted}`;" in said:
                self.cluster.accounts[name] = BACKUP[name]

    def _keep(self, asked: Command) -> None:
        self.cluster.files.setdefault(asked.words[-2], asked.stdin or "")

    def _write(self, name: str, asked: Command) -> None:
        self.cluster.journals[name] = (asked.stdin or "").strip()

    def _close(self, asked: Command) -> None:
        self._write("closed.json", asked)
        self.cluster.journals.pop("current.json", None)


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    patch(monkeypatch)


def patch(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a node says of its accounts comes from memory."""

    def read(shell: Shell, _: Server) -> ServerContents:
        assert isinstance(shell, Node)
        return contents(dict(shell.cluster.accounts))

    def text(shell: Shell, _: Server) -> str:
        assert isinstance(shell, Node)
        return str(sorted(shell.cluster.accounts.items()))

    monkeypatch.setattr(tasks.runbooks.restore_accounts.preflight, "read_accounts", read)
    monkeypatch.setattr(tasks.runbooks.restore_accounts.changes, "read_accounts", read)
    monkeypatch.setattr(tasks.runbooks.restore_accounts.changes, "read_grants_text", text)


def make_cluster() -> Cluster:
    cluster = Cluster()
    cluster.nodes = [Node(name, cluster) for name in HOSTS]
    return cluster


def make_sample_store(folder: Path, grants: str = GRANTS, version: str = "10.3.28-MariaDB") -> Store:
    made = make_store(folder)
    made.shell.name = "backup-node"
    told = contents(BACKUP).model_copy(update={"version": version})
    make_backup(made, grants_text=grants, contents=told.model_dump(mode="json"))
    return made


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """A store with a verified backup."""
    return make_sample_store(tmp_path_factory.mktemp("store"))


def looked(cluster: Cluster, store: Store, request: Request, **journal_of: object) -> tuple[Run, Job]:
    """Preflight."""
    shells: dict[str, Shell] = {node.name: node for node in cluster.nodes} | {"backup-node": store.shell}
    run = Run("restore-accounts", site_of(store), shells, False, journal(runbook="restore-accounts", **journal_of))
    job = look(run, request)
    run.refuse_if_any()
    return run, job


def restore(cluster: Cluster, store: Store, request: Request = ALL, **journal_of: object) -> Run:
    """One run of the flow."""
    run, job = looked(cluster, store, request, **journal_of)
    run.begin(job.take_up, "22222222")
    procedure(run, job)
    run.finish()
    conclude(job)
    return run


def test_what_differs_is_as_in_the_backup_and_all_else_as_it_was(store: Store) -> None:
    cluster = make_cluster()
    run = restore(cluster, store)
    assert cluster.accounts == TODAY | {NOVA: BACKUP[NOVA], READER: BACKUP[READER]}
    (kept,) = cluster.files.items()
    assert kept == (
        "/var/lib/openstack-runbooks/restore-accounts/accounts/20261121T123456Z.sql",
        str(sorted(TODAY.items())),
    )
    told = "\n".join(run.journal.findings)
    assert f"{CHECK} is not as in the backup, and stays: haproxy's health check logs in with it" in told
    assert f"{SST} is not as in the backup, and stays: a node that joins copies the database with it" in told
    assert MORE not in told
    assert HASH not in "".join(cluster.journals.values())


def test_only_what_is_named_is_replaced(store: Store) -> None:
    cluster = make_cluster()
    restore(cluster, store, Request(("reader",), "", False))
    assert cluster.accounts == TODAY | {READER: BACKUP[READER]}


def test_where_nothing_differs_nothing_is_done_and_nobody_is_asked(store: Store) -> None:
    cluster = make_cluster()
    cluster.accounts = dict(BACKUP)
    _, job = looked(cluster, store, ALL)
    assert job.summary.startswith("nothing to do")
    run = restore(cluster, store)
    assert {record.outcome for record in run.journal.records} == {"left out"}
    assert cluster.files == {}


def plan(store: Store) -> Plan:
    """What is done with all that differs."""
    _, job = looked(make_cluster(), store, ALL)
    made = Plan()
    procedure(made, job)
    return made


def test_the_plan_is_the_golden_one_and_holds_no_secret(store: Store) -> None:
    made = plan(store)
    assert HASH not in made.text()
    assert_golden("restore-accounts", made)


def test_what_is_approved_names_each_account_and_what_differs(store: Store) -> None:
    _, job = looked(make_cluster(), store, ALL)
    assert "makes 2 accounts and roles what they are in" in job.summary
    assert f"{NOVA} logs in with something else" in job.summary
    assert f"{READER} is missing" in job.summary
    assert HASH not in repr(job)


def test_a_run_that_is_killed_at_any_change_is_taken_up_to_the_same_end(store: Store) -> None:
    cluster = make_cluster()
    restore(cluster, store)
    assert cluster.changes >= 6
    for at in range(1, cluster.changes):
        killed = make_cluster()
        killed.kill_at = at
        with suppress(Killed):
            restore(killed, store)
        assert killed.dead, at
        killed.dead, killed.kill_at = False, 0
        restore(killed, store, started="2026-11-21T13:00:00Z")
        assert killed.accounts == TODAY | {NOVA: BACKUP[NOVA], READER: BACKUP[READER]}, at
        assert str(sorted(TODAY.items())) in killed.files.values(), at
        assert Journal.model_validate_json(killed.journals["closed.json"]).finished
        assert "current.json" not in killed.journals


def test_what_is_not_as_in_the_backup_afterwards_fails_the_run(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = make_cluster()
    monkeypatch.setattr(Node, "_replace", lambda *_: None)
    cluster.nodes = [Node(name, cluster) for name in HOSTS]
    with pytest.raises(RunbookError, match=r"not as in .*controller-2: role reader: is missing"):
        restore(cluster, store)


REFUSALS = {
    "not in it": (("heat",), "has no account or role heat; it has clustercheck, nova, reader, sst"),
    "root": (("root",), "has no account or role root"),
    "clustercheck": (
        ("clustercheck",),
        "clustercheck'@'localhost' is not as in the backup, and is not replaced: haproxy's",
    ),
    "of state transfers": (("sst",), "a node that joins copies the database with it"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_can_not_be_replaced_is_refused(store: Store, name: str) -> None:
    accounts, reason = REFUSALS[name]
    refusal(make_cluster(), store, replace(ALL, accounts=accounts), reason)


def refusal(cluster: Cluster, store: Store, request: Request, reason: str) -> None:
    with pytest.raises((Refused, RunbookError), match=reason):
        looked(cluster, store, request)
    assert cluster.changes == 0


def test_an_account_that_replicates_stays(store: Store) -> None:
    cluster = make_cluster()
    cluster.accounts[NOVA] = cluster.accounts[NOVA].model_copy(update={"grants": {"*.*": ("REPL SLAVE",)}})
    refusal(cluster, store, ONE, "it may replicate: a server elsewhere has its password")


def test_a_node_that_is_not_synced_is_refused(store: Store) -> None:
    cluster = make_cluster()
    cluster.status = "Joining"
    refusal(cluster, store, ALL, "controller-0: Joining")


def test_grants_that_were_changed_are_refused(tmp_path: Path) -> None:
    made = make_sample_store(tmp_path)
    (file,) = Path(made.base).rglob("overcloud-grants.sql")
    file.write_text(GRANTS.replace("reader", "writer"))
    refusal(make_cluster(), made, ALL, "overcloud-grants.sql .*was changed: its checksum is another")


def test_grants_that_are_cut_short_are_refused(tmp_path: Path) -> None:
    refusal(make_cluster(), make_sample_store(tmp_path, GRANTS[:-2]), ALL, "begins what does not come to its end")


def test_a_backup_of_another_series_is_refused(tmp_path: Path) -> None:
    made = make_sample_store(tmp_path, version="10.2.30-MariaDB")
    refusal(make_cluster(), made, ALL, "is of MariaDB 10.2.30-MariaDB, and the cluster is 10.3: privileges differ")
