"""Every command that the runbooks' code makes on the fake hosts of the tests, and where in the code each is made."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, cast

import pytest
from prefect.logging import disable_run_logger

import blocks.remote.command
import tasks.engine.hooks
import tasks.runbooks.restore_schemas.comparing
from blocks.remote.command import Command, command, script
from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand, read_log
from blocks.site import Site
from deployments.project import PROJECT
from flows import backup_control_plane, backup_undercloud, set_telemetry_interval
from flows.restore_galera import procedure
from tasks.backup import fetching, writing
from tasks.backup.removal import delete, put_aside, record_removal
from tasks.backup.writing import begin, read_unlisted, receive
from tasks.database import contents_reading, desync, dumping, dumps, importing
from tasks.database.dump_look import knows_sandbox
from tasks.database.dump_parts import Part, Parts
from tasks.database.grants import parse_grants
from tasks.database.grants_dumping import read_grants_text
from tasks.database.mariadb import Server, Version
from tasks.database.sql_loading import SqlFile
from tasks.database.throwaway_server import ThrowawayServer, read_image
from tasks.engine.cleanup import arm
from tasks.engine.hooks import Hooks
from tasks.engine.locks import lock_host
from tasks.engine.plan import Plan
from tasks.engine.run import Run
from tasks.node import pausing, podman
from tasks.node.running import read_running
from tasks.rear.images import read_used_bytes
from tasks.rear.stored import list_stored, remove
from tasks.runbooks.backup_control_plane.preflight import look as look_at_control_plane
from tasks.runbooks.backup_undercloud.preflight import look as look_at_undercloud
from tasks.runbooks.restore_node.job import Request
from tasks.runbooks.set_telemetry_interval.polling_change import look
from tasks.runbooks.verify_backup import drill_host
from tasks.runbooks.verify_backup.changes import fetch
from tasks.runbooks.verify_backup.drill import UNPACK, Drill, StoredFile
from tasks.telemetry import agents, kolla
from tests.unit.fakes import FakeClock, FakeShell, silent, without_engine
from tests.unit.flows import schema_cluster
from tests.unit.flows import test_check_site as check_site_runs
from tests.unit.flows import test_install_rear as rear_runs
from tests.unit.flows import test_prepare_backup_node as preparations
from tests.unit.flows import test_restore_accounts as account_runs
from tests.unit.flows import test_restore_galera_backup as from_backup
from tests.unit.flows import test_restore_galera_documented as documented_order
from tests.unit.flows import test_restore_galera_run as galera_runs
from tests.unit.flows import test_restore_node as node_runs
from tests.unit.flows import test_restore_schemas as schema_runs
from tests.unit.flows import test_restore_undercloud_database_backup as undercloud_from_backup
from tests.unit.flows import test_restore_undercloud_database_run as undercloud_runs
from tests.unit.flows import test_resume_control_plane as resume_runs
from tests.unit.flows import test_set_telemetry_interval as telemetry_runs
from tests.unit.flows.backup_cluster import make_backup, make_cluster_with_new_data, without_connections
from tests.unit.flows.backups import UNIT, make_world
from tests.unit.flows.cluster import DUMP_TEXT, GRANTS_TEXT, make_cluster
from tests.unit.flows.imaged_cluster import OF_UNDERCLOUD, ROLLING, make_imaged, make_imaged_undercloud
from tests.unit.flows.jobs import job
from tests.unit.flows.machine_room import Room
from tests.unit.flows.rear_site import World
from tests.unit.flows.undercloud import Undercloud
from tests.unit.tasks.backup.samples import RECIPIENT, START, make_set, make_store, name_of, run_id, verification
from tests.unit.tasks.crm import Replica
from tests.unit.tasks.node.node_model import NodeModel
from tests.unit.tasks.samples import CLEANUP, HOSTS, SITE, journal
from tests.unit.tasks.telemetry import test_kolla

FOLDERS = ("blocks", "tasks", "flows")
# They run in the members of a group that scales: the operator's own images, of which nothing is known.
IN_GUESTS = ("tasks/autoscaling/group/cpu_load.py",)


@dataclass
class Made:
    """What was made.

    Attributes:
        commands: Each command once.
        places: File and line of the code that made each.
    """

    commands: dict[Command, None] = field(default_factory=dict)
    places: set[tuple[str, int]] = field(default_factory=set)


@contextmanager
def _recording(patch: pytest.MonkeyPatch) -> Iterator[Made]:
    made = Made()
    make, make_long = Command.__init__, LongCommand.__init__

    def note(command: Command, *words: Any, **options: Any) -> None:
        make(command, *words, **options)
        place = _place()
        if place is not None:
            made.commands[command] = None
            made.places.add(place)

    def note_long(long: LongCommand, *words: Any, **options: Any) -> None:
        make_long(long, *words, **options)
        place = _place()
        if place is not None:
            made.places.add(place)
            made.commands[long.start] = None
            if long.progress_query is not None:
                made.commands[long.progress_query] = None

    patch.setattr(Command, "__init__", note)
    patch.setattr(LongCommand, "__init__", note_long)
    yield made


def _place() -> tuple[str, int] | None:
    """File and line of the innermost code that is the project's own; None where a test made it."""
    frame = sys._getframe(2)
    passed_over = {blocks.remote.command.__file__, "<string>"}
    while frame.f_code.co_filename in passed_over or frame.f_code.co_filename.endswith("dataclasses.py"):
        assert frame.f_back is not None
        frame = frame.f_back
    file = Path(frame.f_code.co_filename)
    if not file.is_relative_to(PROJECT):
        return None
    name = str(file.relative_to(PROJECT))
    return (name, frame.f_lineno) if name.split("/")[0] in FOLDERS else None


@cache
def made_commands() -> Made:
    """Let every runbook do all it can do to a host."""
    with pytest.MonkeyPatch.context() as patch, disable_run_logger():
        FakeClock(patch)
        without_engine(patch)
        with _recording(patch) as made:
            _restores()
            _restores_from_backups(patch)
            _schemas(patch)
            _telemetry()
            _checks()
            _undercloud()
            _hooks(patch)
            _single()
            _stores()
            _stored_images()
            _mounted()
            _nightly(patch)
            _backups(made)
            _images()
            _paused()
            _control_plane(patch)
            _nodes(patch)
    _constants(made)
    return made


def _constants(made: Made) -> None:
    """Commands that are made when their module is loaded."""
    for name in [name for name in sys.modules if name.split(".")[0] in FOLDERS]:
        values = vars(sys.modules[name]).values()
        made.commands.update({value: None for value in values if isinstance(value, Command)})


def _restores() -> None:
    """restore-galera whole, with each ending, with a cluster that is not adopted, killed and built again."""
    for ending in ("adopt", "restart"):
        procedure(Plan(), job(ending))
        galera_runs.restore(make_cluster(), ending)
    stubborn = make_cluster()
    stubborn.adopts = False
    galera_runs.restore(stubborn)
    cluster = make_cluster()
    galera_runs.kill(cluster, 30, after=True)
    galera_runs.restore(cluster, dump=DUMP_TEXT + "-- Dump completed on another day\n")
    asleep = make_cluster()
    asleep.by_itself = False
    asleep.looks = True
    galera_runs.restore(asleep)


def _restores_from_backups(patch: pytest.MonkeyPatch) -> None:
    """restore-galera from a backup, with and without zstd on the hosts, and restore-undercloud-database."""
    without_connections(patch)
    with TemporaryDirectory() as folder:
        store = make_store(Path(folder))
        make_backup(store)
        for programs in ("tar\nzstd\ngzip\n", "tar\ngzip\n"):
            controllers, _ = make_cluster_with_new_data()
            for node in controllers.nodes:
                node.on("command -v", say=programs)
            from_backup.restore(controllers, store)
        make_backup(store, 2, grants_text=GRANTS_TEXT, copied=True)
        from_backup.restore(make_cluster_with_new_data()[0], store)
        from_backup.restore(make_cluster_with_new_data()[0], store, documented_order.DOCUMENTED)
        make_backup(store, 1, runbook="backup-undercloud", of="undercloud", host="undercloud")
        undercloud_from_backup.restore(undercloud_from_backup.FromStore(), store)
        make_backup(store, 3, runbook="backup-undercloud", of="undercloud", host="undercloud", copied=True)
        undercloud_from_backup.restore(undercloud_from_backup.FromStore(), store)


def _schemas(patch: pytest.MonkeyPatch) -> None:
    """restore-schemas from a dump, killed once all is in place and taken up, and from a physical copy; restore-accounts."""
    without_connections(patch)
    patch.setattr(tasks.runbooks.restore_schemas.comparing, "read_contents", schema_cluster.read)
    with TemporaryDirectory() as folder:
        store = schema_runs.make_sample_store(Path(folder))
        schema_runs.restore(schema_runs.interrupted(store, 2), store)
        schema_runs.plan(store, "physical")
    with TemporaryDirectory() as folder:
        account_runs.patch(patch)
        account_runs.restore(account_runs.make_cluster(), account_runs.make_sample_store(Path(folder)))
    contents_reading.read_accounts(
        FakeShell(otherwise="version\t10.3\t\t\nend\t0\n"), Server("c", "/d", "/o", "restore-accounts")
    )


def _checks() -> None:
    """check-site, on a site on which all is well."""
    with TemporaryDirectory() as folder:
        store = make_store(Path(folder))
        make_backup(store)
        check_site_runs.checked(store)


def _undercloud() -> None:
    """restore-undercloud-database whole, and with a mount point as its data directory."""
    for mount_point in (False, True):
        undercloud = Undercloud()
        undercloud.mount_point = mount_point
        undercloud_runs.restore(undercloud)
        undercloud_runs.prepare(undercloud)


def _telemetry() -> None:
    """set-telemetry-interval on hosts with containers and on hosts with units, and back."""
    units = (
        "ceilometer-agent-compute.service loaded failed failed -\nceilometer-polling.service loaded active running -\n"
    )
    for unit, put_back in ((False, False), (True, False), (False, True)):
        kept = {telemetry_runs.STAMP: telemetry_runs.text(600)} if put_back else None
        shell = telemetry_runs.host(
            "controller-0", kept=kept, agents="" if unit else "ceilometer_agent_compute Up 3 days\n"
        )
        if unit:
            shell.on("list-units", say=units)
            shell.on(telemetry_runs.READ, say=f"/etc/ceilometer/polling.yaml\n{telemetry_runs.text(300)}")
        shells = {"controller-0": cast("Shell", shell)}
        run = Run("set-telemetry-interval", SITE, shells, False, journal())
        change = look(run, 60, put_back)
        set_telemetry_interval.procedure(Plan(), change)
        with suppress(RunbookError):
            set_telemetry_interval.procedure(run, change)
    for layout in agents.Layout:
        for engine in ("podman", "docker"):
            for runs in (True, False):
                until = agents.restart(agents.Agent("a", layout, True, runs, engine)).until
                assert until is not None
                until.look(FakeShell(otherwise=""))
            if layout is agents.Layout.KOLLA:
                kolla.read_file(test_kolla.host(engine), engine)


def _hooks(patch: pytest.MonkeyPatch) -> None:
    """A run that was cancelled half way."""
    shells = {name: FakeShell(name, otherwise="") for name in SITE.hosts}
    halfway = journal(begun="15", cleanups=[CLEANUP])
    shells["controller-0"].on("*.json", say="current.json\t" + halfway.model_dump_json() + "\n")
    patch.setattr(tasks.engine.hooks, "load_site", lambda _: SITE)
    patch.setattr(Site, "shell", lambda _, host: shells[host.name])
    patch.setattr(tasks.engine.hooks, "publish", lambda *_: None)
    run = SimpleNamespace(id=halfway.run_id, parameters={"site": "lab"})
    flow = SimpleNamespace(name="restore-galera")
    Hooks(lambda site, _: [site.database.role]).cancelled(
        cast("Any", flow), cast("Any", run), cast("Any", SimpleNamespace(message="cancelled"))
    )


def _backups(made: Made) -> None:
    """What takes and proves a backup of a database."""
    server = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "backup-control-plane")
    shell = FakeShell(otherwise="end\n")
    dumping.find_compressor(shell)
    for compressor in (*dumping.COMPRESSORS, None):
        made.commands[script(dumping.dump_pipeline(podman.podman_exec("c", "true"), compressor))] = None
    for words in (dumping.dump_words(server, 1, 1), dumping.end_words(server), dumping.remove_words(server)):
        made.commands[command(*words)] = None
    with suppress(RunbookError):
        contents_reading.read_contents(shell, server, 1, 1)
    with suppress(RunbookError):
        contents_reading.read_contents_file(shell, dumping.contents_file(server))
    accounts = "from_table\tUser\tHost\nuser\tnova\t%\n"
    read_grants_text(FakeShell().on("mysql", say=["end\n", "end\n", accounts]), server)
    candidate = desync.read_candidate(shell, server)
    assert candidate.clients == 0
    desync.desync(server)
    desync.resync(server, 60)
    throwaway = ThrowawayServer("sha256:0a", "/var/tmp/drill", "r1")
    start = throwaway.start(60)
    assert start.until is not None
    assert start.until.look(FakeShell(otherwise="")) == "answering"
    assert start.until.look(FakeShell().on("mysqladmin", say=125).on("drill.log", say="")) == "not there"
    for unpack in (*UNPACK.values(), _decrypting()):
        file = SqlFile("/backup/dump.sql", unpack, "dump")
        throwaway.load(file, 60)
        with suppress(RunbookError):
            throwaway.read_loaded(shell, file)
    throwaway.read(60)
    throwaway.make_room()
    start = throwaway.start_on_copy(60)
    assert start.until is not None
    assert start.until.look(FakeShell(otherwise="")).startswith("answering")
    for unpack in UNPACK.values():
        throwaway.preparation.prepare("/backup/copy.mbstream", unpack, 60)
    with suppress(RunbookError):
        throwaway.preparation.read(shell)
    made.commands[command(*throwaway.preparation.remove_words)] = None
    made.commands[command(*throwaway.remove_words)] = None
    needs = drill_host.Needs(("0a",), ("podman", "zstd"), 1, 1, "/m", "5")
    drill_host.look(FakeShell(otherwise=""), needs, "/var/tmp")
    read_image(shell, "galera-bundle-podman-0")


def _decrypting() -> tuple[str, ...]:
    """What unpacks a file that is encrypted."""
    with TemporaryDirectory() as folder:
        store = make_store(Path(folder), age_recipient=RECIPIENT, age_identity="/root/backups.key")
        drill = Drill(store, name_of(), run_id(1), store.shell, folder, (), lambda: None, in_place=True)
        return drill.unpack(StoredFile("overcloud.sql.zst", "zstd", RECIPIENT))


def _nightly(patch: pytest.MonkeyPatch) -> None:
    """The backups of both databases, with all that can be asked for."""
    runbooks = ((backup_control_plane, look_at_control_plane), (backup_undercloud, look_at_undercloud))
    for flow, look_at in runbooks:
        with TemporaryDirectory() as folder:
            world = make_world(Path(folder), patch, flow.NAME, look_at, flow.procedure)
            for host in world.hosts:
                host.on("mariabackup", say="/usr/bin/mariadb-backup\n").on("openstack-backup-mysql", say="")
                host.on("systemctl show", say=UNIT).on("tail -c", say="").on("systemctl stop", "|| :", say="")
                host.on("systemd-run", "on-active", say="")
            world.back_up(documented_file=True, methods=("logical", "physical"))


def _control_plane(patch: pytest.MonkeyPatch) -> None:
    """The backups with images."""
    with TemporaryDirectory() as folder:
        make_imaged(Path(folder), patch).back_up()
    with TemporaryDirectory() as folder:
        make_imaged(Path(folder), patch).back_up(ROLLING)
    with TemporaryDirectory() as folder:
        make_imaged_undercloud(Path(folder), patch).back_up(OF_UNDERCLOUD)


def _images() -> None:
    """install-rear and prepare-backup-node, by NFS and by SFTP, with all that a node may need and what a run mends."""
    rear: list[dict[str, object]] = [{}, {}, {"archive": "inside"}]
    for kind, settings in zip(("nfs", "sftp", "sftp"), rear, strict=True):
        with TemporaryDirectory() as folder:
            world = World(Path(folder), kind, settings)
            world.nodes[0].on("/sys/firmware/efi", say="").on("efibootmgr", say="mkfs.vfat\n").on("dnf -y", say="")
            world.nodes[0].on("ovs-vsctl", say=rear_runs.OVS).on("test", "-d", "/var/lib/ceph/mon", say="")
            world.undercloud.path("crontab").write_text(f"{rear_runs.CRON_LINE}\n")
            for node in world.nodes:
                node.on("df --output", say="1\n")
            rear_runs.install(world, disable_cron=True)
            world.nodes[0].on("ovs-vsctl", say="")
            rear_runs.install(world)
    for kind in ("nfs", "sftp"):
        with TemporaryDirectory() as folder:
            world = World(Path(folder), kind)
            world.role = world.export
            preparations.prepare(world)


def _paused() -> None:
    """A node that is paused and released, and resume-control-plane on nodes that are held in every way."""
    with TemporaryDirectory() as folder:
        nodes = [NodeModel(Path(folder) / name, name) for name in HOSTS]
        before = read_running(nodes[0])
        pausing.pause(before, 60)
        pausing.unpause(before, 60)
        for node in nodes:
            resume_runs.hold(node)
            (node.folder / "desynced").touch()
            for kind in ("timer", "service"):
                node.set_unit(f"openstack-runbooks-cleanup-0a.{kind}", "active")
        resume_runs.resume(*nodes)


def _nodes(patch: pytest.MonkeyPatch) -> None:
    """restore-node, on a cluster that needs to be cleaned up, with a node that was in standby and services that disagree.

    And with a question of ReaR's.
    """
    with TemporaryDirectory() as folder:
        room = Room(patch, Path(folder))
        machine = room.machines["controller-0"]
        machine.replicas, machine.failed, machine.standby = [Replica(), Replica("Slave"), Replica()], True, True
        machine.differing = {*node_runs.EVERYTHING}
        node_runs.restore(room, Request(repair=tuple(node_runs.EVERYTHING)))
        room = Room(patch, Path(folder))
        room.machines["controller-0"].question = "(timeout 300 seconds)\n"
        node_runs.failing(room)


def _single() -> None:
    """What only a rare state brings about."""
    shell = FakeShell(otherwise="")
    lock_host(shell, "somebody")
    arm(CLEANUP, "controller-0", 600)
    stopped = FakeShell(otherwise="").on("State.Status", say="exited\n")
    podman.read_file(stopped, "galera-bundle-podman-0", "/etc/my.cnf.d/galera.cnf")
    read_used_bytes(FakeShell().on("/etc/rear", say="BACKUP_ONLY_INCLUDE\tyes\n").on("du -s", say="1\n"))
    server = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "restore-galera")
    parts = Parts(1400, (Part(1400, 7000), Part(8400, 250000)), Part(258400, 900))
    for change in (importing.import_dump(server, parts, 60), importing.import_dump(server, None, 60)):
        (long,) = change.commands
        read_log(shell, cast("LongCommand", long))
    importing.import_grants(server, Version(10, 3), ("reader",), 60)
    knows_sandbox(shell, server.container)
    edits = parse_grants("/*M!999999\\- sandbox */\nGRANT SELECT ON `a\\\\_b`.* TO x@y;").edit
    dumps.copy_in("/var/lib/mysql", "/d.sql", "/g.sql", edits)


def _stored_images() -> None:
    """Images that belong to backup sets, and go with them."""
    shell = FakeShell(otherwise="")
    list_stored(shell, "/backups/images", ["controller-0"])
    shell.run(remove("/backups/images", ["controller-0/20261127T020000Z"]))


def _mounted() -> None:
    """A store that is mounted where what it holds is written and read."""
    with TemporaryDirectory() as folder:
        store = make_store(Path(folder), kind="nfs")
        begin(store, name_of(2), run_id(2), START)
        writing.fetch(store, name_of(2), "a.sql", store.shell, script("echo a", says="a"))
        name = make_set(store)
        (file,) = store.manifest(store.catalogue().sets[0]).files
        fetching.fetch(store, name, file.name, lambda: file, f"{folder}/fetched", 60).perform(store.shell, silent)


def _stores() -> None:
    """A backup set that is written, read, put on record and removed; each with and without what a site may want of it."""
    with TemporaryDirectory() as folder:
        receive(make_store(Path(folder), age_recipient=RECIPIENT, ionice="idle"), name_of(), "a.sql")
        receive(make_store(Path(folder), ionice="none"), name_of(), "a.sql")
        store = make_store(Path(folder))
        sets = [make_set(store, number) for number in range(2)]
        store.check_files(sets[0], store.manifest(store.catalogue().sets[0]), sums=True)
        store.record(sets[0], verification())
        drill = Drill(store, sets[0], run_id(1), store.shell, folder, (), lambda: None, in_place=False)
        fetch(drill, StoredFile("undercloud.sql.gz")).perform(store.shell, silent)
        read_unlisted(store, sets[0])
        store.free_bytes()
        store.shell.run(put_aside(store, store.catalogue().sets[:1]))
        store.shell.run(delete(store, sets[:1]))
        record_removal(store, sets[0], "", run_id(9), START)
