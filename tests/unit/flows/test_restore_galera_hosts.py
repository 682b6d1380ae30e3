"""Which hosts restore-galera works on: the database's, and those that may hold its virtual address; flow, locks and hooks alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from prefect.client.schemas.objects import FlowRun, State

import tasks.engine.hooks
import tasks.engine.report
import tasks.engine.runbook
from blocks.remote.command import Command
from blocks.remote.errors import Unreachable
from blocks.remote.shell import Shell
from blocks.site import Site
from flows.restore_galera import procedure, restore_galera
from tasks.engine.plan import plan_of
from tasks.engine.run import Run
from tasks.runbooks.restore_galera.preflight import look
from tests.unit.fakes import FakeShell
from tests.unit.flows.cluster import Cluster, make_cluster
from tests.unit.flows.jobs import ORDER, give_files
from tests.unit.tasks.control_plane import ACCEPTING, BALANCED_NODES, BALANCED_SITE, BALANCERS, BLOCKING
from tests.unit.tasks.looking import REQUEST, order_of
from tests.unit.tasks.samples import CLEANUP, HOSTS, SITE, journal

pytestmark = pytest.mark.usefixtures("no_engine", "clock")
RUN_ID = "00000000-0000-0000-0000-000000000001"
# haproxy on the database's hosts, as in TripleO's role Controller.
TOGETHER = SITE.model_copy(update={"roles": SITE.roles | {"haproxy": list(HOSTS), "Controller": list(HOSTS)}})


class Balancer(FakeShell):
    """A host of haproxy: it has a firewall, and is asked for nothing else.

    Attributes:
        blocks: Whether its firewall keeps clients off.
        blocked: Whether it ever did.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.blocks = self.blocked = False
        self.on("hostname", say=f"name {name}\n")
        self.on("iptables -w -S INPUT", say=lambda _: BLOCKING if self.blocks else ACCEPTING)
        self.on("iptables -w -C", say=lambda _: 0 if self.blocks else 1)
        self.on("iptables -w -I", say=lambda _: self._set(blocks=True))
        self.on("-w -D INPUT", say=lambda _: self._set(blocks=False))

    def _set(self, blocks: bool) -> str:
        self.blocks, self.blocked = blocks, self.blocked or blocks
        return ""


@pytest.fixture
def cluster() -> Cluster:
    made = make_cluster()
    give_files(made.nodes[0])
    return made


@pytest.fixture
def balancers(cluster: Cluster) -> list[Balancer]:
    """Hosts of haproxy, on which alone Pacemaker may place the virtual address."""
    cluster.nodes[0].on("--scope nodes", say=BALANCED_NODES)
    return [Balancer(name) for name in BALANCERS]


class World:
    """What Prefect would see of a run.

    Attributes:
        locked: The hosts that the run has locked.
        by_hook: The hosts that a hook has locked.
        reports: The reports.
    """

    def __init__(self) -> None:
        self.locked: list[str] = []
        self.by_hook: list[str] = []
        self.reports: list[str] = []


Enter = Callable[[Site, Sequence[FakeShell]], World]


@pytest.fixture
def enter(monkeypatch: pytest.MonkeyPatch) -> Enter:
    """Make a site and its hosts those that a run, or a hook, finds."""

    def enter(site: Site, shells: Sequence[FakeShell]) -> World:
        by_name, world = {shell.name: shell for shell in shells}, World()

        @contextmanager
        def locked(_site: str, _run: UUID, _holder: str, on: Sequence[Shell], _wait_s: float) -> Iterator[None]:
            world.locked = [shell.name for shell in on]
            yield None

        def lock_host(shell: Shell, _: str) -> SimpleNamespace:
            world.by_hook.append(shell.name)
            return SimpleNamespace(release=lambda: None, name="a lock", beat=lambda: 10.0)

        def create(text: str, **_: object) -> UUID:
            world.reports.append(text)
            return UUID(RUN_ID)

        for module in (tasks.engine.runbook, tasks.engine.hooks):
            monkeypatch.setattr(module, "load_site", lambda _: site)
        monkeypatch.setattr(tasks.engine.runbook, "locked", locked)
        monkeypatch.setattr(tasks.engine.hooks, "lock_host", lock_host)
        monkeypatch.setattr(tasks.engine.report, "create_markdown_artifact", create)
        monkeypatch.setattr(Site, "shell", lambda _, host: by_name[host.name])
        monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__ID", RUN_ID)
        monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__NAME", "restore-galera on lab")
        monkeypatch.setenv("PREFECT__RUNTIME__FLOW_RUN__RUN_COUNT", "1")
        return world

    return enter


def plan_on(site: Site, shells: Sequence[FakeShell]) -> tuple[dict[str, tuple[str, ...]], str]:
    """The hosts of every step of the plan, and the plan itself."""
    by_name: dict[str, Shell] = {shell.name: shell for shell in shells}
    job = look(Run("restore-galera", site, by_name, True, journal()), REQUEST, order_of)
    plan = plan_of(procedure, job)
    assert plan.numbers == ORDER
    return {step.number: step.hosts for step in plan.steps}, plan.text()


def end(how: int, site_name: str = "lab") -> None:
    """Prefect calls the hook of a run that was cancelled or has crashed."""
    hooks: Sequence[Any] = [*(restore_galera.on_cancellation_hooks), *(restore_galera.on_crashed_hooks)]
    run = cast("FlowRun", SimpleNamespace(id="11111111", parameters={"site": site_name}))
    hooks[how](restore_galera, run, cast("State[Any]", SimpleNamespace(message="ended")))


# -- a role of its own for the database


def test_a_restore_locks_the_hosts_of_haproxy_too_and_blocks_clients_there(
    cluster: Cluster, balancers: list[Balancer], enter: Enter
) -> None:
    world = enter(BALANCED_SITE, [*cluster.nodes, *balancers])
    assert restore_galera.fn(site="lab", approved_by="ada") is None
    assert world.locked == [*HOSTS, *BALANCERS]
    assert cluster.all_imported
    assert [(balancer.blocked, balancer.blocks, balancer.closed) for balancer in balancers] == [(True, False, True)] * 2
    assert set(cluster.nodes[0].journals) == {"closed.json"}


def test_the_steps_of_the_database_are_taken_on_its_hosts_alone(cluster: Cluster, balancers: list[Balancer]) -> None:
    steps, _ = plan_on(BALANCED_SITE, [*cluster.nodes, *balancers])
    with_balancers = {number for number, hosts in steps.items() if not set(BALANCERS).isdisjoint(hosts)}
    assert with_balancers == {"2", "22"}
    assert steps["2"] == steps["22"] == (*HOSTS, *BALANCERS)
    assert steps["7"] == HOSTS


def test_a_host_of_haproxy_out_of_reach_is_named_before_anything_is_changed(
    cluster: Cluster, balancers: list[Balancer], enter: Enter
) -> None:
    balancers[0].on("", say=Unreachable("balancer-0", "no SSH session"))
    enter(BALANCED_SITE, [*cluster.nodes, *balancers])
    for dry_run in (True, False):
        state = restore_galera.fn(site="lab", dry_run=dry_run, approved_by="ada")
        assert state.message == (
            "restore-galera refuses to begin; nothing was changed:\n  - balancer-0: no SSH session"
        )
    assert cluster.changes == 0


@pytest.mark.parametrize("how", [0, 1], ids=["cancelled", "crashed"])
def test_a_hook_locks_the_hosts_of_haproxy_and_lets_no_client_in(
    how: int, cluster: Cluster, balancers: list[Balancer], enter: Enter
) -> None:
    halfway = journal(begun="15", in_force={"clients": "clients are blocked"}, cleanups=[CLEANUP])
    first = cluster.nodes[0]
    first.journals["current.json"] = halfway.model_dump_json() + "\n"
    for balancer in balancers:
        balancer.blocks = True
        balancer.on("systemctl stop", "openstack-runbooks-restore-galera", say="")
    world = enter(BALANCED_SITE, [*cluster.nodes, *balancers])
    end(how)
    assert sorted(world.by_hook) == sorted([*HOSTS, *BALANCERS])
    assert all(balancer.blocks and balancer.closed for balancer in balancers)
    assert [command.words for command in first.ran].count(CLEANUP.words[HOSTS[0]]) == 1
    assert "clients are blocked" in world.reports[0]


def test_a_database_without_hosts_is_told_and_no_journal_is_looked_for_elsewhere(
    balancers: list[Balancer], enter: Enter
) -> None:
    enter(BALANCED_SITE.model_copy(update={"roles": BALANCED_SITE.roles | {"mysql": []}}), balancers)
    state = restore_galera.fn(site="lab")
    assert "site lab has no host with role mysql" in state.message
    assert all(balancer.ran == [] for balancer in balancers)


# -- haproxy on the database's hosts; an inventory without a group of haproxy


@pytest.mark.parametrize("site", [TOGETHER, SITE], ids=["one role for both", "no group of haproxy"])
def test_hosts_that_are_the_databases_are_locked_once(site: Site, cluster: Cluster, enter: Enter) -> None:
    world = enter(site, cluster.nodes)
    assert restore_galera.fn(site="lab", approved_by="ada") is None
    assert world.locked == list(HOSTS)
    assert cluster.all_imported


def test_where_both_are_the_same_hosts_the_plan_and_every_command_are_the_same(cluster: Cluster) -> None:
    def asked(site: Site) -> tuple[str, list[Command]]:
        for node in cluster.nodes:
            node.ran.clear()
        _, plan = plan_on(site, cluster.nodes)
        return plan, sorted((command for node in cluster.nodes for command in node.ran), key=repr)

    assert asked(TOGETHER) == asked(SITE)
