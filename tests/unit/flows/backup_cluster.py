"""The controllers in memory, with a store: what a restore from a backup does to them besides."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

import tasks.backup.fetching
import tasks.database.new_directory
from blocks.remote.command import Command
from blocks.remote.relay import Relayed
from blocks.remote.shell import Shell
from tasks.backup.backup_set import SetName, parse_received
from tasks.backup.manifest import DatabaseBackup, Manifest
from tasks.backup.records import Verified
from tasks.backup.store import Store
from tasks.backup.writing import begin, receive, seal, tell
from tasks.database.contents import AccountContents, SchemaContents, ServerContents, TableContents
from tasks.database.new_directory import MARK
from tests.unit.flows.cluster import Cluster, Controller, make_cluster
from tests.unit.tasks.backup.samples import START, run_id

DIRECTORY = "/var/lib/mysql"
IMAGE = "sha256:0a1b"
SYNCED = "wsrep_local_state_comment\tSynced\nwsrep_cluster_status\tPrimary\nwsrep_cluster_size\t1\n"
PREPARED = "milliseconds\t1\ncodes\t0 0 0\nsha256\t0\nversion\t10.3.28-MariaDB\nerror\t\nlast line\t\n"
LOADED = "milliseconds\t1\ncodes\t0 0 0 0\nsha256\t0\nlast line\t-- Dump completed on x\nerror\t\n"
CONTENTS = ServerContents(
    version="10.3.28-MariaDB",
    schemas={
        "nova": SchemaContents(
            charset="utf8", collation="utf8_general_ci", tables={"user": TableContents(engine="InnoDB", rows=1)}
        )
    },
    accounts={"'nova'@'%'": AccountContents(login="1", limits="2")},
)


def make_backup(
    store: Store,
    number: int = 0,
    verified: bool = True,
    runbook: str = "backup-control-plane",
    of: str = "overcloud",
    host: str = "controller-2",
    grants_text: str = "",
    copied: bool = False,
    **database: object,
) -> SetName:
    """A sealed backup of a database.

    Args:
        store: Where.
        number: Of its run.
        verified: Whether it was restored without a difference.
        runbook: What has made it.
        of: The database.
        host: Whose it is.
        grants_text: What is in its grants file.
        copied: Whether it has a physical copy as well.
        database: Other attributes of the database in it.
    """
    name = SetName.of(runbook, "database", START, run_id(number))
    begin(store, name, run_id(number), START)
    dump, grants = f"{of}.sql", f"{of}-grants.sql"
    copy = f"{of}.mbstream"
    files = {dump: "-- Dump completed\n", grants: grants_text, **({copy: "the files"} if copied else {})}
    received = {
        file: parse_received(store.shell.run(receive(store, name, file, stdin=text)).stdout)
        for file, text in files.items()
    }
    plain = DatabaseBackup(
        name=of,
        host=host,
        server_version="10.3.28-MariaDB",
        image=IMAGE,
        contents=CONTENTS.model_dump(mode="json"),
    )
    manifest = Manifest(
        site=store.site,
        runbook=runbook,
        content="database",
        run_id=run_id(number),
        started=START,
        sealed=START,
        hosts=(host,),
        databases=(plain.model_copy(update=database),),
        files=(
            tell(store, dump, received[dump], "logical dump", of),
            tell(store, grants, received[grants], "grants", of),
            *([tell(store, copy, received[copy], "physical copy", of)] if copied else []),
        ),
    )
    seal(store, manifest, START)
    for method in ("logical", *(["physical"] if copied else [])) if verified else ():
        came = {"database": of, "method": method, "host": "backup-node", "restore_seconds": 1.0}
        store.record(name, Verified.model_validate({"at": START, "run_id": run_id(number)} | came))
    return name


def make_cluster_with_new_data() -> tuple[Cluster, list[Beside]]:
    """Three controllers with a database that is broken, beside which new data can be made."""
    cluster = make_cluster()
    return cluster, [Beside(node) for node in cluster.nodes]


class Beside:
    """What lies beside a controller's data directory.

    Attributes:
        node: The controller.
        new: Path of new data that is whole → the backup's key.
        work: What has become of the new data that is made: nothing (None), `begun`, `fetched`, `system`, `serving`, `dump`,
            `imported`, `galera`, `shut down`, `password`, `copied`.
        documented: What has become of the files that are loaded in the documented order: nothing (None), `begun`, `fetched`.
        in_place: The key of the backup whose data has taken the old data's place.
    """

    def __init__(self, node: Controller) -> None:
        self.node = node
        self.new: dict[str, str] = {}
        self.work: str | None = None
        self.documented: str | None = None
        self.in_place = ""
        self._answer_questions()
        self._take_orders()

    def _answer_questions(self) -> None:
        node = self.node
        node.on("{{.Image}}", say=f"{IMAGE}\n").on("image exists", say="")
        node.on("command -v", say="tar\nzstd\ngzip\n")
        node.on(MARK, '= "$2" ]', say=self._holds)
        node.on("cat ", "/loaded-", say=LOADED).on("cat ", "/prepared", say=PREPARED)
        node.on(
            "exec -i openstack-runbooks-restore-galera mysql",
            say=lambda _: SYNCED if self.work == "galera" else 1,
        )
        node.on('[ -f "$1" ] || exit 3', say=3)
        node.on('[ -e "$1" ] && printf', say=1)
        node.on("tar --numeric-owner -cf", say=self._pack)
        node.on("podman ps", say=lambda _: "openstack-runbooks-restore-galera\n" if self._serves else "")
        node.on("mysqladmin", "openstack-runbooks-restore-galera", say=lambda _: 0 if self._serves else 1)

    @property
    def _serves(self) -> bool:
        return self.work in {"serving", "dump", "imported", "galera"}

    def _holds(self, asked: Command) -> int:
        path, key = asked.words[-2].removesuffix(f"/{MARK}"), asked.words[-1]
        held = self.in_place if path == DIRECTORY else self.new.get(path, "")
        return 0 if held == key else 1

    def _take_orders(self) -> None:
        order = self.node.order
        # Of a backup in the documented order.
        order(f"install -d -m 700 {DIRECTORY}-new-", do=lambda _: self._make_folder())
        order("mv -T", ".fetched/overcloud", do=lambda _: None)
        order('"$@" <"$file" >"$path"', do=self._unpack)
        order("rm -rf --one-file-system -- ", ".fetched", do=self._remove)
        order("mv -T", ".part/overcloud", do=lambda _: None)
        order("podman rm --force", do=lambda _: None)
        order("-new-*", do=self._begin)
        order('install -d -m 755 -o "$2"', do=lambda _: None)
        order(
            "systemd-run",
            "restore-galera-create",
            "mysql_install_db",
            "--network=none",
            do=self._step("fetched", "system"),
        )
        order("podman run", "--detach", "restore-galera", do=self._step("system", "serving"))
        order("podman run", "--detach", "--wsrep-on=ON", do=self._step("imported", "galera"))
        order("systemd-run", "restore-galera-dump", do=self._step("serving", "dump"))
        order("systemd-run", "restore-galera-grants", do=self._step("dump", "imported"))
        order("systemd-run", "restore-galera-copy", do=self._step("fetched", "shut down"))
        order("chcon -R", ".part/data", do=lambda _: None)
        order("Shutdown complete", do=lambda _: self._shut_down())
        order("--bootstrap", do=self._step("shut down", "password"))
        order("sha256sum", 'tee -- "$1.new"', do=self._fetch)
        order("tar --numeric-owner -xpf", do=lambda _: self._copied())
        order("work=$1 path=$2", "sync -f", do=self._take)
        order("# GALERA saved state", do=self._finish)
        order("the new data is not in", do=self._put_in_place)

    def _begin(self, asked: Command) -> int:
        _, path, *_ = asked.words[-4:]
        self.new = {at: key for at, key in self.new.items() if at == path}
        self.work, self.documented = "begun", None
        self.node.units.clear()
        return 0

    def _make_folder(self) -> None:
        self.documented = self.documented or "begun"

    def _unpack(self, asked: Command) -> int:
        assert self.documented == "fetched", f"unpacked as {self.documented}"
        path = next(word for word in asked.words if word.startswith(f"{DIRECTORY}/"))
        self.node.files.add(path)
        return 0

    def _remove(self, asked: Command) -> int:
        if asked.words[0] == "rm":  # and no timer that is armed with it
            self.documented = None
        return 0

    def _step(self, before: str, after: str) -> Callable[[Command], int]:
        def do(asked: Command) -> int:
            if any(word.startswith("--unit=") for word in asked.words):
                self.node._unit_ends(asked, self.work == before)
            assert self.work in {before, after}, f"{after} from {self.work}"
            self.work = after
            return 0

        return do

    def _shut_down(self) -> None:
        assert self.work in {"imported", "galera", "shut down"}, f"shut down as {self.work}"
        self.work = "imported" if self.work == "imported" else "shut down"

    def _fetch(self, asked: Command) -> None:
        if ".fetched/" in asked.words[-1]:
            assert self.documented in {"begun", "fetched"}
            self.documented = "fetched"
            return
        assert self.work in {"begun", "fetched"}
        self.work = "fetched"

    def _copied(self) -> None:
        self.work = "copied"

    def _pack(self, asked: Command) -> int:
        path = next(word for word in asked.words if word.startswith(DIRECTORY))
        return 0 if path in self.new or (path == DIRECTORY and self.in_place) else 1

    def _finish(self, asked: Command) -> int:
        assert self.work == "password"
        _, path, _, key, *_ = asked.words[-6:]
        self.new[path], self.work = key, None
        return 0

    def _take(self, asked: Command) -> int:
        assert self.work == "copied"
        path = asked.words[-1]
        self.new[path], self.work = path.rpartition("-")[2], None
        return 0

    def _put_in_place(self, asked: Command) -> int:
        _, kept, _, path = asked.words[-4:]
        if kept not in self.node.kept or path not in self.new:
            return 17
        assert self.node.server is None, "data is replaced under a running server"
        self.node.data, self.in_place = "imported", self.new.pop(path)
        self.node.password = True
        return 0


def without_connections(patch: pytest.MonkeyPatch) -> None:
    """What one host sends, the other has: nothing goes through this process."""

    def relay(source: Shell, write: Command, sink: Shell, read: Command, *_: object) -> Relayed:
        text = source.run(write).stdout
        sink.run(read)
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        return Relayed(len(text), sha256, f"{len(text)}\t{sha256}\n", "")

    patch.setattr(tasks.backup.fetching, "relay", relay)
    patch.setattr(tasks.database.new_directory, "relay", relay)
