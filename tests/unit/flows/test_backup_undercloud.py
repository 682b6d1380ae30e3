"""backup-undercloud: the same for a server alone, which is never desynced; the documented file is of the whole server."""

from __future__ import annotations

from pathlib import Path

import pytest
from prefect.exceptions import ParameterTypeError

from blocks.remote.errors import Refused, RunbookError
from flows.backup_undercloud import NAME, backup_undercloud, procedure
from tasks.engine.plan import Plan
from tasks.runbooks.backup_undercloud.preflight import look
from tests.unit.flows.backups import World, make_world
from tests.unit.flows.golden import assert_golden

pytestmark = pytest.mark.usefixtures("no_engine")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    return make_world(tmp_path, monkeypatch, NAME, look, procedure)


def test_a_set_is_made_and_verified_under_the_documents_numbers(world: World) -> None:
    run, backup = world.back_up()
    assert [(record.number, record.outcome) for record in run.journal.records] == [
        *(("1", "answered"), ("2", "answered"), ("3a", "done"), ("3", "done"), ("3c", "done"), ("3g", "done")),
        ("V1", "done"),
    ]
    found = world.store.manifest(world.store.catalogue().sets[0])
    assert [file.name for file in found.files] == ["undercloud.sql.gz", "undercloud-grants.sql"]
    assert (found.databases[0].galera, found.hosts) == (None, ("undercloud",))
    assert world.drills[0].name == backup.name
    assert not any("wsrep_desync = O" in (one.stdin or " ".join(one.words)) for one in world.hosts[0].ran)


def test_the_plan_is_the_golden_one(world: World) -> None:
    world.hosts[0].on("mariabackup", say="/usr/bin/mariadb-backup\n")
    backup = look(world.open(), world.request(documented_file=True, methods=("logical", "physical")))
    backup.store.base = "/backups/lab"
    plan = Plan()
    procedure(plan, backup)
    assert_golden(NAME, plan)
    (step,) = (step for step in plan.steps if step.number == "3e")
    (lines,) = step.lines.values()
    assert "--all-databases" in lines[0]
    assert "/root/undercloud-all-databases.sql" in lines[0]
    (copy,) = (step for step in plan.steps if step.number == "3d")
    assert "--galera-info" not in str(copy.lines), "there is no cluster"


@pytest.mark.parametrize(("state", "names"), [("exited", "mysql\n"), ("missing", "keystone\n")])
def test_a_container_that_does_not_run_is_refused_with_its_unit(state: str, names: str, world: World) -> None:
    world.hosts[0].on("State.Status", say=f"{state}\n").on("container ls", say=names)
    with pytest.raises(Refused) as refused:
        look(world.open(), world.request())
    (said,) = refused.value.reasons
    assert said.startswith(f"undercloud: container mysql is {state}; `systemctl start tripleo_mysql`")


def test_a_drill_on_the_undercloud_is_the_last_resort(world: World) -> None:
    run = world.store_host.run

    def without_podman(command, on_line=None):  # type: ignore[no-untyped-def]
        if "MemAvailable" in " ".join(command.words):
            return type(run(command, on_line))("", "", 0)
        return run(command, on_line)

    world.store_host.run = without_podman  # type: ignore[method-assign]
    seen = f"program podman\nprogram gzip\nimage sha256:0a1b\nmemory {2**40}\nfree {2**40}\n"
    world.hosts[0].on("MemAvailable", say=seen)
    world.back_up()
    assert (world.drills[0].shell.name, world.drills[0].in_place) == ("undercloud", False)


def test_a_dump_that_fails_leaves_no_set(world: World) -> None:
    (world.hosts[0].folder / "code").write_text("2")
    with pytest.raises(RunbookError, match=r"step 3 \(Create a database backup\) failed on undercloud"):
        world.back_up()
    assert world.sets() == []
    assert not world.half_written()
    assert not world.hosts[0].at_work


@pytest.mark.parametrize("parameters", [{"content": ["config-drive"]}, {"methods": []}, {"hash_at_most_mib": -1}])
def test_what_is_not_there_yet_is_refused_by_its_name(parameters: dict[str, object]) -> None:
    backup_undercloud.validate_parameters({"site": "lab"})
    with pytest.raises(ParameterTypeError, match=next(iter(parameters))):
        backup_undercloud.validate_parameters({"site": "lab"} | parameters)
