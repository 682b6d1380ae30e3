"""backup-control-plane: the set that it makes, the node that it takes it from, and that nothing but a whole set ever appears."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest
from prefect.exceptions import ParameterTypeError

from blocks.remote.errors import CommandTimedOut, Refused, RunbookError
from flows.backup_control_plane import NAME, backup_control_plane, procedure
from tasks.backup.manifest import Manifest
from tasks.engine.plan import Plan
from tasks.engine.run import Run
from tasks.runbooks.backup_control_plane.preflight import look
from tests.unit.fakes import LocalChannel
from tests.unit.flows.backups import DUMP, GALERA, GRANTS, HASH, IMAGE, UNIT, DatabaseHost, Killed, World, make_world
from tests.unit.flows.golden import assert_golden
from tests.unit.tasks.backup.samples import RECIPIENT
from tests.unit.tasks.control_plane import PASSWORD

pytestmark = pytest.mark.usefixtures("no_engine")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, monkeypatch, NAME, look, procedure)


def node(world: World) -> DatabaseHost:
    """The node that is backed up: without clients, and the first of these by its name."""
    return world.hosts[1]


def manifest(world: World) -> Manifest:
    return world.store.manifest(world.store.catalogue().sets[-1])


def steps(run: Run) -> list[tuple[str, str]]:
    return [(record.number, record.outcome) for record in run.journal.records]


# -- what it makes


def test_a_set_holds_dump_and_accounts_and_says_all_of_them(world: World) -> None:
    run, backup = world.back_up()
    found = manifest(world)
    folder = Path(world.store.base) / str(backup.name)
    assert gzip.decompress((folder / "overcloud.sql.gz").read_bytes()).decode() == DUMP
    assert (folder / "overcloud-grants.sql").read_text() == GRANTS
    assert world.store.check_files(backup.name, found, sums=True) == []
    assert [(file.name, file.role, file.compression) for file in found.files] == [
        ("overcloud.sql.gz", "logical dump", "gzip"),
        ("overcloud-grants.sql", "grants", "none"),
    ]
    (database,) = found.databases
    assert (found.hosts, database.host, database.image) == (("controller-1",), "controller-1", IMAGE)
    assert database.server_version == "10.3.28-MariaDB"
    assert database.galera is not None
    assert (str(database.galera.uuid), database.galera.seqno) == (GALERA, 42)
    assert json.loads(json.dumps(database.contents))["schemas"]["nova"]["tables"]["t"]["rows"] == 1
    assert steps(run)[:3] == [("1", "left out"), ("2", "left out"), ("2a", "answered")]
    assert [number for number, outcome in steps(run) if outcome in {"done", "already"}] == [
        *("3a", "3b", "3", "3c", "3f", "3g", "V1")
    ]


def test_it_is_verified_once_it_is_sealed_and_not_before(world: World) -> None:
    _, backup = world.back_up()
    (drill,) = world.drills
    assert (drill.name, drill.shell.name, drill.in_place) == (backup.name, "backup-node", True)
    assert drill.restores[0].image == IMAGE
    assert drill.manifest() == manifest(world)


def test_a_backup_that_is_not_what_its_manifest_says_fails_the_run(world: World) -> None:
    world.differences = ("table nova.t: has one row fewer", "and another")
    with pytest.raises(RunbookError, match="has one row fewer, and 1 more differences"):
        world.back_up()
    assert len(world.sets()) == 1, "the set stays, and its record says what it is worth"


def test_the_node_without_clients_is_backed_up_desynced_and_set_back(world: World) -> None:
    world.hosts[1].clients = 2
    assert world.back_up()[1].source.host.name == "controller-2"
    lines = [one.stdin or " ".join(one.words) for one in world.hosts[2].ran]
    order = [
        next(number for number, line in enumerate(lines) if part in line)
        for part in ("wsrep_desync = ON", "mysqldump", "runbooks-contents", "rm -f -- /var/lib/mysql/openstack")
    ]
    assert "wsrep_desync = ON" in lines[order[0]]
    assert order[0] < next(
        number for number, line in enumerate(lines) if "mysqldump --" in line or "tee /dev/fd/3" in line
    )
    assert [host.desynced for host in world.hosts] == [False] * 3
    assert not any("mysqldump" in " ".join(one.words) for host in world.hosts[:2] for one in host.ran)


BOTH = ("logical", "physical")


def test_a_physical_copy_is_made_where_the_image_has_the_program(world: World) -> None:
    node(world).on("mariabackup", say="/usr/bin/mariadb-backup\n")
    run, _ = world.back_up()
    found = manifest(world)
    assert [file.role for file in found.files] == ["logical dump", "grants", "physical copy"]
    assert {str(kind) for kind in found.kinds} == {f"overcloud {each} by {NAME}" for each in ("logical", "physical")}
    assert run.journal.findings == []
    (database,) = found.databases
    assert database.contents_after_copy["schemas"] == database.contents["schemas"]
    assert database.data_bytes == 4096
    (drill,) = world.drills
    assert [each.method for each in drill.restores] == ["logical", "physical"]
    copy = next(one for one in node(world).ran if "--stream=mbstream" in " ".join(one.words))
    assert "bash ionice -c 2 -n 7 podman exec" in copy.shown
    assert "--galera-info" in copy.shown


def test_the_report_says_why_there_is_no_physical_copy(world: World) -> None:
    run, _ = world.back_up()
    assert run.journal.findings == ["the physical copy is left out: mariadb-backup is not in the image"]
    world.hosts[1].on("mariabackup", say="the container's user may not read /var/lib/mysql\n")
    run, backup = world.back_up()
    assert backup.methods == ("logical",)
    assert manifest(world).databases[0].contents_after_copy == {}
    assert run.journal.findings == ["the physical copy is left out: the container's user may not read /var/lib/mysql"]


def test_a_dump_alone_is_made_where_it_alone_is_asked_for_and_nothing_is_told(world: World) -> None:
    node(world).on("mariabackup", say="/usr/bin/mariadb-backup\n")
    run, backup = world.back_up(methods=("logical",))
    assert backup.methods == ("logical",)
    assert run.journal.findings == []


def test_what_is_in_the_server_is_read_once_more_after_the_copy_and_not_before(world: World) -> None:
    node(world).on("mariabackup", say="/usr/bin/mariadb-backup\n")
    world.back_up()
    lines = [" ".join(one.words) for one in node(world).ran]
    copied = next(place for place, line in enumerate(lines) if "--stream=mbstream" in line)
    (again,) = (place for place, line in enumerate(lines) if "--unbuffered <<<" in line and "mysqldump" not in line)
    read = [place for place, line in enumerate(lines) if line.startswith("cat ") and "runbooks-contents" in line]
    assert read[0] < copied < again < read[1]


def test_a_second_look_that_fails_fails_the_backup(world: World) -> None:
    node(world).on("mariabackup", say="/usr/bin/mariadb-backup\n")
    node(world).on("dump.pid", "--unbuffered", say=1)
    with pytest.raises(RunbookError, match="step 3d"):
        world.back_up()
    assert world.sets() == []


def test_a_physical_copy_that_fails_fails_the_backup(world: World) -> None:
    node(world).on("mariabackup", say="/usr/bin/mariadb-backup\n")
    (node(world).folder / "copy-code").write_text("1")
    with pytest.raises(RunbookError, match="step 3d"):
        world.back_up(methods=BOTH)
    assert world.sets() == []


def test_the_documented_files_are_written_on_the_node(world: World) -> None:
    host = node(world).on("systemctl show", say=UNIT).on("tail -c", say="").on("openstack-backup-mysql", say="")
    host.on("systemctl show", "LogSize", say=UNIT).on("systemctl stop openstack-runbooks", say="")
    run, _ = world.back_up(documented_file=True)
    assert ("3e", "attached") in steps(run)
    plan = Plan()
    procedure(plan, look(world.open(), world.request(documented_file=True)))
    (step,) = (step for step in plan.steps if step.number == "3e")
    (lines,) = step.lines.values()
    assert "/root/openstack-backup-mysql.sql" in lines[0]
    assert lines[1].endswith("to /root/openstack-backup-mysql-grants.sql")
    grants = next(one for one in host.ran if "openstack-backup-mysql-grants.sql" in " ".join(one.words))
    assert grants.stdin == GRANTS


def encrypt(world: World, **settings: str) -> None:
    """Let the site encrypt its backups, with a program that stands in for age."""
    age = world.store_host._environment["PATH"].split(":")[0]
    Path(age, "age").write_text("#!/bin/bash\ncat\n")
    Path(age, "age").chmod(0o755)
    changed = world.store.settings.model_copy(update={"age_recipient": RECIPIENT, **settings})
    world.store.settings = changed
    world.site = world.site.model_copy(update={"store": changed})


def test_what_is_encrypted_is_verified_where_a_host_has_the_private_key(world: World) -> None:
    encrypt(world, age_identity="/root/key")
    with pytest.raises(Refused, match=f"backup-node: has not the private key of {RECIPIENT} in /root/key"):
        world.back_up()
    world.store_host.keys = (RECIPIENT,)
    world.back_up()
    (drill,) = world.drills
    assert {file.recipient for restore in drill.restores for file in restore.files} == {RECIPIENT}
    stored = {file.name: file.recipient for file in manifest(world).files}
    assert stored == {file.name: file.recipient for restore in drill.restores for file in restore.files}


def test_what_is_encrypted_is_not_verified_and_that_is_said(world: World) -> None:
    encrypt(world)
    run, _ = world.back_up()
    assert world.drills == []
    assert {file.encryption for file in manifest(world).files} == {"age"}
    assert steps(run)[-1] == ("V1", "left out")


def test_no_secret_is_in_any_word_plan_journal_or_manifest(world: World) -> None:
    run, backup = world.back_up()
    shown = [word for host in world.hosts for one in host.ran for word in one.words]
    text = "\n".join([*shown, run.journal.model_dump_json(), manifest(world).text, repr(backup)])
    assert PASSWORD not in text
    assert HASH not in text


def test_the_plan_is_the_golden_one(world: World) -> None:
    node(world).on("mariabackup", say="/usr/bin/mariadb-backup\n")
    backup = look(world.open(), world.request(documented_file=True, methods=BOTH))
    backup.store.base = "/backups/lab"
    plan = Plan()
    procedure(plan, backup)
    assert_golden(NAME, plan)


# -- what goes wrong in the middle: no set appears, old ones stay, the node is synced again, the next run works


def assert_as_before(world: World, old: list[str]) -> None:
    assert world.sets() == old
    assert not world.half_written()
    assert [host.desynced for host in world.hosts] == [False] * 3
    assert not any(host.at_work for host in world.hosts)


def assert_next_works(world: World, old: list[str]) -> None:
    world.back_up()
    assert world.sets()[:-1] == old
    assert len(world.sets()) == len(old) + 1
    assert not any(host.desynced for host in world.hosts)


@pytest.fixture
def old(world: World) -> list[str]:
    """The set of the night before."""
    world.back_up()
    return world.sets()


def test_a_store_that_is_full_at_half(world: World, old: list[str]) -> None:
    tee = Path(world.store_host._environment["PATH"].split(":")[0], "tee")
    tee.write_text('#!/bin/bash\nhead -c 20 >"${@: -1}"; echo "tee: No space left on device" >&2; exit 1\n')
    tee.chmod(0o755)
    with pytest.raises(RunbookError, match=r"(?s)step 3 .*No space left on device"):
        world.back_up()
    assert_as_before(world, old)
    tee.unlink()
    assert_next_works(world, old)


def test_a_store_that_is_gone(world: World, old: list[str]) -> None:
    def gone(channel: LocalChannel) -> LocalChannel:
        world.store_host.gone = True
        return channel

    node(world).breaks = gone
    with pytest.raises(RunbookError, match=r"backup-node"):
        world.back_up()
    world.store_host.gone = False
    node(world).breaks = lambda channel: channel
    assert world.sets() == old
    assert not node(world).desynced
    world.store_host.fire()  # it could not be reached: its own timer removes what is half written
    assert_as_before(world, old)
    assert_next_works(world, old)


class CutChannel(LocalChannel):
    """A connection that breaks after some bytes."""

    def __init__(self, channel: LocalChannel) -> None:
        self.__dict__ = channel.__dict__
        self._parts = 0

    def recv(self, size: int) -> bytes:
        self._parts += 1
        if self._parts > 1:
            raise OSError("Socket is closed")
        return super().recv(10)


def test_an_ssh_connection_that_is_cut(world: World, old: list[str]) -> None:
    node(world).breaks = CutChannel
    with pytest.raises(RunbookError, match="controller-1: OSError: Socket is closed"):
        world.back_up()
    node(world).breaks = lambda channel: channel
    assert_as_before(world, old)
    assert_next_works(world, old)


def test_a_worker_that_is_killed(world: World, old: list[str]) -> None:
    class KilledChannel(CutChannel):
        def recv(self, size: int) -> bytes:
            world.kill()
            raise Killed

    node(world).breaks = KilledChannel
    with pytest.raises(Killed):
        world.back_up()
    node(world).breaks = lambda channel: channel
    world.start_again()
    assert world.sets() == old
    assert node(world).desynced
    world.fire_timers()
    assert_as_before(world, old)
    assert_next_works(world, old)


def test_the_run_after_a_killed_one_need_not_wait_for_the_timers(world: World, old: list[str]) -> None:
    class KilledChannel(CutChannel):
        def recv(self, size: int) -> bytes:
            world.kill()
            raise Killed

    node(world).breaks = KilledChannel
    with pytest.raises(Killed):
        world.back_up()
    node(world).breaks = lambda channel: channel
    world.start_again()
    run, backup = world.back_up()
    assert backup.source.host.name == "controller-2"
    assert any("controller-1: wsrep_desync is on" in finding for finding in run.journal.findings)
    assert world.sets()[:-1] == old
    node(world).fire()
    assert not node(world).desynced


def test_a_node_that_is_killed_while_it_is_dumped(world: World, old: list[str]) -> None:
    def die(channel: LocalChannel) -> LocalChannel:
        node(world).off = True
        return CutChannel(channel)

    node(world).breaks = die
    with pytest.raises(RunbookError, match="controller-1"):
        world.back_up()
    node(world).breaks = lambda channel: channel
    node(world).off, node(world).desynced, node(world).at_work = False, False, False  # it has booted again
    assert_as_before(world, old)
    assert_next_works(world, old)


@pytest.mark.parametrize(
    ("dump", "code", "said"), [(DUMP[:40], "0", "cut short"), ("", "0", "cut short"), (DUMP, "3", "exit code")]
)
def test_a_dump_that_is_none(dump: str, code: str, said: str, world: World, old: list[str]) -> None:
    folder = node(world).folder
    (folder / "dump").write_text(dump)
    (folder / "code").write_text(code)
    with pytest.raises(RunbookError, match=said):
        world.back_up()
    (folder / "dump").write_text(DUMP)
    (folder / "code").write_text("0")
    assert_as_before(world, old)
    assert_next_works(world, old)


def test_a_dump_that_takes_too_long_is_not_tried_again_by_itself(world: World, old: list[str]) -> None:
    def slow(channel: LocalChannel) -> LocalChannel:
        channel.close()
        raise CommandTimedOut("controller-1", "it did not end within 60 s and was ended")

    node(world).breaks = slow
    with pytest.raises(RunbookError, match="had not reached the store within 60 s") as failed:
        world.back_up()
    assert not isinstance(failed.value.__cause__, node(world).retryable)
    node(world).breaks = lambda channel: channel
    assert_as_before(world, old)


def test_contents_that_were_not_read_to_their_end(world: World, old: list[str]) -> None:
    node(world).on("cat ", "runbooks-contents", say="version\t10.3.28-MariaDB\t\tNULL\n")
    node(world).on("rm -f", "runbooks-contents", say=lambda _: node(world)._end_dump())
    with pytest.raises(RunbookError, match="the answer has no end"):
        world.back_up()
    assert_as_before(world, old)


def test_sealing_that_is_tried_again_seals_the_same(world: World) -> None:
    seals: list[str | None] = []
    run = world.store_host.run

    def twice(command, on_line=None):  # type: ignore[no-untyped-def]
        result = run(command, on_line)
        if command.says.startswith("seal") and not seals:
            seals.append(command.stdin)
            return run(command, on_line)
        return result

    world.store_host.run = twice  # type: ignore[method-assign]
    world.back_up()
    assert len(world.sets()) == 1


# -- refusals


def refusals(world: World, **changes: object) -> list[str]:
    with pytest.raises(Refused) as refused:
        look(world.open(), world.request(**changes))
    assert not any(host.desynced or host.at_work for host in world.hosts)
    return list(refused.value.reasons)


def test_everything_that_is_wrong_is_said_at_once(world: World) -> None:
    node(world).on("SELECT 1", "/dev/stdin", say=1)
    node(world).on("systemctl --version", say="podman --version: podman version 1.4.4\n")
    said = "\n".join(refusals(world, methods=("physical",)))
    assert "podman 1.4.4 is older than 1.6.4" in said
    assert "hiera's mysql::server::root_password is not the password that the database has for root" in said
    assert "mariadb-backup is not in the image" in said
    assert "without a dump nobody can say whether the backup is whole" in said


def test_a_store_without_room_is_refused_and_the_drills_host_too(world: World) -> None:
    node(world).on("mountpoint -q", say=f"used {2**50}\nfree 1\n")
    room, *hosts = refusals(world)
    assert "GiB free, and a backup may take 1048576.0 GiB; make room there" in room
    assert any("and the data may take" in said for said in hosts)


def test_room_on_the_node_is_wanted_for_the_documented_files(world: World) -> None:
    node(world).on("df -B 1", "/root", say="Avail\n12\n")
    world.back_up()
    (said,) = refusals(world, documented_file=True)
    assert "0.0 GiB free in /root, and the documented file may take 0.0 GiB; make room there" in said


def test_a_cluster_without_a_synced_node_is_refused_node_by_node(world: World) -> None:
    for host in world.hosts:
        host.state = "Initialized"
    (said,) = refusals(world)
    assert "no node of the cluster can be backed up: controller-0: Initialized, Primary; controller-1:" in said


def test_a_cluster_with_a_node_that_is_not_synced_is_backed_up_all_the_same(world: World) -> None:
    node(world).state = "Joining: receiving State Transfer"
    run, backup = world.back_up()
    assert backup.source.host.name == "controller-2"
    assert "not a node to back up: controller-1: Joining: receiving State Transfer, Primary" in run.journal.findings


def test_a_controller_that_is_down_is_a_refusal(world: World) -> None:
    world.hosts[2].off = True
    (said,) = refusals(world)
    assert said == "controller-2: no SSH session within 10 s"


def test_the_only_node_is_backed_up_with_its_clients_and_that_is_said(world: World) -> None:
    del world.hosts[1:]
    world.site = world.site.model_copy(update={"roles": world.site.roles | {"mysql": ["controller-0"]}})
    run, _ = world.back_up()
    assert "controller-0 is backed up though 31 clients are connected to it" in run.journal.findings[0]


def test_root_that_can_not_log_in_is_refused(world: World) -> None:
    node(world).on("SELECT 1", say=1)
    (said,) = refusals(world)
    assert "root can't log in to the database in galera-bundle-podman-1 with /root/.my.cnf" in said


def test_a_store_that_can_not_be_written_to_or_is_not_mounted_is_refused(world: World) -> None:
    run = world.store_host.run

    def read_only(command, on_line=None):  # type: ignore[no-untyped-def]
        if command.words[:2] == ("test", "-w"):
            command = replace(command, words=("false",))
        return run(command, on_line)

    world.store_host.run = read_only  # type: ignore[method-assign]
    (said,) = refusals(world)
    assert "can't be written to" in said
    world.store_host.run = run  # type: ignore[method-assign]
    Path(world.store.settings.path).rmdir()
    assert any("is the store mounted?" in said for said in refusals(world))


def test_a_host_for_the_drill_is_wanted_beforehand(world: World) -> None:
    run = world.store_host.run

    def without_image(command, on_line=None):  # type: ignore[no-untyped-def]
        result = run(command, on_line)
        return replace(result, stdout=result.stdout.replace(f"image {IMAGE}\n", ""))

    world.store_host.run = without_image  # type: ignore[method-assign]
    said = "\n".join(refusals(world))
    assert f"backup-node: has not the image {IMAGE}" in said
    assert "controller-2: has no podman" in said
    assert "controller-1: has no podman" not in said, "where it was made it proves little"


def test_where_no_drill_could_unpack_zstd_gzip_is_taken(world: World) -> None:
    node(world).on("command -v", "zstd", say="/usr/bin/zstd\n/usr/bin/gzip\n")
    _, backup = world.back_up()
    assert backup.dump_file == "overcloud.sql.gz", "the backup node has no zstd"
    assert len(world.sets()) == 1


def test_a_damaged_catalogue_is_told_and_ends_no_backup(world: World, old: list[str]) -> None:
    (Path(world.store.base) / "catalogue/00000001.json").write_text("{}\n")
    run, _ = world.back_up()
    assert any("can't be read" in finding for finding in run.journal.findings)
    assert len(world.store.catalogue().sets) == 2


@pytest.mark.parametrize(
    "parameters", [{"content": ["rear"]}, {"content": []}, {"methods": ["binlog"]}, {"site": ""}, {"wait_s": -1}]
)
def test_what_is_not_there_yet_is_refused_by_its_name(parameters: dict[str, object]) -> None:
    backup_control_plane.validate_parameters({"site": "lab"})
    with pytest.raises(ParameterTypeError, match=next(iter(parameters))):
        backup_control_plane.validate_parameters({"site": "lab"} | parameters)


def test_a_run_that_is_cancelled_or_crashes_is_cleaned_up_after() -> None:
    assert backup_control_plane.on_cancellation_hooks
    assert backup_control_plane.on_crashed_hooks
