"""Hosts whose databases are backed up, and a store in a folder: SSH is faked, what is written to the store is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import paramiko
import pytest

import tasks.runbooks.database_backup.proof
from blocks.remote.command import Command
from blocks.remote.connection import LineSink
from blocks.remote.errors import ConnectionLost, Unreachable
from blocks.remote.shell import Result, Shell
from blocks.site import Site
from tasks.backup.store import Store
from tasks.engine.change import Change
from tasks.engine.run import Run, TakeUp
from tasks.engine.steps import Steps
from tasks.runbooks.database_backup.backup import Backup
from tasks.runbooks.database_backup.proof import conclude
from tasks.runbooks.database_backup.request import Bounds, Request
from tasks.runbooks.verify_backup.drill import Drill, Outcome
from tests.unit.fakes import FakeShell, LocalChannel, LocalShell
from tests.unit.tasks.backup.samples import START, make_store, run_id
from tests.unit.tasks.control_plane import PASSWORD, directory
from tests.unit.tasks.node.node_model import Killed as Killed
from tests.unit.tasks.samples import HOSTS, SITE, journal

IMAGE = "sha256:0a1b"
GALERA = "5f0c5f0c-0000-4000-8000-000000000001"
HASH = "*" + "A1" * 20
DUMP = "CREATE DATABASE `nova`;\nINSERT INTO `t` VALUES (1);\n-- Dump completed on 2026-11-27  2:00:00\n"
# What systemd says of a unit that has ended well, and waits to be read.
UNIT = "LoadState=loaded\nActiveState=active\nSubState=exited\nResult=success\nExecMainStatus=0\n"
BOUNDS = Bounds(transfer_s=60, hash_s=600, hash_bytes=1024**3, drain_s=60)
_VERSIONS = (
    "podman --version: podman version 1.6.4\nsystemctl --version: systemd 239\nMariaDB: Ver 10.3.28-MariaDB for Linux\n"
)
_CONTENTS = (
    "version\t10.3.28-MariaDB\t{galera}\nschema\tnova\tutf8mb4\tutf8mb4_general_ci\ntable\tnova\tt\tInnoDB\tBASE TABLE\t\n"
    "create\tTABLE\tnova\tt\nt\tCREATE TABLE `t` (\\n  `id` int(11)\\n) ENGINE=InnoDB\nrows\tnova\tt\t1\t77\nunlocked\nend\t1\n"
)
_LISTED = f"account\tnova\t%\tCREATE USER 'nova'@'%' IDENTIFIED BY PASSWORD '{HASH}'\nend\n"
_SAID = f"account\t0\nCREATE USER `nova`@`%` IDENTIFIED BY PASSWORD '{HASH}'\nGRANT USAGE ON *.* TO `nova`@`%`\nend\n"
_ON_RECORD = "from_table\tHost\tUser\tSelect_priv\tdefault_role\nuser\t%\tnova\tN\t\n"
# The container's side of the pipelines, which run as they are.
_PODMAN = """#!/bin/bash
case "$*" in
  *mysqldump*) cat "{folder}/dump"; exit "$(cat "{folder}/code")" ;;
  *--stream=mbstream*) echo "the files"; exit "$(cat "{folder}/copy-code")" ;;
esac
exit 125
"""
GRANTS = f"CREATE OR REPLACE USER `nova`@`%` IDENTIFIED BY PASSWORD '{HASH}';\nGRANT USAGE ON *.* TO `nova`@`%`;\n"


class DatabaseHost(FakeShell):
    """A host with a database in a container.

    Args:
        name: Its name.
        folder: A folder of its own.
        container: The container's name.
        galera: Whether the server is a node of a cluster.

    Attributes:
        clients: Connections over the network.
        state: `wsrep_local_state_comment`.
        desynced: Whether it is out of flow control.
        timers: What its own timers will run, where nobody comes any more.
        at_work: Whether a dump is at work in the container.
        cluster_size: How many nodes its cluster has.
        breaks: Called as a dump is begun, with its channel.
        off: Whether it has no power.
        killed: Whether the process of the run is gone.
    """

    def __init__(self, name: str, folder: Path, container: str, galera: bool) -> None:
        super().__init__(name)
        self.folder, self.container, self.galera = folder, container, galera
        self.clients, self.state, self.desynced, self.at_work = 0, "Synced", False, False
        self.off = self.killed = False
        self.timers: list[tuple[str, ...]] = []
        self.breaks: Callable[[LocalChannel], LocalChannel] = lambda channel: channel
        self.cluster_size: Callable[[], int] = lambda: 3
        folder.mkdir()
        (folder / "podman").write_text(_PODMAN.format(folder=folder))
        (folder / "podman").chmod(0o755)
        (folder / "dump").write_text(DUMP)
        (folder / "code").write_text("0")
        (folder / "copy-code").write_text("0")
        self._answer()

    def _answer(self) -> None:
        self.on("mysql", say=self._mysql)
        self.on("container ls", say=f"{self.container}\nhaproxy-bundle-podman-0\n")
        self.on("inspect --type=container", "State.Status", say="running\n")
        self.on("inspect --type=container", "{{.Image}}", say=f"{IMAGE}\n")
        self.on("systemctl --version", say=_VERSIONS)
        self.on("hiera", say=f"{PASSWORD}\n")
        self.on("mountpoint -q", say=directory(used=4096))
        self.on("df -B 1", "/root", say="Avail\n99999999\n")
        self.on("command -v", "zstd", say="/usr/bin/gzip\n")
        self.on("mariabackup", say="mariadb-backup is not in the image\n")
        self.on("cat ", "runbooks-contents", say=lambda _: _CONTENTS.format(galera=self._position))
        self.on("dump.pid", "--unbuffered", say="")
        self.on("dump.pid", "kill", say=lambda _: self._end_dump())
        self.on("copy.pid", "kill", "bash -c p=", say=1)
        self.on("rm -f", "runbooks-contents", say=lambda _: self._end_dump())
        self.on("wsrep_desync = OFF", say=lambda _: self._resync())
        self.on("journal did not arrive", say="")
        self.on("MemAvailable", say="memory 9\n")
        self.on("systemctl stop", "|| :", say="").on("systemd-run", say=self._arm)

    @property
    def _position(self) -> str:
        return f"{GALERA}\t42" if self.galera else "\tNULL"

    def _mysql(self, asked: Command) -> str:
        sql = asked.stdin or ""
        if "--force" in asked.words:
            return _SAID if "SHOW GRANTS" in sql else _LISTED
        if sql.startswith("SET GLOBAL wsrep_desync = ON"):
            self.desynced = True
            return ""
        if "from_table" in sql:
            return _ON_RECORD
        state = "Donor/Desynced" if self.desynced else self.state
        return (
            f"wsrep_local_state_comment\t{state}\nwsrep_cluster_status\tPrimary\n"
            f"wsrep_cluster_size\t{self.cluster_size()}\n"
            f"wsrep_cluster_state_uuid\t{GALERA}\nwsrep_local_recv_queue\t0\nwsrep_desync\t{int(self.desynced)}\n"
            f"clients\t{self.clients}\n"
        )

    def _end_dump(self) -> str:
        self.at_work = False
        return ""

    def _resync(self) -> str:
        self.desynced = False
        return ""

    def _arm(self, asked: Command) -> str:
        words = asked.words[asked.words.index("bash", 1) + 1 :]
        if words not in self.timers:
            self.timers.append(words)
        return ""

    def fire(self) -> None:
        """What the host does by itself once nobody has renewed its timers."""
        self.killed = False
        for words in self.timers:
            self.run(Command(tuple(word.replace("$$", "$") for word in words)))

    def _check(self) -> None:
        if self.killed:
            raise Killed
        if self.off:
            raise Unreachable(self.name, "no SSH session within 10 s")

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        self._check()
        return super().run(command, on_line)

    def open_channel(self, command: Command, *, combined: bool = True) -> paramiko.Channel:
        self._check()
        self.ran.append(command)
        self.at_work = True
        environment = {"LC_ALL": "C", "PATH": f"{self.folder}:{os.environ['PATH']}"}
        return cast("paramiko.Channel", self.breaks(LocalChannel(command.words, environment)))


class StoreHost(LocalShell):
    """The store's host: a folder of this machine, whose scripts run as they are.

    Attributes:
        gone: Whether it can't be reached.
        killed: Whether the process of the run is gone.
        timers: What its own timers will run.
        keys: The public keys whose private ones it has.
    """

    def __init__(self, programs: Path) -> None:
        super().__init__(programs)
        self.name = "backup-node"
        self.gone = self.killed = False
        self.timers: list[tuple[str, ...]] = []
        self.keys: tuple[str, ...] = ()

    def _check(self) -> None:
        if self.killed:
            raise Killed
        if self.gone:
            raise ConnectionLost(self.name, "the connection broke")

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        self._check()
        line = " ".join(command.words)
        if "systemd-run" in line:
            words = command.words[command.words.index("bash", 1) + 1 :]
            self.timers.append(tuple(word.replace("$$", "$") for word in words))
            return Result("", "", 0)
        if "systemctl" in line:
            return Result("", "", 0)
        if "MemAvailable" in line:
            programs = "".join(f"program {name}\n" for name in ("podman", "gzip", "age", "age-keygen"))
            keys = "".join(f"key {key}\n" for key in self.keys)
            seen = f"{programs}image {IMAGE}\nmemory {2**40}\nfree {2**40}\n{keys}"
            return Result(seen, "", 0)
        return super().run(command, on_line)

    def open_channel(self, command: Command, *, combined: bool = True) -> paramiko.Channel:
        self._check()
        return super().open_channel(command, combined=combined)

    def fire(self) -> None:
        """What the host does by itself."""
        self.killed = False
        for words in self.timers:
            super().run(Command(words))


@dataclass
class World:
    """A site.

    Attributes:
        hosts: The hosts with a database.
        store: The store.
        site: The site.
        drills: What was verified.
        differences: What a drill finds.
        others: What else it works on.
    """

    hosts: list[DatabaseHost]
    store: Store
    site: Site
    runbook: str
    look: Callable[[Run, Request], Backup]
    procedure: Callable[[Steps, Backup], None]
    drills: list[Drill] = field(default_factory=list)
    differences: tuple[str, ...] = ()
    runs: int = 0
    others: list[Shell] = field(default_factory=list)

    @property
    def store_host(self) -> StoreHost:
        return cast("StoreHost", self.store.shell)

    def open(self) -> Run:
        """A run of the next night."""
        shells: dict[str, Shell] = {host.name: host for host in self.hosts}
        shells |= {"backup-node": self.store.shell} | {other.name: other for other in self.others}
        started = START + timedelta(days=self.runs)
        entry = journal(runbook=self.runbook, run_id=str(run_id(self.runs)), started=started)
        self.runs += 1
        return Run(self.runbook, self.site, shells, False, entry)

    def request(self, **changes: Any) -> Request:
        known: dict[str, Any] = {"methods": None, "documented_file": False, "bounds": BOUNDS}
        return Request(runbook=self.runbook, **(known | changes))

    def back_up(self, **changes: Any) -> tuple[Run, Backup]:
        """Back up, as a run does."""
        run = self.open()
        backup = self.look(run, self.request(**changes))
        run.begin(TakeUp(run.journal), str(UUID(run.journal.run_id)))
        try:
            self.procedure(run, backup)
            run.finish()
        finally:
            run.close()
        conclude(backup.name, backup.taken.outcomes)
        return run, backup

    def sets(self) -> list[str]:
        """What is on the store, whole."""
        catalogue = self.store.catalogue()
        assert catalogue.problems == ()
        assert catalogue.unlisted == ()
        return [stored.name.stamp for stored in catalogue.sets]

    def half_written(self) -> bool:
        return bool(self.store.catalogue().partial)

    def kill(self) -> None:
        """The worker and the flow's process get SIGKILL."""
        for host in self.hosts:
            host.killed = True
        self.store_host.killed = True

    def start_again(self) -> None:
        """The worker is there again."""
        for host in self.hosts:
            host.killed = False
        self.store_host.killed = False

    def fire_timers(self) -> None:
        """Ten minutes later."""
        for host in self.hosts:
            host.fire()
        self.store_host.fire()


def make_world(
    folder: Path,
    patch: pytest.MonkeyPatch,
    runbook: str,
    look: Callable[[Run, Request], Backup],
    procedure: Callable[[Steps, Backup], None],
) -> World:
    """A site whose databases are healthy.

    Args:
        folder: For the store and the hosts.
        patch: Takes back what is replaced: the drill, which has tests of its own.
        runbook: The runbook's name.
        look: Its preflight.
        procedure: Its steps.
    """
    (folder / "store").mkdir()
    (folder / "programs").mkdir()
    made = make_store(folder / "store")
    store = Store(StoreHost(folder / "programs"), made.settings, "lab")
    if runbook == "backup-undercloud":
        hosts = [DatabaseHost("undercloud", folder / "undercloud", "mysql", galera=False)]
    else:
        hosts = [
            DatabaseHost(name, folder / name, f"galera-bundle-podman-{number}", galera=True)
            for number, name in enumerate(HOSTS)
        ]
        hosts[0].clients = 31
    site = SITE.model_copy(
        update={
            "store": store.settings,
            "hosts": SITE.hosts | {"backup-node": "192.0.2.9"},
            "backup_node": "backup-node",
            "undercloud": "undercloud",
        }
    )
    world = World(hosts, store, site, runbook, look, procedure)

    def verify(steps: Steps, drill: Drill) -> list[Outcome]:
        steps.step("V1", "Restore the backup, and compare it with its manifest", [drill.shell], Change(()))
        if drill.manifest() is None:
            return []
        world.drills.append(drill)
        return [Outcome(drill.restores[0].database, "logical", 1.0, world.differences, ())]

    patch.setattr(tasks.runbooks.database_backup.proof, "verify", verify)
    return world
