"""A control plane that is imaged: databases, nodes that are paused and released by the runbook's own scripts, ReaR, a store.

It can be killed at any command, and its nodes' timers do what they were told.
"""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

import tasks.engine.cleanup
import tasks.engine.questions
import tasks.engine.run
from blocks.remote.command import Command
from blocks.remote.connection import LineSink
from blocks.remote.shell import Result
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
from tests.unit.flows.backups import DatabaseHost, StoreHost, World, make_world
from tests.unit.tasks.node.node_model import NodeModel
from tests.unit.tasks.samples import HOSTS

REQUEST = ImageRequest(NAME, ("Controller",), image_s=3600, start_s=60)
ROLLING = replace(REQUEST, availability="rolling")
OF_UNDERCLOUD = replace(REQUEST, runbook="backup-undercloud", roles=("undercloud",), numbers=UNDERCLOUD)
_NONE = "LoadState=not-found\nActiveState=inactive\n"
_SETTINGS = (
    "OUTPUT_URL\tnfs://192.0.2.9/backups\nBACKUP_INTEGRITY_CHECK\t1\nNETFS_PREFIX\t{host}/20261127T020000Z\n"
    "OPENSTACK_RUNBOOKS\t0a1b2c\n"
)


def ended(code: int = 0, log: str = "") -> str:
    """What systemd says of a unit that has ended, and waits to be read."""
    result = "exit-code" if code else "success"
    return f"LoadState=loaded\nActiveState=active\nSubState=exited\nResult={result}\nExecMainStatus={code}\nLogSize={len(log)}\n"


def archive() -> bytes:
    """An archive of one file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        entry = tarfile.TarInfo("etc/hosts")
        entry.size = 9
        made.addfile(entry, io.BytesIO(b"127.0.0.1"))
    return packed.getvalue()


def write_image(folder: Path) -> None:
    """What ReaR leaves on the store."""
    folder.mkdir(parents=True)
    packed = archive()
    (folder / "backup.tar.gz").write_bytes(packed)
    (folder / "backup.tar.gz.md5").write_text(f"{hashlib.md5(packed).hexdigest()}  backup.tar.gz\n")  # noqa: S324
    (folder / f"{folder.parent.name}.iso").write_text("iso")
    (folder / "backup.log").write_text("etc/hosts\n")


class ImageStoreHost(StoreHost):
    """The store's host: units that the runbook starts there run to their end at once."""

    def __init__(self, programs: Path) -> None:
        super().__init__(programs)
        self._units: dict[str, tuple[int, str]] = {}

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        line = " ".join(command.words)
        unit = next((word for word in line.split() if "-check-" in word or "-close-" in word), "")
        if unit and not self.gone and not self.killed:
            name = unit.removeprefix("--unit=").removesuffix(".service").rpartition("/")[2].removesuffix(".log")
            if "systemd-run" in line:
                return self._start(name, command)
            if "systemctl show" in line:
                return Result(ended(*self._units[name]) if name in self._units else _NONE, "", 0)
            if "systemctl stop" in line:
                self._units.pop(name, None)
                return Result("", "", 0)
            return Result(self._units[name][1], "", 0)
        return super().run(command, on_line)

    def _start(self, name: str, command: Command) -> Result:
        words = [word.replace("$$", "$") for word in command.words[command.words.index("--") + 1 :]]
        inner = words[words.index(next(word for word in words if word.endswith(".log"))) + 1 :]
        done = subprocess.run(inner, capture_output=True, text=True, timeout=20, env=self._environment)
        self._units[name] = (done.returncode, done.stdout + done.stderr)
        return Result("", "", 0)


class ImagedHost:
    """One controller: its database's fake host, which hands what concerns the node to a model of it.

    Attributes:
        shell: The host.
        node: The model.
        image: What ReaR does; a test may have it do otherwise.
        at_work: Whether ReaR is.
        after_each: Called after each command.
    """

    def __init__(self, shell: DatabaseHost, folder: Path, number: int, everywhere: Callable[[str], None]) -> None:
        self.shell, self.everywhere = shell, everywhere
        self.node = NodeModel(folder, shell.name)
        for old in (folder / "containers").glob("*-bundle-*"):
            old.unlink()
        for name in (
            shell.container,
            f"haproxy-bundle-podman-{number}",
            f"ovn-dbs-bundle-podman-{number}",
            f"ceph-mon-{shell.name}",
        ):
            self.node.set_container(name, "running")
        self.image: Callable[[], int] = lambda: 0
        self.at_work = False
        self.after_each: Callable[[], None] = lambda: None
        self._units: dict[str, int] = {}
        self._answer()

    def keep(self) -> tuple[tuple[dict[str, str], dict[str, str]], bool, list[tuple[str, ...]], dict[str, int]]:
        """The state, to be put back."""
        return self.node.state, self.shell.desynced, list(self.shell.timers), dict(self._units)

    def put_back(
        self,
        state: tuple[dict[str, str], dict[str, str]],
        desynced: bool,
        timers: list[tuple[str, ...]],
        units: dict[str, int],
    ) -> None:
        """Put a state back."""
        self.shell.desynced, self.shell.timers, self._units = desynced, timers, units
        for put, of in ((self.node.set_container, state[0]), (self.node.set_unit, state[1])):
            for name, value in of.items():
                put(name, value)

    def _run(self, command: Command, on_line: LineSink | None = None) -> Result:
        result = type(self.shell).run(self.shell, command, on_line)
        self.after_each()
        return result

    def _answer(self) -> None:
        shell, node = self.shell, self.node
        shell.run = self._run  # type: ignore[method-assign]
        for words in (("listed=",), ("podman pause",), ("not released within",), ("crm_mon",)):
            shell.on(*words, say=node.answer)
        shell.on("systemctl show pacemaker.service", say=lambda _: f"ActiveState={node.units['pacemaker.service']}\n")
        for words in (("pcs cluster stop",), ("pcs cluster start",)):
            shell.on(*words, say=node.answer)
        shell.on("pcs cluster stop --all", say=lambda _: self._cluster("inactive"))
        shell.on("pcs cluster start --all", say=lambda _: self._cluster("active"))
        shell.on("cibadmin", say="<bundle id='galera-bundle'/>")
        shell.on("readlink", say="device /dev/vda1\n").on("/dev/vda1", say=1).on("status=none", "/dev/vda1", say="")
        for words in (("ceph auth export",), ("ovsdb-client backup",), ("pcs config backup",)):
            shell.on(*words, say="")
        shell.on("OPENSTACK_RUNBOOKS", say=_SETTINGS.format(host=shell.name)).on("pgrep", "rear", say=1)
        shell.on("test -e /etc/cron.d/rear", say=1)
        shell.on("df --output=used", say="4096\n").on("list-units", "openstack-runbooks-cleanup", say="")
        shell.on("systemctl show", "-rear-", say=self._unit_state).on("systemctl stop", "-rear-", say=self._end_units)
        shell.on("not released within", say=self._release)
        shell.on("systemd-run", say=self._start).on("tail -c", "-rear-", say="Creating disk layout\n")

    def _cluster(self, state: str) -> str:
        self.everywhere(state)
        return ""

    def _start(self, command: Command) -> str:
        if "mkbackup" not in " ".join(command.words):
            return self.shell._arm(command)
        (unit,) = (word.removeprefix("--unit=") for word in command.words if word.startswith("--unit="))
        self.at_work = True
        self._units[unit] = self.image()
        self.at_work = False
        return ""

    def _unit_state(self, command: Command) -> str:
        name = next(word for word in command.words if "-rear-" in word)
        return ended(self._units[name]) if name in self._units else _NONE

    def _end_units(self, _: Command) -> str:
        self._units.clear()
        return ""

    def _release(self, command: Command) -> Result:
        self._units.clear()
        self.at_work = False  # it ends the run's own jobs first
        return self.node.answer(command)


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


class UndercloudHost(DatabaseHost):
    """The undercloud, from which nobody operates on the stack.

    Attributes:
        under_way: Rows of what its database says to be in progress.
        tables: Which tables of Heat's and Mistral's it has.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__("undercloud", folder, "mysql", galera=False)
        self.under_way = ""
        self.tables = "heat.stack\nmistral.workflow_executions_v2\n"
        self.on("pgrep", say=1).on("crontab", say=1)
        self.on("podman exec", "mysql", say=self._in_progress)

    def _in_progress(self, asked: Command) -> str:
        return self.tables if "information_schema" in (asked.stdin or "") else self.under_way


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
