"""Hosts that are imaged: nodes that are paused and released by the runbook's own scripts, ReaR, a store, an undercloud."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from blocks.remote.command import Command
from blocks.remote.connection import LineSink
from blocks.remote.shell import Result
from tasks.runbooks.node_images.operation import COLUMNS
from tests.unit.flows.backups import DatabaseHost, StoreHost
from tests.unit.tasks.node.node_model import NodeModel

_NONE = "LoadState=not-found\nActiveState=inactive\n"
_SETTINGS = (
    "OUTPUT_URL\tnfs://192.0.2.9/backups\nISO_DEFAULT\tmanual\nBACKUP_INTEGRITY_CHECK\t1\nNETFS_PREFIX\t{host}/20261127T020000Z\n"
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


class UndercloudHost(DatabaseHost):
    """The undercloud, from which nobody operates on the stack.

    Attributes:
        under_way: Rows of what its database says to be in progress.
        tables: Which tables of Heat's and Mistral's it has.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__("undercloud", folder, "mysql", galera=False)
        self.under_way = ""
        self.columns = "".join(f"{table}\t{column}\n" for table, columns in COLUMNS.items() for column in columns)
        self.on("pgrep", say=1).on("crontab", say=1)
        self.on("podman exec", "mysql", say=self._in_progress)

    def _in_progress(self, asked: Command) -> str:
        return self.columns if "information_schema" in (asked.stdin or "") else self.under_way
