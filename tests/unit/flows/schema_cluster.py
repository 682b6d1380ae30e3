"""A Galera cluster in memory that serves: schemas in it, a server beside it that holds a backup, and who dies when."""

from __future__ import annotations

from dataclasses import dataclass, field

from blocks.remote.command import Command
from blocks.remote.connection import LineSink
from blocks.remote.shell import Result, Shell
from tasks.database.contents import SchemaContents, ServerContents, TableContents
from tasks.database.mariadb import Server
from tasks.database.schema_scripts import COPY, DEFINE, DROP, SWITCH
from tasks.runbooks.restore_schemas.job import NAME
from tests.unit.fakes import FakeShell
from tests.unit.flows.cluster import Killed
from tests.unit.tasks.control_plane import VERSIONS, directory
from tests.unit.tasks.samples import HOSTS

IMAGE = "sha256:0a1b"
THROWAWAY = f"openstack-runbooks-{NAME}-copy"
LOADED = "milliseconds\t1\ncodes\t0 0 0 0\nsha256\t0\nlast line\t-- Dump completed on x\nerror\t\n"
RESTORED = ("nova", "keystone")


def schema(rows: int, *views: str) -> SchemaContents:
    """A schema with so many instances, and some views."""
    table = TableContents(engine="InnoDB", rows=rows, content=str(rows))
    programs = {"view": dict.fromkeys(views, "0a")} if views else {}
    return SchemaContents(charset="utf8", collation="utf8_general_ci", tables={"instances": table}, programs=programs)


BACKUP = ServerContents(
    version="10.3.28-MariaDB", schemas={"nova": schema(7, "active"), "keystone": schema(5), "glance": schema(1)}
)
# What has become of it.
TODAY = {"nova": schema(3, "of_today"), "keystone": schema(9), "glance": schema(2)}


@dataclass
class ServingCluster:
    """What is in the cluster and beside it.

    Attributes:
        schemas: Name → what is in it.
        kept: Schemas that hold the table which says that others have changed places.
        throwaway: What the server beside it holds: nothing (None), `started`, `fetched`, `dump` or `grants`.
        written: Files with definitions → the views in them.
        units: Units that have ended, and whose end nobody has read.
        lost: Views that were taken off and of which no file tells.
        kill_at: The number of the change at which the flow's process dies; 0 for never.
        after: Whether that change takes effect still.
    """

    schemas: dict[str, SchemaContents] = field(default_factory=lambda: dict(TODAY))
    kept: set[str] = field(default_factory=set)
    throwaway: str | None = None
    written: dict[str, set[str]] = field(default_factory=dict)
    units: set[str] = field(default_factory=set)
    journals: dict[str, str] = field(default_factory=dict)
    ddl: str = ""
    keys: str = ""
    free: int = 2**40
    kill_at: int = 0
    after: bool = False
    changes: int = 0
    dead: bool = False
    nodes: list[Node] = field(default_factory=list)

    @property
    def first(self) -> Node:
        return self.nodes[0]


def make_serving_cluster() -> ServingCluster:
    """Three nodes that are Synced."""
    cluster = ServingCluster()
    cluster.nodes = [Node(number, cluster) for number in range(len(HOSTS))]
    return cluster


class Node(FakeShell):
    """One node."""

    def __init__(self, number: int, cluster: ServingCluster) -> None:
        super().__init__(HOSTS[number])
        self.cluster = cluster
        self.status = "Synced"
        self.container = f"galera-bundle-podman-{number}"
        self.on("container ls", say=f"clustercheck\n{self.container}\n")
        self.on("State.Status", "--type=container", say="running\n")
        self.on("mountpoint -q", say=lambda _: directory(free=cluster.free))
        self.on("{{.Image}}", say=f"{IMAGE}\n").on("image exists", say="")
        self.on("--version", say="mysqld  Ver 10.3.28-MariaDB for Linux\n")
        self.on("systemctl --version", say=VERSIONS)
        self.on('command -v "$p"', say="zstd\ngzip\n")
        self.on("mysql --defaults", "--batch", say=self._sql)
        self.on("mysqladmin", THROWAWAY, say=lambda _: 0 if cluster.throwaway else 125)
        self.on("cat ", "/loaded-", say=LOADED)
        self.on('[ -f "$1" ] || exit 3', say=3)
        self.on('[ -e "$1" ] && printf', say=1)
        self.on("drill.log", say="").on("tail -c", ".log", say="")
        self.on("systemctl show", say=self._unit)
        self.on("*.json", say=lambda _: "".join(f"{name}\t{text}\n" for name, text in cluster.journals.items()))
        self._take_orders()

    def run(self, command: Command, on_line: LineSink | None = None) -> Result:
        if self.cluster.dead:
            raise Killed
        return super().run(command, on_line)

    # -- questions

    def _sql(self, asked: Command) -> str:
        sql = asked.stdin or ""
        if "wsrep_cluster_status" in sql:
            return (
                f"wsrep_local_state_comment\t{self.status}\nwsrep_cluster_status\tPrimary\n"
                "wsrep_cluster_size\t3\nwsrep_cluster_state_uuid\tone\n"
            )
        if "'mark'" in sql:
            told = [f"schema\t{name}\t\t\n" for name in self.cluster.schemas]
            told += [f"mark\t{name}\t\t\n" for name in self.cluster.kept]
            return "".join([*told, self.cluster.keys, self.cluster.ddl, "end\t\t\t\n"])
        return ""  # no definer is missing; the node has caught up

    def _unit(self, asked: Command) -> str:
        unit = next(word for word in asked.words if word.endswith(".service"))
        if unit not in self.cluster.units:
            return "LoadState=not-found\nActiveState=inactive\n"
        return "LoadState=loaded\nExecMainStatus=0\nResult=success\nActiveState=active\nSubState=exited\n"

    # -- orders

    def _order(self, *words: str, do: object) -> None:
        def obey(asked: Command) -> str | int:
            cluster = self.cluster
            cluster.changes += 1
            dies = cluster.changes == cluster.kill_at
            if not dies or cluster.after:
                answer = do(asked)  # type: ignore[operator]
            if dies:
                cluster.dead = True
                raise Killed
            return answer if isinstance(answer, int) else ""

        self.on(*words, say=obey)

    def _take_orders(self) -> None:
        cluster = self.cluster
        self._order("podman run", "--detach", THROWAWAY, do=lambda _: self._throw("started", None))
        self._order("sha256sum", 'tee -- "$1.new"', do=lambda _: self._throw("fetched", "started", "fetched"))
        self._order("mv -T", "/overcloud", do=lambda _: None)
        self._order(f"install -d -m 700 /var/lib/mysql-{NAME}", do=lambda _: None)
        self._order("systemd-run --quiet", f"{NAME}-dump", do=self._ends(lambda _: self._throw("dump", "fetched")))
        self._order("systemd-run --quiet", f"{NAME}-grants", do=self._ends(lambda _: self._throw("grants", "dump")))
        self._order("systemd-run --quiet", _words(COPY), do=self._ends(self._copy))
        self._order("systemd-run --quiet", _words(DEFINE), do=self._ends(self._define))
        self._order("systemd-run --quiet", _words(SWITCH), do=self._ends(self._switch))
        self._order("systemctl stop openstack", do=lambda asked: cluster.units.discard(asked.words[-2].split()[2][:-1]))
        self._order(DROP, do=self._drop_schemas)
        self._order("podman rm --force", THROWAWAY, do=self._remove)
        self._order("systemd-run --quiet", "openstack-runbooks-cleanup", do=lambda _: None)
        self._order("systemctl stop openstack-runbooks-cleanup", do=lambda _: None)
        self._order("cat >", "ln -f current.json", do=lambda asked: self._journal("current.json", asked))
        self._order("cat >", "rm -f current.json", do=self._close)

    def _throw(self, state: str, *before: str | None) -> None:
        assert self.cluster.throwaway in before, f"{state} after {self.cluster.throwaway}"
        self.cluster.throwaway = state

    def _ends(self, do: object) -> object:
        """A unit runs and ends."""

        def run(asked: Command) -> None:
            unit = next(word for word in asked.words if word.startswith("--unit=")).removeprefix("--unit=")
            assert unit not in self.cluster.units, "systemd refuses a unit that it has"
            self.cluster.units.add(unit)
            do(_arguments(asked))  # type: ignore[operator]

        return run

    def _copy(self, words: list[str]) -> None:
        assert self.cluster.throwaway == "grants"
        name, new = words[5], words[6]
        self.cluster.schemas[new] = BACKUP.schemas[name].model_copy(update={"programs": {}})

    def _define(self, words: list[str]) -> None:
        container, name, file, again = words[:4]
        if container == THROWAWAY:
            assert self.cluster.throwaway == "grants"
            self.cluster.written[file] = _views(BACKUP.schemas[name])
        else:
            there = self.cluster.schemas.get(name)
            self.cluster.written.setdefault(file, set())
            self.cluster.written[file] |= _views(there) if there else set()
            assert again

    def _switch(self, words: list[str]) -> None:
        name, new, kept, _, old_definitions, definitions, _ = words[3:]
        cluster = self.cluster
        if kept not in cluster.kept:
            assert _views(cluster.schemas.get(name, schema(0))) <= cluster.written[old_definitions], "views are lost"
            cluster.schemas[kept] = cluster.schemas.get(name, schema(0)).model_copy(update={"programs": {}})
            cluster.schemas[name] = cluster.schemas.pop(new)
            cluster.kept.add(kept)
            cluster.schemas[new] = schema(0)
        programs = BACKUP.schemas[name].programs
        assert cluster.written[definitions] == _views(BACKUP.schemas[name])
        cluster.schemas[name] = cluster.schemas[name].model_copy(update={"programs": programs})

    def _drop_schemas(self, asked: Command) -> None:
        for name in asked.words[asked.words.index("drop") + 4 :]:
            self.cluster.schemas.pop(name, None)

    def _remove(self, _: Command) -> None:
        self.cluster.throwaway = None
        self.cluster.units.clear()

    def _journal(self, name: str, asked: Command) -> None:
        self.cluster.journals[name] = (asked.stdin or "").strip()

    def _close(self, asked: Command) -> None:
        self._journal("closed.json", asked)
        self.cluster.journals.pop("current.json", None)

    def contents(self, server: Server, schemas: list[str]) -> ServerContents:
        """What is in one of the servers on this host."""
        there = BACKUP.schemas if server.container == THROWAWAY else self.cluster.schemas
        return BACKUP.model_copy(update={"schemas": {name: there[name] for name in schemas if name in there}})


def read(shell: Shell, server: Server, _: int, __: int, schemas: list[str]) -> ServerContents:
    """In place of reading it by SQL."""
    assert isinstance(shell, Node)
    if shell.cluster.dead:
        raise Killed
    return shell.contents(server, schemas)


def _words(script: str) -> str:
    return script.replace("$", "$$")


def _arguments(asked: Command) -> list[str]:
    """What a script in a unit gets as $1 and so on."""
    name = next(index for index, word in enumerate(asked.words) if word in {"copy", "define", "switch", "load"})
    return [word.replace("$$", "$") for word in asked.words[name + 1 :]]


def _views(of: SchemaContents) -> set[str]:
    return set(of.programs.get("view", {}))
