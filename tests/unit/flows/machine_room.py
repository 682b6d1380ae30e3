"""Machines in memory: what restore-node does to them is what they are like afterwards.

Each has a disk, a BMC (`tests.redfish`) and, by what it has booted, one of two systems. The store and the undercloud outlive them.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from blocks.bmc import BmcAccess
from blocks.rear import RearSettings
from blocks.remote.bmc import Bmc
from blocks.remote.command import Command
from blocks.remote.connection import LineSink
from blocks.remote.errors import LoginRejected, Unreachable
from blocks.remote.shell import Result, Shell
from blocks.site import Host, Site
from blocks.store import BackupStore
from tasks.engine.progress import Progress
from tasks.rear.rescue import USER
from tests.redfish.in_process import ask_in_process
from tests.redfish.service import Answer, Body, Redfish
from tests.unit.fakes import FakeShell
from tests.unit.flows.cluster import Killed
from tests.unit.tasks.crm import Replica, nodes, pacemaker_1_1
from tests.unit.tasks.samples import HOSTS, SITE

GIB = 2**30
TIME = "20261127T020000Z"
UNIT = "tripleo_keystone.service"
CHANGING = ("POST", "PATCH")
COMPUTE = "compute-0"
_ID = "0c7c9e6e-8a9e-4b2c-9d9f-0a1b2c3d4e5f"
_LOG = "2026-11-27 03:04:05.678 91"
_END = f"{_LOG} INFO neutron_ovn_db_sync_util [-] Sync completed for Southbound db\n"
_PORT = f"{_LOG} WARNING networking_ovn.ovn_db_sync [req-5f] Port found in Neutron but not in OVN DB, port_id={_ID}\n"
_RULE = "+-----+\n"
CELLS = f"{_RULE}| UUID |\n{_RULE}| 00000000-0000-0000-0000-000000000000 |\n| {_ID} |\n{_RULE}"
# What OpenStack's own tools answer where all agrees, and where something differs.
SYNCED = Result(_END, "", 0), Result(f"{_PORT}{_END}", "", 0)
_MISSING = f"[dry-run] Create allocations for instance {_ID}: {{}}\n"
HEALED = Result("Processed 0 instances.\n", "", 4), Result(f"{_MISSING}Processed 0 instances.\n", "", 4)
_ORPHAN = (
    f"Allocations for consumer UUID {_ID} on Resource Provider {_ID} can be deleted: {{}}\nProcessed 1 allocation.\n"
)
AUDITED = Result("", "", 0), Result(_ORPHAN, "", 3)
MAPPED = tuple(
    Result(f"{_RULE}| Hostname |\n{_RULE}{row}{_RULE}", "", 0) for row in (f"| {COMPUTE}.localdomain |\n", "")
)


def run_of(name: str, time: str = TIME) -> str:
    return f"{name}/{time}"


def stored(name: str, time: str = TIME, whole: str = "yes") -> str:
    """What the store prints of an image."""
    head = f"{run_of(name, time)}\t{whole}\t{run_of(name, time)}/{name}.iso\t{3 * GIB}"
    told = [
        *(f"node\t{name}", f"run\t{run_of(name, time)}", "firmware\tBIOS", f"disk\t/dev/vda\t{6 * GIB}\tS-{name} "),
        *("config drive\t/dev/vda1", f"unit\t{UNIT}"),
    ]
    return "".join(f"{head}\t{line}\n" for line in told)


class Room:
    """The machines, and whoever works on them.

    Attributes:
        machines: By name.
        kill_at: The number of the change at which the flow's process dies; 0 for never.
        after: Whether that change takes effect still.
        changes: How many there were.
    """

    def __init__(
        self, patch: pytest.MonkeyPatch, folder: Path, with_bmc: tuple[str, ...] = (*HOSTS, "undercloud")
    ) -> None:
        self.kill_at, self.after, self.changes, self.dead = 0, True, 0, False
        self.ask: Callable[..., Bmc] = ask_in_process(patch, folder)
        self.undercloud, self.store = Undercloud(self), Store(self)
        self.machines = {name: Machine(self, name) for name in (*HOSTS, "undercloud")}
        self.with_bmc = with_bmc
        self.rear: dict[str, object] = {}
        self.kind = "nfs"
        patch.setattr(Progress, "_tell", lambda *_: None)  # it wants a server
        patch.setattr(Site, "shell", lambda _, host, user=None: self.shell(host, user))
        patch.setattr(Site, "bmc_of", lambda site, host: self.machines[host].client() if host in site.bmc else None)

    def shell(self, host: Host, user: str | None) -> Shell:
        machine = self.machines[host.name]
        return machine.rescue if user == USER else machine.own

    def site(self) -> Site:
        bmc = BmcAccess(address="192.0.2.200", user="operator", password_file=Path("/nonexistent"))
        return SITE.model_copy(
            update={
                "hosts": {**SITE.hosts, "backup-node": "192.0.2.100", COMPUTE: "192.0.2.50"},
                "roles": {**SITE.roles, "Controller": list(HOSTS), "nova_compute": [COMPUTE]},
                "undercloud": "undercloud",
                "backup_node": "backup-node",
                "store": BackupStore.model_validate(
                    {"kind": self.kind, "host": "192.0.2.100", "path": "/ctl_plane_backups"}
                ),
                "rear": RearSettings.model_validate(self.rear),
                "bmc": dict.fromkeys(self.with_bmc, bmc),
            }
        )

    def change(self, do: Callable[[], Any]) -> Any:
        """Make a change; the process that wants it may die before it or after it."""
        if self.dead:
            raise Killed
        self.changes += 1
        self.dead = self.changes == self.kill_at
        if self.dead and not self.after:
            raise Killed
        answer = do()
        if self.dead:
            raise Killed
        return answer


class RoomShell(FakeShell):
    """A shell in the room: dead once the flow's process is."""

    def __init__(self, room: Room, name: str) -> None:
        super().__init__(name)
        self.room = room

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        if self.room.dead:
            raise Killed
        return super().run(command, on_line)

    def order(self, *words: str, do: Callable[[Command], object]) -> None:
        """Say what an order does."""
        self.on(*words, say=lambda asked: str(self.room.change(lambda: do(asked)) or ""))


class Journals(RoomShell):
    """A host that keeps a journal."""

    def __init__(self, room: Room, name: str) -> None:
        super().__init__(room, name)
        self.journals: dict[str, str] = {}
        self.on("*.json", say=lambda _: "".join(f"{name}\t{text.strip()}\n" for name, text in self.journals.items()))
        self.order("cat >", "ln -f current.json", do=self._write)
        self.order("cat >", "rm -f current.json", do=self._close)

    def _write(self, asked: Command) -> None:
        self.journals["current.json"] = asked.stdin or ""

    def _close(self, asked: Command) -> None:
        self.journals[f"{len(self.journals)}.json"] = asked.stdin or ""
        self.journals.pop("current.json", None)


class Undercloud(Journals):
    """The undercloud, while it is not what is restored.

    Attributes:
        ironic: Node → why it is in maintenance; None where it is not.
        has_ironic: Whether there is any; an exception where it does not answer.
    """

    def __init__(self, room: Room) -> None:
        super().__init__(room, "undercloud")
        self.ironic: dict[str, str | None] = dict.fromkeys(HOSTS)
        self.has_ironic: bool | Exception = True
        self.on("baremetal node list", say=self._list)
        self.order("maintenance set", do=lambda asked: self.ironic.update({asked.words[-1]: asked.words[-2]}))
        self.order("maintenance unset", do=lambda asked: self.ironic.update({asked.words[-1]: None}))

    def _list(self, _: Command) -> str | Exception:
        if not isinstance(self.has_ironic, bool):
            return self.has_ironic
        rows: list[dict[str, object]] = [
            {"UUID": name, "Name": name, "Maintenance": bool(why), "Maintenance Reason": why, "Instance Info": {}}
            for name, why in self.ironic.items()
        ]
        return json.dumps(rows) if self.has_ironic else ""


class Store(Journals):
    """The store's host.

    Attributes:
        images: Node → what the store prints of its images.
        damaged: Images that are not what their sums say.
        listing: What it prints of the backups of the database.
    """

    def __init__(self, room: Room) -> None:
        super().__init__(room, "backup-node")
        self.images = {name: stored(name) for name in (*HOSTS, "undercloud")}
        self.damaged: set[str] = set()
        self.units: dict[str, int] = {}
        self.listing: str | Exception = ""
        self.on("catalogue/*.json", say=lambda _: self.listing)
        for name in self.images:
            self.on(f"openstack-runbooks-{name}.record", say=lambda _, name=name: self.images[name])
        self.on("systemctl show", say=self._state).on("tail -c", say="").on("systemctl stop", say=self._forget)
        self.order("systemd-run", "sha256sum", do=self._compare)

    def _unit(self, asked: Command) -> str:
        found = [word for line in asked.words for word in line.split() if word.endswith(".service")]
        return found[0].removeprefix("--unit=")

    def _compare(self, asked: Command) -> None:
        self.units[self._unit(asked)] = int(any(image in asked.words for image in self.damaged))

    def _state(self, asked: Command) -> str:
        code = self.units.get(self._unit(asked))
        if code is None:
            return "LoadState=not-found\nActiveState=inactive\n"
        result = "exit-code" if code else "success"
        return f"LoadState=loaded\nActiveState=active\nSubState=exited\nResult={result}\nExecMainStatus={code}\nLogSize=0\n"

    def _forget(self, asked: Command) -> str:
        self.units.pop(self._unit(asked), None)
        return ""


@dataclass
class Recovering:
    """`rear recover` in a rescue system.

    Attributes:
        state: absent, running, ended.
        looks: How often it is looked at until it has ended.
    """

    state: str = "absent"
    looks: int = 0
    code: int = 0
    log: str = "Disk layout created.\nRestoring from '/x'\n"
    ended: str = "Finished recovering your system. You can explore it under '/mnt/local'.\n"


class Machine:
    """A machine.

    Attributes:
        disk: What is on its disk: `old`, `half`, `image` (without a config drive), `whole`, or nothing ("").
        system: What it has booted: `own`, `rescue`, or nothing ("").
        service: Its BMC.
        boots: How often it has booted its ISO.
        job: `rear recover`.
        fails: What `rear recover` ends with; 0: well.
        disks: What it says of its disks.
        uuid: Its UUID.
        deaf: Whether its rescue system never answers.
        replicas: What Pacemaker says of the database there.
        failed: Whether fencing has failed.
        lost: Whether Galera comes back by no clean-up either.
        bootable: What its disk must hold for it to boot.
        standby: Whether Pacemaker has it in standby.
        containers: Those of the services that are asked for what must agree.
        differing: What does not agree, as `repair` calls it.
        mended: What was repaired.
        protected: Whether its other disks are read-only.
    """

    def __init__(self, room: Room, name: str) -> None:
        self.room, self.name = room, name
        self.disk, self.system = "", ""
        self.service = Redfish(
            power="Off", booted=self._boot, uuid=f"38947555-7742-3448-3784-82334782{sum(name.encode()):04d}"
        )
        self.boots, self.run = 0, run_of(name)
        self.job = Recovering()
        self.fails = 0
        self.question = ""
        self.uuid = self.service.uuid
        self.disks = f"disk\t/dev/vda\t{6 * GIB}\tNEW-{name} \n"
        self.deaf = False
        # The document writes config drives of Controllers alone.
        self.bootable = "whole" if name in HOSTS else "image"
        self.replicas, self.failed, self.lost = [Replica()] * 3, False, False
        self.standby = self.protected = False
        self.containers, self.differing = "neutron_api\nnova_api\n", set[str]()
        self.mended: list[str] = []
        self.own, self.rescue = RoomShell(room, name), RoomShell(room, name)
        handle = self.service.handle
        self.service.handle = lambda *asked: self._asked(handle, *asked)  # type: ignore[method-assign]
        self._own_system()
        self._services()
        self._rescue_system()

    def client(self) -> Bmc:
        return self.room.ask(self.service, f"{self.name}'s BMC")

    def _asked(self, handle: Callable[..., Answer], method: str, path: str, headers: Any, body: Body | None) -> Answer:
        changes = method in CHANGING and not path.endswith("/Sessions")
        if self.room.dead:
            raise Killed
        if changes:
            answer: Answer = self.room.change(lambda: handle(method, path, headers, body))
            if self.service.power == "Off":
                self._lose_power()
            return answer
        return handle(method, path, headers, body)

    def _lose_power(self) -> None:
        self.system, self.protected = "", False
        self.job = Recovering()

    def _boot(self, from_cd: bool) -> None:
        self.job = Recovering()
        if from_cd:
            self.boots += 1
            self.system = "rescue"
        else:
            self.system = "own" if self.disk in {"old", "whole", self.bootable} else ""

    # -- its own system

    def _own_system(self) -> None:
        shell = self.own
        shell.on("test -e /etc/rear-release", say=lambda _: self._answers("own", 1))
        units = f"{UNIT} loaded active running x\n"
        shell.on("list-units", say=lambda _: self._answers("own", units)).on("podman ps", say="")
        shell.on("crm_mon", say=lambda _: self._answers("own", self._status())).on("cibadmin", say="<bundle/>")
        shell.order("pcs node unstandby", do=lambda _: setattr(self, "standby", False))
        shell.order("pcs resource cleanup", do=lambda _: self._clean_up())
        shell.order("pcs stonith history cleanup", do=lambda _: setattr(self, "failed", False))

    def _clean_up(self) -> None:
        self.replicas = self.replicas if self.lost else [Replica()] * 3

    def _services(self) -> None:
        shell = self.own
        shell.on("container ls", say=lambda _: self._answers("own", self.containers))
        shell.on("State.Status", say="running\n")
        orders = {"ovn": "sync_mode repair", "allocations": "heal_allocations", "orphaned-allocations": "audit"}
        for key, words in {**orders, "cells": "discover_hosts"}.items():
            shell.on(words, say=lambda _, key=key: self.room.change(lambda: self._mend(key)))
        shell.on("sync_mode log", say=lambda _: self._compared("ovn", *SYNCED))
        shell.on("heal_allocations", "--dry-run", say=lambda _: self._compared("allocations", *HEALED))
        shell.on("audit --verbose", say=lambda _: self._compared("orphaned-allocations", *AUDITED))
        shell.on("audit", "--delete", say=lambda _: self.room.change(lambda: self._mend("orphaned-allocations")))
        shell.on("list_cells", say=CELLS)
        shell.on("list_hosts", say=lambda _: self._compared("cells", *MAPPED))

    def _compared(self, key: str, agrees: Result, differs: Result) -> Result:
        return differs if key in self.differing else agrees

    def _mend(self, key: str) -> Result:
        self.differing.discard(key)
        self.mended.append(key)
        return SYNCED[0] if key == "ovn" else Result("", "", 0)

    def _status(self) -> str:
        text = pacemaker_1_1(self.replicas)
        failures = (
            ""
            if all(each.role == "Promoted" for each in self.replicas)
            else '<failures><failure op_key="x"/></failures>'
        )
        fencing = '<fence_history><fence_event status="failed"/></fence_history>' if self.failed else ""
        text = text.replace("</crm_mon>", f"{failures}{fencing}</crm_mon>")
        return text.replace(nodes(), nodes(3, {self.name: 'standby="true"'})) if self.standby else text

    def _answers(self, system: str, answer: str | int) -> str | int | Exception:
        if self.system == system:
            return answer
        if self.system:
            return LoginRejected(self.name, "another system is there")
        return Unreachable(self.name, "no route to host")

    # -- its rescue system

    def _rescue_system(self) -> None:
        shell = self.rescue
        shell.on("rear-release", say=lambda _: self._rescue_answers(self._describe()))
        shell.on("each_other echo", say=lambda _: self._rescue_answers("" if self.protected else "/dev/vdb\n"))
        shell.order("blockdev --setro", do=lambda _: setattr(self, "protected", True))
        shell.on("lvm pvs", say=lambda _: self._rescue_answers(""))
        shell.on("echo absent 0", say=lambda asked: self._rescue_answers(self._look_at_job(asked)))
        shell.on("md5sum", say=lambda _: self._rescue_answers(0 if self.disk == "whole" else 1))
        shell.on("bash", "true", say=lambda _: self._rescue_answers(""))
        shell.order("mkfifo", do=lambda _: self._recover())
        shell.order("kill", do=lambda _: setattr(self.job, "state", "ended"))
        shell.order("dd if=", do=lambda _: self._write_config_drive())
        shell.order("poweroff", do=lambda _: self._power_off())

    def _rescue_answers(self, answer: str | int) -> str | int | Exception:
        if self.deaf and self.system == "rescue":
            return Unreachable(self.name, "no route to host")
        return self._answers("rescue", answer)

    def _describe(self) -> str:
        return f"rescue\nrun\t{self.run}\nuuid\t{self.uuid}\nlayout\t/dev/vda\t{6 * GIB}\n{self.disks}"

    def _recover(self) -> None:
        assert self.system == "rescue"
        assert self.job.state != "running", "two of them on one disk"
        assert self.protected, "while other disks can be written to"
        self.job = Recovering("running", code=self.fails)
        self.disk = "half"

    def _look_at_job(self, asked: Command) -> str:
        job = self.job
        if job.state == "running":
            job.looks += 1
            if self.question:
                job.log += self.question
            elif job.looks > 2:
                job.state = "ended"
                job.log += job.ended if not job.code else "Mount command failed\n"
                self.disk = "image" if not job.code else "half"
        if job.state == "absent":
            return "absent 0\n"
        read = int(asked.words[-1])
        return f"{job.state} {len(job.log)} {job.code if job.state == 'ended' else ''}\n{job.log[read:]}"

    def _write_config_drive(self) -> None:
        assert self.disk in {"image", "whole"}, "before the disk is restored"
        self.disk = "whole"

    def _power_off(self) -> None:
        assert self.job.state != "running", "in the middle of rear recover"
        self.service.power = "Off"
        self._lose_power()
