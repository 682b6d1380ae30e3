"""check-site: all that is looked at, and what each thing says that is not as it should be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from blocks.remote.errors import Unreachable
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE, UNDERCLOUD
from tasks.backup.store import Store
from tasks.engine.run import Run
from tasks.runbooks.check_site.looking import hosts_of_check, look
from tests.unit.fakes import FakeShell
from tests.unit.flows.backup_cluster import make_backup
from tests.unit.tasks.backup.samples import START, make_store
from tests.unit.tasks.control_plane import BLOCKING, VERSIONS, controller
from tests.unit.tasks.crm import in_cib
from tests.unit.tasks.runbooks.verify_backup.samples import site_of
from tests.unit.tasks.samples import HOSTS, journal

pytestmark = pytest.mark.usefixtures("no_engine", "clock")
NODE = (
    "wsrep_local_state_comment\tSynced\nwsrep_cluster_status\tPrimary\nwsrep_cluster_size\t3\n"
    "wsrep_cluster_state_uuid\tone\nwsrep_local_recv_queue\t0\nwsrep_desync\t0\nclients\t7\n"
)
Break = Callable[[dict[str, FakeShell]], object]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with a verified backup of last night."""
    made = make_store(tmp_path)
    made.shell.name = "backup-node"
    make_backup(made)
    monkeypatch.setattr("tasks.runbooks.check_site.looking.now", lambda: START)
    return made


def fakes() -> dict[str, FakeShell]:
    """Hosts on which all is well."""
    shells = {name: controller(number) for number, name in enumerate(HOSTS)}
    for shell in shells.values():
        shell.on("mysql --defaults", say=NODE).on("id -un", say="root\n").on("*.json", say="").on(
            "systemctl --version", say=VERSIONS
        )
    undercloud = (
        FakeShell("undercloud").on("id -un", say="root\n").on("*.json", say="").on("container ls", say="mysql\n")
    )
    undercloud.on("listed=", say="container mysql running\ncontainer keystone running\n")
    undercloud.on("State.Status", say="running\n").on("systemctl --version", say=VERSIONS)
    return shells | {"undercloud": undercloud}


def checked(store: Store, break_it: Break = lambda _: None) -> Run:
    """Look at a site."""
    shells = fakes()
    break_it(shells)
    hosts = {name: cast("Shell", shell) for name, shell in shells.items()} | {"backup-node": store.shell}
    run = Run("check-site", site_of(store), hosts, True, journal(runbook="check-site"))
    look(run)
    return run


def test_a_site_on_which_all_is_well(store: Store) -> None:
    run = checked(store)
    assert run.reasons == []
    seen = "\n".join(check.words for check in run.checks)
    for word in (
        "answers",
        "3 nodes are Synced in one cluster",
        "mysql is running",
        "the newest verified one is",
        "managed",
    ):
        assert word in seen


def answer(host: str, *words: str, say: str | int | Exception) -> Break:
    return lambda shells: shells[host].on(*words, say=say)


UNFINISHED = journal(begun="15", in_force={"clients": "clients are blocked"}).model_dump_json()
WRONG: dict[str, tuple[Break, str]] = {
    "a host is down": (
        answer("controller-1", "", say=Unreachable("controller-1", "no SSH session")),
        "controller-1: no SSH",
    ),
    "the undercloud is down": (
        answer("undercloud", "", say=Unreachable("undercloud", "no SSH session")),
        "undercloud: no SSH",
    ),
    "a node is not synced": (
        answer("controller-2", "mysql --defaults", say=NODE.replace("Synced", "Donor/Desynced")),
        "controller-2: Donor/Desynced, Primary",
    ),
    "a node is out of flow control": (
        answer("controller-2", "mysql --defaults", say=NODE.replace("wsrep_desync\t0", "wsrep_desync\t1")),
        "controller-2: wsrep_desync is on",
    ),
    "two clusters": (
        answer("controller-2", "mysql --defaults", say=NODE.replace("\tone", "\tanother")),
        "the nodes are in different clusters: another, one",
    ),
    "the bundle is unmanaged": (
        answer(
            "controller-0", "cibadmin --query --xpath", "//bundle[@id='galera-bundle']", say=in_cib("false", "false")
        ),
        "galera-bundle is unmanaged",
    ),
    "containers are paused": (
        answer("controller-1", "listed=", say="container keystone paused\ncontainer nova_api paused\n"),
        "controller-1: 2 containers are paused; a backup with images is at work there; else start resume-control-plane",
    ),
    "Pacemaker is stopped": (
        answer("controller-2", "listed=", say="cluster Pacemaker inactive\n"),
        "controller-2: Pacemaker is stopped; ",
    ),
    "clients are blocked": (
        answer("controller-1", "iptables -w -S INPUT", say=BLOCKING),
        "keeps clients off 172.16.2.99",
    ),
    "a restore was left in the middle": (
        answer("controller-0", "*.json", say=f"current.json\t{UNFINISHED}\n"),
        "the restore-galera of 2026-11-21 12:34 UTC has not come to its end: clients are blocked",
    ),
    "the undercloud's database is stopped": (
        answer("undercloud", "State.Status", say="exited\n"),
        "container mysql of the undercloud's database is exited",
    ),
    "the undercloud is paused": (
        answer("undercloud", "listed=", say="container mysql running\ncontainer keystone paused\n"),
        "undercloud: 1 containers are paused; a backup with images is at work there; else start resume-control-plane",
    ),
    "the undercloud's database has no container": (
        answer("undercloud", "container ls", say="keystone\n"),
        "is not there",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_told_and_all_else_is_looked_at(store: Store, name: str) -> None:
    break_it, reason = WRONG[name]
    run = checked(store, break_it)
    assert any(reason in said for said in run.reasons), run.reasons
    assert any("newest verified one is" in check.words for check in run.checks)


def test_a_newest_verified_backup_that_is_too_old_is_told_though_no_run_has_failed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.runbooks.check_site.looking.now", lambda: START.replace(day=29))
    reasons = checked(store).reasons
    assert reasons == [
        "backup-node: the newest verified overcloud logical by backup-control-plane is 48 h old; at most 26 h are wanted; see the "
        "latest runs of backup-control-plane and backup-undercloud, and whether a worker runs"
    ]


def test_a_store_without_a_backup_is_told(tmp_path: Path) -> None:
    assert any("there is no backup" in reason for reason in checked(make_store(tmp_path)).reasons)


def test_a_damaged_backup_is_told(store: Store) -> None:
    name = store.catalogue().sets[0].name
    (Path(store.base) / str(name) / "manifest.json").write_text("{}")
    assert any("its manifest is not the one that was sealed" in reason for reason in checked(store).reasons)


def test_a_site_without_a_store_and_an_undercloud_is_looked_at_as_well() -> None:
    shells = fakes()
    del shells["undercloud"]
    site = site_of(make_store(Path("/nonexistent"))).model_copy(
        update={"store": None, "backup_node": None, "undercloud": None}
    )
    run = Run("check-site", site, {name: cast("Shell", shell) for name, shell in shells.items()}, True, journal())
    look(run)
    assert run.reasons == []
    assert run.facts == ["the site has no store, so that nothing can be said of backups"]
    assert hosts_of_check(site, {}) == ["mysql"]


def test_it_works_on_whatever_runbooks_reach(store: Store) -> None:
    assert hosts_of_check(site_of(store), {}) == ["mysql", UNDERCLOUD, BACKUP_NODE]


def test_it_changes_nothing(store: Store) -> None:
    shells = fakes()
    hosts = {name: cast("Shell", shell) for name, shell in shells.items()} | {"backup-node": store.shell}
    look(Run("check-site", site_of(store), hosts, True, journal()))
    assert all(not command.changes for shell in shells.values() for command in shell.ran)
