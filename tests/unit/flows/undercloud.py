"""An undercloud in memory: what restore-undercloud-database does to it is what it is like afterwards."""

from __future__ import annotations

import shlex

from blocks.remote.command import Command
from blocks.remote.connection import LineSink
from blocks.remote.shell import Result
from tasks.database import inventory
from tasks.database.dumps import dump_copy
from tests.unit.fakes import FakeShell
from tests.unit.flows.cluster import Killed
from tests.unit.tasks.control_plane import GIB, PASSWORD, VERSIONS, directory, give_file

DUMP = "/root/undercloud-all-databases.sql"
DUMP_TEXT = (
    "-- MariaDB dump 10.17  Distrib 10.3.28-MariaDB, for Linux (x86_64)\n-- Server version\t10.3.28-MariaDB\n"
    "CREATE DATABASE `keystone`;\nUSE `keystone`;\nCREATE TABLE `user` (`id` int);\nINSERT INTO `user` VALUES (1);\n"
    "CREATE DATABASE /*!32312 IF NOT EXISTS*/ `mysql`;\nUSE `mysql`;\nCREATE TABLE `user` (`Host` char(60));\n"
    "INSERT INTO `user` VALUES ('localhost');\n-- Dump completed on 2026-11-21 12:00:00\n"
)
IMAGE = "sha256:0123456789abcdef"
INVENTORY = "schema\tkeystone\t\t0\ntable\tkeystone\tuser\t1\nend\t\t\t0\n"
TIMER = "tripleo_keystone_healthcheck.timer"
UNITS = ("tripleo_keystone.service", "tripleo_mysql.service", TIMER)
STRAY = "neutron-dnsmasq"
OURS = "openstack-runbooks-restore-undercloud-database"
_PREFIX = "tripleo_"


class Undercloud(FakeShell):
    """The undercloud.

    Attributes:
        data: What is in the data directory: `original`, nothing (""), `system` tables, the `dump`, a dump with the site's root
            password (`restored`), and one that services have `served`; None if there is none.
        kept: What lies in directories beside it.
        units: Unit of TripleO's → its state.
        containers: Container → whether it runs.
        broken_units: Units that do not start any more.
        mount_point: Whether the data directory is one.
        runs: Transient units: `ended`, `failed`.
        files: Copies of the dump in the data directory.
        journals: Journal files.
        kill_at: The number of the changing command at which the flow's process dies; 0 for never.
        after: Whether that command takes effect still.
    """

    def __init__(self) -> None:
        super().__init__("undercloud")
        self.data: str | None = "original"
        self.kept: dict[str, str | None] = {}
        self.units = {**dict.fromkeys(UNITS, "active"), "tripleo_keystone_healthcheck.service": "inactive"}
        self.containers = {"mysql": True, "keystone": True, STRAY: True, "old": False}
        self.broken_units: set[str] = set()
        self.mount_point = False
        self.runs: dict[str, str] = {}
        self.files: set[str] = set()
        self.journals: dict[str, str] = {}
        self.changes, self.kill_at, self.after, self.dead = 0, 0, False, False
        self._answer_questions()
        self._take_orders()

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        if self.dead:
            raise Killed
        return super().run(command, on_line)

    def reboot(self) -> None:
        """Power is lost: what ran in memory is gone, and what starts at boot is started."""
        self.runs = {}
        self.containers = {name: False for name in self.containers if not name.startswith(OURS)}
        self._start(*UNITS)

    # -- questions

    def _answer_questions(self) -> None:
        self.on("tail -c", ".log", say="").on("systemctl --version", say=VERSIONS)
        self.on("--version", "server", say="mysqld  Ver 10.3.28-MariaDB for Linux\n")
        self.on("--version", "program=", say="mysqld  Ver 10.3.28-MariaDB for Linux\n")
        self.on("systemctl --version", say=VERSIONS)
        self.on("mountpoint -q", say=lambda _: self._directory())
        self.on("container ls", say=lambda _: "\n".join(self.containers))
        self.on("podman ps", say=lambda _: "\n".join(name for name, runs in self.containers.items() if runs))
        self.on("--type=container", "{{.Image}}", say=f"{IMAGE}\n").on("image exists", say="")
        self.on(
            "--type=container", "State.Status", say=lambda _: "running\n" if self.containers["mysql"] else "exited\n"
        )
        self.on(
            "list-units", say=lambda _: "".join(f"{unit} loaded {state} x x\n" for unit, state in self.units.items())
        )
        self.on("hiera", "root_password", say=f"{PASSWORD}\n")
        self.on("test -e", say=lambda asked: 0 if asked.words[-1] in self.kept else 1)
        self.on("mysqladmin", "ping", say=lambda _: 0 if self.containers.get(OURS) else 1)
        self.on("pgrep", say=lambda _: "7\n" if self.containers["mysql"] else "")
        self.on("mysql --defaults", "--batch", say=self._sql)
        self.on("systemctl show", say=self._unit)
        self.on("*.json", say=lambda _: "".join(f"{name}\t{text.strip()}\n" for name, text in self.journals.items()))
        give_file(self, DUMP, DUMP_TEXT)

    def _directory(self) -> str:
        return directory(mount=self.mount_point, saves=tuple(self.kept)) + f"within {100 * GIB}\n"

    def _sql(self, asked: Command) -> str | int:
        if not self.containers["mysql"]:
            return 1
        if asked.stdin == inventory._SQL:
            return INVENTORY
        return 0 if self.data in {"original", "restored", "served"} else 1

    def _unit(self, asked: Command) -> str:
        state = self.runs.get(next(word for word in asked.words if word.endswith(".service")))
        if state is None:
            return "LoadState=not-found\nActiveState=inactive\n"
        result = "success\nActiveState=active\nSubState=exited" if state == "ended" else "exit-code\nActiveState=failed"
        return f"LoadState=loaded\nExecMainStatus={0 if state == 'ended' else 1}\nResult={result}\n"

    # -- orders

    def order(self, *words: str, do: object) -> None:
        """Say what an order does; the process that gave it may die before it or after it."""

        def obey(asked: Command) -> str | int:
            self.changes += 1
            self.dead = self.changes == self.kill_at
            if self.dead and not self.after:
                raise Killed
            answer = do(asked)  # type: ignore[operator]
            if self.dead:
                raise Killed
            return answer if isinstance(answer, int) else ""

        self.on(*words, say=obey)

    def _take_orders(self) -> None:
        self.order("systemctl stop", do=self._forget)
        self.order("systemctl stop", f"{_PREFIX}*", do=self._stop)
        self.order("systemctl reset-failed tripleo_", do=lambda _: None)
        self.order("systemctl start --no-block", do=lambda asked: self._start(*asked.words[3:]))
        self.order("container start", do=lambda asked: self._start_containers(*asked.words[3:]))
        self.order("systemctl cat", "container start", do=lambda asked: self._start(asked.words[-2]))
        self.order("mapfile", "container stop", do=self._stop_containers)
        self.order("mv -T", do=self._keep)
        self.order("rm -f -- ", do=lambda asked: self.files.difference_update(asked.words))
        self.order("-mindepth 1 -delete", do=self._discard)
        self.order("mkdir -p", do=lambda _: setattr(self, "data", self.data or ""))
        for word in ("chown", "chmod", "chcon"):
            self.order(word, do=lambda _: None)
        self.order("podman rm --force", do=lambda asked: self.containers.pop(asked.words[-1], None) and None)
        self.order("install -m 600 /root", do=lambda asked: self.files.add(asked.words[-1]))
        self.order("podman run", "--detach", do=self._start_importing)
        self.order("Shutdown complete", do=lambda _: self.containers.pop(OURS, None) and None)
        self.order("--bootstrap", do=self._set_password)
        self.order("systemd-run --quiet", "openstack-runbooks-cleanup", do=lambda _: None)
        self.order("systemd-run --quiet", "mysql_install_db", do=self._create)
        self.order("systemd-run --quiet", f"{OURS}-load", do=self._load)
        self.order("systemd-run --quiet", f"{OURS}-keep", do=self._copy)
        self.order("cat >", "ln -f current.json", do=self._write_journal)
        self.order("cat >", "rm -f current.json", do=self._close_journal)

    def _stop(self, asked: Command) -> None:
        timers = asked.words[-1].endswith(".timer")
        for unit in self.units:
            if not timers or unit.endswith(".timer"):
                self.units[unit] = "inactive"
                self._set_container(unit, False)

    def _set_container(self, unit: str, runs: bool) -> None:
        name = unit.removeprefix(_PREFIX).removesuffix(".service")
        if name in self.containers:
            self.containers[name] = runs

    def _start(self, *units: str) -> None:
        for unit in UNITS if units == ("multi-user.target",) else units:
            works = unit not in self.broken_units and (unit != "tripleo_mysql.service" or bool(self.data))
            self.units[unit] = "active" if works else "failed"
            self._set_container(unit, works)
            if works and unit == "tripleo_mysql.service":
                self._serve()

    def _serve(self) -> None:
        """The service's database runs: what lies in its directory, clients have written to."""
        if self.data != "original":
            self.data = "served" if self.data in {"restored", "served"} else f"served {self.data}"

    def _start_containers(self, *names: str) -> None:
        self.containers.update(dict.fromkeys(names, True))

    def _stop_containers(self, _: Command) -> None:
        self.containers = {name: runs and name.startswith(OURS) for name, runs in self.containers.items()}

    def _at_rest(self) -> None:
        assert not any(self.containers.values()), f"data is moved under a running server: {self.containers}"

    def _keep(self, asked: Command) -> int:
        self._at_rest()
        kept = asked.words[-1]
        if kept in self.kept:
            return 17
        self.kept[kept], self.data = self.data, None
        return 0

    def _copy(self, asked: Command) -> None:
        self._at_rest()
        self._ends(asked, True)
        self.kept[asked.words[-1]] = self.data

    def _discard(self, asked: Command) -> int:
        self._at_rest()
        if asked.words[-2] not in self.kept:
            return 17
        assert self.data in {None, "", "system", "dump", "restored"} or self.mount_point, f"{self.data} is discarded"
        self.data = "" if self.data is not None else None
        self.runs.clear()
        self.files.clear()
        return 0

    def _ends(self, asked: Command, well: bool) -> bool:
        unit = next(word for word in asked.words if word.startswith("--unit=")).removeprefix("--unit=")
        assert unit not in self.runs, "systemd refuses a unit that it has"
        self.runs[unit] = "ended" if well else "failed"
        return well

    def _create(self, asked: Command) -> None:
        if self._ends(asked, self.data == ""):
            self.data = "system"

    def _start_importing(self, _: Command) -> int:
        self._at_rest()
        assert OURS not in self.containers, "podman refuses a name that it has"
        self.containers[OURS] = True
        return 0

    def _load(self, asked: Command) -> None:
        if self._ends(asked, bool(self.containers.get(OURS)) and dump_copy("/var/lib/mysql") in self.files):
            assert self.data == "system", f"a dump is loaded over {self.data}"
            self.data = "dump"

    def _set_password(self, asked: Command) -> int:
        self._at_rest()
        assert PASSWORD.encode().hex() in (asked.stdin or "")
        self.data = "restored" if self.data in {"dump", "restored"} else self.data
        return 0

    def _forget(self, asked: Command) -> None:
        line = shlex.join(asked.words)
        self.runs = {unit: state for unit, state in self.runs.items() if unit not in line}

    def _write_journal(self, asked: Command) -> None:
        self.journals["current.json"] = asked.stdin or ""

    def _close_journal(self, asked: Command) -> None:
        self.journals[f"{len(self.journals)}.json"] = asked.stdin or ""
        self.journals.pop("current.json", None)
