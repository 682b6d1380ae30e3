"""Three controllers in memory: what restore-galera does to them is what they are like afterwards.

They know as little of MariaDB as the tests need: what is in a data directory, which server runs, who forms a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from blocks.remote.command import Command
from blocks.remote.connection import LineSink
from blocks.remote.shell import Result
from tasks.database import inventory
from tasks.database.dumps import dump_copy, grants_copy
from tasks.node.firewall import COMMENT
from tests.unit.fakes import FakeShell
from tests.unit.tasks.control_plane import (
    ACCEPTING,
    BLOCKING,
    DUMP_TEXT,
    GRANTS_TEXT,
    INVENTORY,
    VERSIONS,
    directory,
    names,
    resolved,
)
from tests.unit.tasks.crm import Replica, cib_address, cib_constraints, cib_nodes, in_cib, pacemaker_1_1
from tests.unit.tasks.samples import HOSTS


class Killed(BaseException):
    """The process that runs the flow is gone."""


@dataclass
class Cluster:
    """What the controllers share.

    Attributes:
        managed: Whether Pacemaker is in charge of the bundle.
        adopts: Whether it takes over a cluster that was formed by hand; one that it has started itself, it knows.
        by_itself: Whether it does so without being asked to look again.
        looks: Whether it happens to look at the containers while they are stopped.
        second_outages: How many databases it has started anew in spite of their running.
        kill_at: The number of the changing command at which the flow's process dies; 0 for never.
        after: Whether that command takes effect still.
    """

    managed: bool = True
    adopts: bool = True
    by_itself: bool = True
    looks: bool = False
    second_outages: int = 0
    kill_at: int = 0
    after: bool = False
    changes: int = 0
    dead: bool = False
    started: bool = False
    refreshed: bool = False
    nodes: list[Controller] = field(default_factory=list)

    @property
    def members(self) -> list[Controller]:
        return [node for node in self.nodes if node.server == "member"]

    @property
    def all_imported(self) -> bool:
        return all(node.data == "imported" for node in self.nodes)

    @property
    def knows(self) -> bool:
        """Whether Pacemaker knows of the cluster that runs."""
        return self.started or (self.adopts and (self.by_itself or self.refreshed))

    def manage(self) -> None:
        """Pacemaker starts what does not run, as it does after a restart."""
        self.managed = True
        self.second_outages += sum(node.seen_stopped and node.server == "member" for node in self.nodes)
        if not self.members:
            for node in self.nodes:
                node.running, node.server = True, "member"
            self.started = True


def make_cluster() -> Cluster:
    """Three controllers with a database that is broken: `original` on each."""
    cluster = Cluster()
    cluster.nodes = [Controller(number, cluster) for number in range(len(HOSTS))]
    return cluster


class Controller(FakeShell):
    """One controller.

    Attributes:
        data: What is in the data directory: `original`, nothing (""), `system` tables, the
            `dump` without its grants, all that was `imported`; None if there is none.
        kept: What lies in directories beside it.
        running: Whether the database's container runs.
        server: None, `alone` or `member`.
        password: Whether root has one.
        rules: How many rules block the clients.
        by_hand: How many rules do so that somebody has set by hand.
        units: State of each transient unit: `ended`, `failed`.
        files: Copies of the dump in the data directory.
        journals: Journal files.
        loads: What the dump is called.
        sleeping: Events that are as on a replica.
        loaded: What was loaded into the data directory since it was made.
        seen_stopped: Whether Pacemaker believes the container to be stopped.
    """

    def __init__(self, number: int, cluster: Cluster) -> None:
        super().__init__(HOSTS[number])
        self.cluster = cluster
        self.container = f"galera-bundle-podman-{number}"
        self.data: str | None = "original"
        self.kept: dict[str, str | None] = {}
        self.running, self.password, self.rules, self.by_hand = True, True, 0, 0
        self.server: str | None = None
        self.units: dict[str, str] = {}
        self.files: set[str] = set()
        self.seen_stopped = False
        self.loads = ""
        self.sleeping: tuple[str, ...] = ()
        self.loaded: list[str] = []
        self.journals: dict[str, str] = {}
        self._answer_questions()
        self._take_orders()

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        if self.cluster.dead:
            raise Killed
        return super().run(command, on_line)

    # -- questions

    def _answer_questions(self) -> None:
        self.on("tail -c", ".log", say="")
        self.on("systemctl --version", say=VERSIONS)
        self.on("mountpoint -q", say=lambda _: directory(saves=tuple(self.kept)))
        self.on("container ls", say=f"clustercheck\n{self.container}\n")
        self.on("State.Status", "--type=container", say=lambda _: "running\n" if self.running else "exited\n")
        self.on("pgrep", say=lambda _: "7\n" if self.server else "")
        self.on("iptables -w -C", say=lambda asked: 0 if self._stands(asked) else 1)
        self.on("iptables -w -S INPUT", say=lambda _: self._firewall())
        self.on("hostname", say=names(int(self.name[-1]))).on("getent", say=resolved)
        self.on("--scope nodes", say=cib_nodes()).on("--scope constraints", say=cib_constraints())
        self.on("IPaddr", say=cib_address())
        self.on("crm_mon", say=lambda _: self._crm_mon())
        self.on("test -e", say=lambda asked: 0 if asked.words[-1] in self.kept else 1)
        self.on("stat -c", "%u:%g", say="")
        self.on("mysqladmin", "ping", say=lambda _: 0 if self.server else 1)
        self.on("mysql --defaults", "--batch", say=self._sql)
        self.on(
            "podman exec",
            "clustercheck",
            say=lambda _: "Galera cluster node is synced.\n" if self.server == "member" else 1,
        )
        self.on("podman exec", " true", say=lambda asked: 0 if self.running or "clustercheck" in asked.words else 125)
        self.on("/dev/tcp", say=lambda _: "10\n" if self.cluster.members and not self.rules and not self.by_hand else 1)
        self.on("systemctl show", say=self._unit)
        self.on("*.json", say=lambda _: self._list_journals())

    def _stands(self, asked: Command) -> bool:
        return bool(self.rules if COMMENT in asked.words else self.by_hand)

    def _firewall(self) -> str:
        by_hand = "-A INPUT -d 172.16.2.99/32 -p tcp -m tcp --dport 3306 -j DROP\n"
        return by_hand * self.by_hand + (BLOCKING if self.rules else ACCEPTING)

    def _unblock(self, asked: Command) -> None:
        if COMMENT in asked.words:
            self.rules = 0
        else:
            self.by_hand = 0

    def _crm_mon(self) -> str:
        managed, promoted = self.cluster.managed, self.cluster.knows
        roles = ["Master" if node.server == "member" and promoted else "Slave" for node in self.cluster.nodes]
        believed = ["Stopped" if node.seen_stopped else "Started" for node in self.cluster.nodes]
        replicas = [Replica(role, managed=managed, container=seen) for role, seen in zip(roles, believed, strict=True)]
        return pacemaker_1_1(replicas, managed)

    def _sql(self, asked: Command) -> str | int:
        if self.server is None:
            return 1
        if asked.stdin == "SELECT 1":
            return 0 if self.password else 1
        if "from_table" in (asked.stdin or ""):
            login = "from_table\tUser\tHost\tplugin\tauthentication_string\n"
            return f"{login}user\tnova\t%\t\t*81F5E21E35407D884A6CD4A731AEBFB6AF209E1B\nuser\troot\tlocalhost\t\t\n"
        if asked.stdin == inventory._SQL:
            return INVENTORY
        if "SLAVESIDE_DISABLED" in (asked.stdin or ""):
            return "".join(f"{event}\n" for event in self.sleeping)
        state, status = ("Synced", "Primary") if self.server == "member" else ("Initialized", "Disconnected")
        return (
            f"wsrep_local_state_comment\t{state}\nwsrep_cluster_status\t{status}\n"
            f"wsrep_cluster_size\t{len(self.cluster.members)}\nwsrep_cluster_state_uuid\tone\n"
        )

    def _unit(self, asked: Command) -> str:
        state = self.units.get(next(word for word in asked.words if word.endswith(".service")))
        if state is None:
            return "LoadState=not-found\nActiveState=inactive\n"
        result = "success\nActiveState=active\nSubState=exited" if state == "ended" else "exit-code\nActiveState=failed"
        return f"LoadState=loaded\nExecMainStatus={0 if state == 'ended' else 1}\nResult={result}\n"

    # -- orders

    def order(self, *words: str, do: object) -> None:
        """Say what an order does; the process that gave it may die before it or after it."""

        def obey(asked: Command) -> str | int:
            self.cluster.changes += 1
            dies = self.cluster.changes == self.cluster.kill_at
            if dies and not self.cluster.after:
                self.cluster.dead = True
                raise Killed
            answer = do(asked)  # type: ignore[operator]
            if dies:
                self.cluster.dead = True
                raise Killed
            return answer if isinstance(answer, int) else ""

        self.on(*words, say=obey)

    def _take_orders(self) -> None:
        self.order("iptables -w -I", do=lambda _: self._set(rules=self.rules + 1))
        self.order("-w -D INPUT", do=self._unblock)
        self.order("pcs resource unmanage", do=lambda _: setattr(self.cluster, "managed", False))
        self.order("pcs resource manage", do=lambda _: self.cluster.manage())
        self.on("cibadmin", "//bundle", say=lambda _: in_cib() if self.cluster.managed else in_cib("false", "false"))
        self.order("crm_resource --refresh", do=lambda _: self._set(seen_stopped=not self.running))
        self.order("crm_simulate", do=lambda _: None)
        self.order("pcs resource refresh", do=lambda _: setattr(self.cluster, "refreshed", True))
        self.order("container stop", self.container, do=lambda _: self.stop())
        self.order("container start", self.container, do=lambda _: self._set(running=True))
        self.order("container restart", self.container, do=lambda _: self._set(server=None))
        self.order("tripleo_", "bash clustercheck", do=lambda _: None)
        self.order("mv -T", do=self._keep)
        self.order("mkdir -p", do=lambda _: self._set(data=self.data or ""))
        for word in ("chown", "chmod", "chcon", "install -d -o mysql", "/root/.my.cnf.bck"):
            self.order(word, do=lambda _: None)
        self.order("mysqladmin", "shutdown", do=self._shut_down)
        self.order("kill -TERM", "for _ in $(seq", do=lambda _: self._set(server=None))
        self.order("grastate.dat", do=lambda _: None)
        self.order("mysqld_safe", "--skip-networking", do=self._start_alone)
        self.order("mysqld_safe", "--wsrep-cluster-address", do=self._start_member)
        self.order("mysql --no-defaults", do=self._set_password)
        self.order("mysql --defaults", "-i", do=lambda _: None if self.server else 1)
        self.on("mysql --defaults", "--batch", say=self._sql)
        self.order("install -m 600 /home", do=lambda asked: self.files.add(asked.words[-1]))
        self.order("rm -f -- ", do=self._remove)
        self.order("systemd-run --quiet", "openstack-runbooks-cleanup", do=lambda _: None)
        self.order("systemd-run --quiet", "mysql_install_db", do=self._create)
        self.order("systemd-run --quiet", "restore-galera-load", do=self._load)
        self.order("systemd-run --quiet", "restore-galera-grant", do=self._grant)
        self.order("systemctl stop", do=self._forget)
        self.order("-mindepth 1 -delete", do=self._discard)
        self.order("cat >", "ln -f current.json", do=self._write_journal)
        self.order("cat >", "rm -f current.json", do=self._close_journal)

    def _set(self, **changes: object) -> None:
        for name, value in changes.items():
            setattr(self, name, value)

    def stop(self) -> None:
        """The container stops, with all that runs in it."""
        self.running, self.server, self.seen_stopped = False, None, self.cluster.looks

    def _keep(self, asked: Command) -> int:
        kept = asked.words[-1]
        if kept in self.kept:
            return 17
        self.kept[kept], self.data, self.loaded = self.data, None, []
        return 0

    def _discard(self, asked: Command) -> int:
        *_, kept, runbook = asked.words
        if kept not in self.kept:
            return 1
        assert self.server is None, "data is discarded under a running server"
        self.data, self.loaded = None, []
        self.files.clear()
        if runbook == "restore-galera":
            self.units.clear()
        return 0

    def _shut_down(self, _: Command) -> int:
        was, self.server = self.server, None
        return 0 if was else 1

    def _start_alone(self, _: Command) -> int:
        if not self.running or not self.data:
            return 0  # mysqld_safe is detached: its failure is seen by waiting
        self.server = "alone"
        return 0

    def _start_member(self, asked: Command) -> int:
        if not self.running or not self.data:
            return 0
        if asked.words[-1].endswith("gcomm://"):
            assert not self.cluster.members, "a second cluster is founded beside a living member"
        elif self.cluster.members:
            self.data = self.cluster.members[0].data
        else:
            return 0
        self.server = "member"
        return 0

    def _set_password(self, _: Command) -> int:
        self.password = self.server == "alone"
        return 0 if self.password else 1

    def _unit_ends(self, asked: Command, well: bool) -> bool:
        """A unit runs and ends."""
        unit = next(word for word in asked.words if word.startswith("--unit=")).removeprefix("--unit=")
        assert unit not in self.units, "systemd refuses a unit that it has"
        self.units[unit] = "ended" if well else "failed"
        return well

    def _create(self, asked: Command) -> int:
        if self._unit_ends(asked, self.running and self.data is not None) and self.data == "":
            self.data, self.password = "system", False
        return 0

    def _load(self, asked: Command) -> int:
        if self._unit_ends(asked, self.server == "alone" and dump_copy("/var/lib/mysql") in self.files):
            self.data = "dump"
            self.loaded.append(self.loads)
        return 0

    def _grant(self, asked: Command) -> int:
        if (
            self._unit_ends(asked, self.server == "alone" and grants_copy("/var/lib/mysql") in self.files)
            and self.data == "dump"
        ):
            self.data = "imported"
        return 0

    def _forget(self, asked: Command) -> int:
        line = " ".join(asked.words)
        self.units = {unit: state for unit, state in self.units.items() if unit not in line}
        return 0

    def _remove(self, asked: Command) -> int:
        self.files -= set(asked.words)
        return 0

    def _write_journal(self, asked: Command) -> int:
        self.journals["current.json"] = asked.stdin or ""
        return 0

    def _close_journal(self, asked: Command) -> int:
        self.journals["closed.json"] = self.journals.get("closed.json", "") + (asked.stdin or "")
        self.journals.pop("current.json", None)
        return 0

    def _list_journals(self) -> str:
        closed = self.journals.get("closed.json", "").splitlines()
        named = [(f"{number}.json", line) for number, line in enumerate(closed)]
        if "current.json" in self.journals:
            named.append(("current.json", self.journals["current.json"].strip()))
        return "".join(f"{name}\t{line}\n" for name, line in named)


__all__ = ["DUMP_TEXT", "GRANTS_TEXT", "Cluster", "Controller", "Killed", "make_cluster"]
