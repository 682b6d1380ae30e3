"""A control plane, or an undercloud, that is imaged.

It can be killed at any command, and its nodes' timers do what they were told.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import tasks.engine.cleanup
import tasks.engine.questions
import tasks.engine.run
from blocks.remote.command import Command
from flows.backup_control_plane import NAME, procedure, procedure_with_images
from flows.backup_undercloud import procedure as backup_undercloud
from flows.backup_undercloud import procedure_with_image
from tasks.engine.run import Run, TakeUp
from tasks.rear.images import images_root
from tasks.runbooks.backup_control_plane.preflight import look
from tasks.runbooks.backup_control_plane.whole import look_at_all
from tasks.runbooks.backup_undercloud.preflight import look as look_at_undercloud
from tasks.runbooks.backup_undercloud.preflight import look_with_image
from tasks.runbooks.node_images.imaging import UNDERCLOUD, ImageRequest
from tasks.runbooks.node_images.whole import Whole
from tests.unit.flows.backups import World, make_world
from tests.unit.flows.imaged_hosts import ImagedHost, ImageStoreHost, UndercloudHost, write_image
from tests.unit.tasks.samples import HOSTS

REQUEST = ImageRequest(NAME, ("Controller",), image_s=3600, start_s=60)
ROLLING = replace(REQUEST, availability="rolling")
OF_UNDERCLOUD = replace(REQUEST, runbook="backup-undercloud", roles=("undercloud",), numbers=UNDERCLOUD)


@dataclass
class Imaged:
    """The site.

    Attributes:
        world: Its databases and its store.
        hosts: Its controllers.
        before: The state in which everything was.
        runs: How many runs there were.
        states: What `in_every_state` has come to.
        in_turn: Whether one node at a time leaves the cluster.
        members: The hosts that were in the cluster as the run began.
    """

    world: World
    hosts: list[ImagedHost]
    before: list[tuple[dict[str, str], dict[str, str]]] = field(default_factory=list)
    runs: int = 0
    states: list[object] = field(default_factory=list)
    in_turn: bool = False
    members: list[str] = field(default_factory=list)

    @property
    def undercloud(self) -> UndercloudHost:
        """The undercloud, beside the controllers."""
        (undercloud,) = self.world.others
        assert isinstance(undercloud, UndercloudHost)
        return undercloud

    @property
    def in_cluster(self) -> list[str]:
        """The hosts on which Pacemaker runs."""
        return [host.shell.name for host in self.hosts if host.node.units.get("pacemaker.service") == "active"]

    @property
    def store(self) -> Path:
        """The folder of the images on the store."""
        return Path(images_root(self.world.store.settings))

    def image_of(self, host: ImagedHost) -> int:
        """ReaR on a host, as it should be; nothing runs there meanwhile but what may, and in turn all others serve."""
        assert host.node.units.get("pacemaker.service") != "active"
        assert host.node.containers["keystone"] == ("running" if self.in_turn else "paused")
        others = [name for name in self.members if name != host.shell.name]
        assert self.in_cluster == (others if self.in_turn else [])
        write_image(self.store / host.shell.name / f"2026112{self.runs}T020000Z")
        return 0

    def look(self, request: ImageRequest = REQUEST) -> tuple[Run, Whole]:
        """A run that has looked at everything."""
        self.runs += 1
        self.in_turn, self.members = request.availability == "rolling", self.in_cluster
        run = self.world.open()
        if len(self.hosts) == 1:
            return run, look_with_image(run, self.world.request(), request)
        return run, look_at_all(run, self.world.request(), request)

    def back_up(self, request: ImageRequest = REQUEST) -> tuple[Run, Whole]:
        """A run, from the first look to its end."""
        run, whole = self.look(request)
        run.begin(TakeUp(run.journal), run.journal.run_id)
        try:
            (procedure_with_image if len(self.hosts) == 1 else procedure_with_images)(run, whole)
            run.finish()
        finally:
            run.close()
        return run, whole

    def is_as_before(self) -> bool:
        """Whether all runs that ran, and nothing is left at work."""
        now = [host.node.state for host in self.hosts]
        desynced = any(host.shell.desynced for host in self.hosts)
        return now == self.before and not desynced and not any(host.at_work for host in self.hosts)

    def tick(self) -> None:
        """Let every health check fire that is active."""
        for host in self.hosts:
            host.node.tick()

    def in_every_state(self, do: Callable[[], None]) -> None:
        """Have something done in each state that the nodes come to during a run, as if the run had been killed there.

        Args:
            do: What is done; what it changes is taken back.
        """
        known: list[object] = []
        doing = False

        def look() -> None:
            nonlocal doing
            state = [
                (host.node.state, host.shell.desynced, tuple(host.shell.timers), host.at_work) for host in self.hosts
            ]
            if doing or state in known:
                return
            known.append(state)
            doing = True
            kept = [host.keep() for host in self.hosts]
            do()
            for host, taken in zip(self.hosts, kept, strict=True):
                host.put_back(*taken)
            doing = False

        for host in self.hosts:
            host.after_each = look
        self.states = known

    def release_by_themselves(self) -> None:
        """What each node does once nobody has renewed its timers: without the run, the worker, the server and the network."""
        for host in self.hosts:
            host.shell.fire()


class InTurn:
    """An executor that does everything at once, in the thread that asks: each command leaves a state that can be looked at."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __enter__(self) -> InTurn:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, do: Callable[..., object], *words: object) -> Future[object]:
        future: Future[object] = Future()
        try:
            future.set_result(do(*words))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future

    def shutdown(self, **_: object) -> None:
        pass


def make_imaged(folder: Path, patch: pytest.MonkeyPatch) -> Imaged:
    """A healthy control plane whose nodes are set up for ReaR."""
    for module in (tasks.engine.cleanup, tasks.engine.run, tasks.engine.questions):
        patch.setattr(module, "ThreadPoolExecutor", InTurn)
    world = make_world(folder, patch, NAME, look, procedure)
    world.store.shell = ImageStoreHost(folder / "programs")
    world.site = world.site.model_copy(update={"roles": world.site.roles | {"Controller": list(HOSTS)}})
    hosts: list[ImagedHost] = []

    def everywhere(state: str) -> None:
        for each in hosts:
            each.node.set_unit("pacemaker.service", state)

    for number, shell in enumerate(world.hosts):
        hosts.append(ImagedHost(shell, folder / f"node-{number}", number, everywhere))
    undercloud = UndercloudHost(folder / "undercloud")
    world.others.append(undercloud)
    imaged = Imaged(world, hosts)
    for host in hosts:
        host.image = lambda host=host: imaged.image_of(host)  # type: ignore[misc]
        host.shell.cluster_size = lambda: len(imaged.in_cluster)
    imaged.before = [host.node.state for host in hosts]
    return imaged


def make_imaged_undercloud(folder: Path, patch: pytest.MonkeyPatch) -> Imaged:
    """A healthy undercloud that is set up for ReaR: a node of no cluster, with a database of its own."""
    for module in (tasks.engine.cleanup, tasks.engine.run, tasks.engine.questions):
        patch.setattr(module, "ThreadPoolExecutor", InTurn)
    world = make_world(folder, patch, "backup-undercloud", look_at_undercloud, backup_undercloud)
    world.store.shell = ImageStoreHost(folder / "programs")
    (shell,) = world.hosts
    host = ImagedHost(shell, folder / "node", 0, lambda _: None)
    for name in [name for name in host.node.containers if "-bundle-" in name or name.startswith("ceph")]:
        (host.node.folder / "containers" / name).unlink()
    (host.node.folder / "etc/corosync/corosync.conf").unlink()
    (host.node.folder / "units/pacemaker.service").unlink()

    def answer(asked: Command) -> str:
        return "" if "workflow_executions_v2" in (asked.stdin or "") else shell._mysql(asked)

    shell.on("--batch", "--skip-column-names", say=answer).on("pgrep", say=1).on("crontab", say=1)
    imaged = Imaged(world, [host])
    host.image = lambda: imaged.image_of(host)
    imaged.before = [host.node.state]
    return imaged
