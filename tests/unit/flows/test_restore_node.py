"""restore-node on machines in memory: whole, killed at every change and taken up again, and each of its refusals."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blocks.remote.command import script
from blocks.remote.errors import CommandFailed, Refused, RunbookError, Unreachable
from blocks.remote.shell import Result, Shell
from flows.restore_node import NAME, procedure, restore_node
from tasks.backup.listing import LIST
from tasks.engine.journal import Journal
from tasks.engine.plan import Plan, plan_of
from tasks.engine.run import Run
from tasks.engine.step import StepFailed
from tasks.node.ironic import REASON
from tasks.runbooks.restore_node.agreements import host_of
from tasks.runbooks.restore_node.job import Job, Request, hosts_of_restore
from tasks.runbooks.restore_node.preflight import look
from tests.redfish.service import PASSWORD
from tests.unit.fakes import FakeClock
from tests.unit.flows.backup_cluster import make_backup
from tests.unit.flows.cluster import Killed
from tests.unit.flows.golden import assert_golden
from tests.unit.flows.machine_room import COMPUTE, TIME, Machine, Room, run_of, stored
from tests.unit.tasks.backup.samples import make_store
from tests.unit.tasks.crm import Replica
from tests.unit.tasks.samples import HOSTS, journal

pytestmark = pytest.mark.usefixtures("no_engine", "clock")
ALL = Request()
TIMEOUTS = [f"{what}_timeout_s" for what in ("compare", "bmc", "rescue", "console", "recover", "start", "consistency")]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    return FakeClock(monkeypatch)


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Room:
    return Room(monkeypatch, tmp_path)


def open_run(room: Room, request: Request = ALL) -> Run:
    site = room.site()
    names = hosts_of_restore(site, {"nodes": request.nodes})
    shells: dict[str, Shell] = {"undercloud": room.undercloud} if "undercloud" in names else {}
    return Run(NAME, site, {**shells, "backup-node": room.store}, False, journal(runbook=NAME))


def look_at(room: Room, request: Request = ALL) -> tuple[Run, Job]:
    run = open_run(room, request)
    return run, look(run, request, lambda job: plan_of(procedure, job).numbers)


def restore(room: Room, request: Request = ALL) -> Run:
    """One run of the flow: preflight, then the procedure."""
    run, job = look_at(room, request)
    run.begin(job.resume.take_up, "22222222")
    procedure(run, job)
    run.finish()
    return run


def kill(room: Room, at: int, *, after: bool = True, request: Request = ALL) -> None:
    """Run until the flow's process dies at a change."""
    room.changes, room.kill_at, room.after = 0, at, after
    with suppress(Killed):
        restore(room, request)
    room.dead, room.kill_at = False, 0


def is_restored(machine: Machine) -> None:
    assert (machine.disk, machine.system, machine.service.power) == ("whole", "own", "On")
    assert (machine.service.image, machine.service.target) == (None, "Hdd")


def all_restored(room: Room, names: tuple[str, ...] = HOSTS) -> None:
    assert set(room.undercloud.ironic.values()) == {None}, "Ironic looks after them again"
    for name in names:
        is_restored(room.machines[name])
    assert "current.json" not in {**room.undercloud.journals, **room.store.journals}


def outcomes(run: Run) -> list[tuple[str, str]]:
    return list(dict.fromkeys((record.number, record.outcome) for record in run.journal.records))


def test_all_nodes_of_the_control_plane_come_back_from_empty_disks(room: Room) -> None:
    run = restore(room)
    all_restored(room)
    assert {machine.boots for name, machine in room.machines.items() if name in HOSTS} == {1}
    told = {record.number for record in run.journal.records}
    assert told >= {"1", "2.1", "2.2", "2.3", "3", "4", "5", "6", "7", "8", "9"}
    assert {record.host for record in run.journal.records if record.number == "4"} == set(HOSTS)
    closed = Journal.model_validate_json(next(iter(room.undercloud.journals.values())))
    assert (closed.finished, closed.in_force) == (True, {})
    assert room.store.units == {}


def test_the_undercloud_comes_back_and_the_journal_is_on_the_backup_node(room: Room) -> None:
    run = restore(room, Request(("undercloud",)))
    machine = room.machines["undercloud"]
    assert (machine.disk, machine.system, machine.service.image) == ("image", "own", None)
    (closed,) = room.store.journals.values()
    assert Journal.model_validate_json(closed).finished
    assert room.undercloud.journals == {}
    left_out = {record.number for record in run.journal.records if record.outcome == "left out"}
    assert {"5", "7f", "7g", "8", "9"} <= left_out


def test_one_node_is_restored_with_a_reason_and_no_other_is_touched(room: Room) -> None:
    for name in HOSTS[1:]:
        machine = room.machines[name]
        machine.disk = machine.system = "own"
        machine.service.power = "On"
    request = Request(("controller-0",), reason="its disk has failed, and the cluster serves")
    run, job = look_at(room, request)
    assert "not all 3 nodes of the control plane: its disk has failed" in job.summary
    restore(room, request)
    all_restored(room, ("controller-0",))
    assert [room.machines[name].service.resets for name in HOSTS[1:]] == [[], []]
    assert run.site.site == "lab"


@pytest.mark.parametrize(
    ("request_", "typed"),
    [
        (Request(("controller-1",), reason="its disk has failed"), "controller-1"),
        (Request(("undercloud",)), "undercloud"),
        (Request(HOSTS[:2], reason="the third serves"), ""),
        (ALL, ""),
    ],
)
def test_one_node_is_approved_by_its_own_name_and_several_by_the_sites(
    room: Room, request_: Request, typed: str
) -> None:
    _, job = look_at(room, request_)
    work = restore_node.fn.__wrapped__(site="lab")  # type: ignore[attr-defined]
    assert work.approve_node(job) == typed


# What holds for two nodes beside each other holds for three.
TWO = Request(HOSTS[:2], reason="the third serves")


def test_ironic_leaves_the_nodes_alone_meanwhile_and_what_somebody_has_set_stays(room: Room) -> None:
    room.undercloud.ironic["controller-1"] = "broken fan"
    seen: list[dict[str, str | None]] = []
    room.machines["controller-0"].service.booted = lambda _: seen.append(dict(room.undercloud.ironic))
    with pytest.raises(StepFailed):
        restore(room)  # the first of them never boots
    assert seen[0] == {"controller-0": REASON, "controller-1": "broken fan", "controller-2": REASON}
    run, _ = look_at(room)
    assert run.journal.in_force["maintenance"] == "Ironic has controller-0, controller-2 in maintenance"


def test_an_ironic_that_is_not_there_or_does_not_answer_keeps_no_node_dead(room: Room) -> None:
    room.undercloud.has_ironic = False
    assert ("0a", "left out") in outcomes(restore(room))
    room.undercloud.has_ironic = CommandFailed("undercloud", "ask Ironic for its nodes", 1, "503")
    run, job = look_at(room, Request(even_if_up=True))
    assert job.ironic == ()
    assert "set their maintenance by hand" in run.facts[-1]


def count_changes(monkeypatch: pytest.MonkeyPatch, folder: Path, request: Request = ALL) -> int:
    room = Room(monkeypatch, folder)
    restore(room, request)
    return room.changes


@pytest.mark.parametrize("after", [True, False])
def test_a_run_that_is_killed_at_any_change_is_taken_up_to_the_same_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, after: bool
) -> None:
    changes = count_changes(monkeypatch, tmp_path, TWO)
    assert changes > 40, "else next to nothing would be killed"
    for at in range(1, changes + 1):
        room = Room(monkeypatch, tmp_path)
        kill(room, at, after=after, request=TWO)
        try:
            if unfinished(room):
                restore(room, TWO)
            all_restored(room, HOSTS[:2])
            assert max(machine.boots for machine in room.machines.values()) == 1, "no ISO is booted a second time"
        except (AssertionError, RunbookError) as error:
            raise AssertionError(f"killed at change {at}") from error


def unfinished(room: Room) -> bool:
    return not room.undercloud.journals or "current.json" in room.undercloud.journals


def test_machines_that_lose_power_as_the_run_dies_are_booted_and_recovered_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Until their disks are whole; later, whatever has no power is told."""
    killed = 0
    for at in range(1, count_changes(monkeypatch, tmp_path, TWO), 2):
        room = Room(monkeypatch, tmp_path)
        kill(room, at, request=TWO)
        if not unfinished(room) or (room.undercloud.journals and begun_at(room) >= "6"):
            continue
        killed += 1
        for machine in room.machines.values():
            machine.service.power = "Off"
            machine._lose_power()
        restore(room, TWO)
        all_restored(room, HOSTS[:2])
    assert killed > 10


def begun_at(room: Room) -> str:
    return Journal.model_validate_json(room.undercloud.journals["current.json"]).begun


def killed_at_step(monkeypatch: pytest.MonkeyPatch, folder: Path, number: str) -> Room:
    """Machines on which a run has died at the last change of this step."""
    last = 0
    for at in range(1, count_changes(monkeypatch, folder) + 1):
        room = Room(monkeypatch, folder)
        kill(room, at)
        if "current.json" in room.undercloud.journals and begun_at(room) == number:
            last = at
        elif last:
            break
    room = Room(monkeypatch, folder)  # the one that is asked is the one that was made last
    kill(room, last)
    return room


def test_a_recovery_that_is_at_work_is_attached_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    room = killed_at_step(monkeypatch, tmp_path, "4")
    assert [room.machines[name].job.state for name in HOSTS] == ["ended", "ended", "running"]
    run = restore(room)
    all_restored(room)
    assert ("4", "attached") in outcomes(run)
    assert {machine.boots for name, machine in room.machines.items() if name in HOSTS} == {1}


def test_other_nodes_or_images_are_refused_once_a_disk_may_be_half_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    room = killed_at_step(monkeypatch, tmp_path, "4")
    told = refusal(room, Request(("controller-0",), reason="one is enough"))
    assert "restores controller-0 from controller-0/20261127T020000Z, controller-1 from" in told
    assert "start the runbook again with the same `nodes` and `image`" in told
    room = killed_at_step(monkeypatch, tmp_path, "2.1")
    request = Request(("controller-0",), reason="one is enough")
    run, job = look_at(room, request)
    assert "beginning with other nodes" in job.resume.why
    assert run.journal.in_force, "what stands is told all the same"
    (left,) = [finding for finding in job.findings if finding.startswith("an earlier attempt")]
    assert "Ironic has controller-0, controller-1, controller-2 in maintenance" in left


def test_a_node_that_somebody_has_booted_once_its_disk_was_whole_keeps_its_power(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    room = killed_at_step(monkeypatch, tmp_path, "6")
    machine = room.machines["controller-1"]
    machine.service.power, machine.system = "On", "own"
    before = list(machine.service.resets)
    restore(room)
    assert machine.service.resets == before
    all_restored(room)


def test_a_node_that_somebody_has_restored_by_hand_meanwhile_is_not_erased_unasked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    room = killed_at_step(monkeypatch, tmp_path, "4")
    machine = room.machines["controller-1"]
    machine.disk, machine.system = "whole", "own"
    assert "controller-1: it answers: what is on its disk would be lost" in refusal(room)
    restore(room, Request(even_if_up=True))
    all_restored(room)


def test_without_a_bmc_it_says_what_to_do_at_the_console_and_goes_on_when_that_is_done(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, clock: FakeClock
) -> None:
    room = Room(monkeypatch, tmp_path, with_bmc=())
    sleep = clock._sleep

    def work_at_the_console(seconds: float) -> None:
        sleep(seconds)
        for name in HOSTS:
            machine = room.machines[name]
            if machine.service.power == "Off":
                machine.service.power = "On"
                machine._boot(from_cd=machine.disk != "whole")

    monkeypatch.setattr("time.sleep", work_at_the_console)
    run = restore(room)
    for name in HOSTS:
        assert (room.machines[name].disk, room.machines[name].system) == ("whole", "own")
    (finding,) = [finding for finding in run.journal.findings if finding.startswith("controller-1")]
    assert "boot /ctl_plane_backups/controller-1/20261127T020000Z/controller-1.iso of backup-node" in finding
    assert {number for number, outcome in outcomes(run) if outcome == "left out"} >= {
        "1",
        "2.1",
        "2.2",
        "2.3",
        "7",
        "7a",
    }


def test_nobody_at_the_console_is_told_with_the_step(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    room = Room(monkeypatch, tmp_path, with_bmc=())
    with pytest.raises(StepFailed, match=r"step 2\.4 \(At the console: .* never became 'ready' within 240:00 min"):
        restore(room)


def failing(room: Room, request: Request = ALL) -> StepFailed:
    run, job = look_at(room, request)
    run.begin(job.resume.take_up, "22222222")
    with pytest.raises(StepFailed) as failed:
        procedure(run, job)
    room.failed = run  # type: ignore[attr-defined]
    return failed.value


def test_a_damaged_archive_ends_the_run_before_any_power_is_cut(room: Room) -> None:
    room.store.damaged.add(run_of("controller-1"))
    failed = failing(room)
    assert "step 0 " in failed.message
    assert all(machine.service.resets == [] for machine in room.machines.values())


def test_a_rescue_system_that_never_answers_is_told_and_no_disk_is_touched(room: Room) -> None:
    room.machines["controller-2"].deaf = True
    failed = failing(room)
    assert (
        "step 3 (Wait for the rescue systems) failed on controller-2: controller-2: the rescue system never became 'ready'"
        in failed.message
    )
    assert "console" in failed.hint
    assert {machine.disk for machine in room.machines.values()} == {""}


@pytest.mark.parametrize(
    ("attribute", "value", "said"),
    [
        ("run", run_of("controller-1"), "its rescue system is of the image controller-1/"),
        ("uuid", "00000000-0000-0000-0000-000000000001", "this is another machine"),
        ("disks", "disk\t/dev/vda\t1024\tX \n", "is smaller than"),
        ("disks", "disk\t/dev/vda\t6442450944\tA \ndisk\t/dev/vdb\t6442450944\tB \n", "nobody has named it"),
    ],
)
def test_what_does_not_belong_together_is_never_erased(room: Room, attribute: str, value: str, said: str) -> None:
    setattr(room.machines["controller-0"], attribute, value)
    assert said in failing(room).message
    assert {machine.disk for machine in room.machines.values()} == {""}


def test_a_disk_beside_another_is_restored_once_somebody_has_named_it(room: Room) -> None:
    room.machines["controller-0"].disks = "disk\t/dev/vda\t6442450944\tA \ndisk\t/dev/vdb\t6442450944\tB \n"
    restore(room, Request(disks={"controller-0": ("A",)}))
    all_restored(room)


def test_a_recovery_that_fails_says_that_the_disk_is_half_written_and_the_next_run_writes_it_anew(room: Room) -> None:
    room.machines["controller-1"].fails = 1
    failed = failing(room)
    assert (
        "step 4 (Restore the nodes) failed on controller-1: controller-1: rear recover ended with 1" in failed.message
    )
    assert "can't mount the store" in failed.hint
    run: Run = room.failed  # type: ignore[attr-defined]
    assert "hold neither what was there nor the image" in run.journal.in_force["disks"]
    room.machines["controller-1"].fails = 0
    restore(room)
    all_restored(room)


def test_a_question_of_rears_is_told_by_its_words(room: Room) -> None:
    room.machines["controller-0"].question = "Confirm the layout\n(default '1' timeout 300 seconds)\n"
    assert "rear recover asks something" in failing(room).message


def test_a_bmc_that_refuses_is_told_with_the_nodes_power_and_media_as_they_are(room: Room) -> None:
    room.machines["controller-0"].service.targets = ("None", "Pxe", "Hdd")
    failed = failing(room)
    assert (
        "step 2.2 (Have the next boot be from it) failed on controller-0's BMC: controller-0's BMC: it can't be told to boot"
        in failed.message
    )
    run: Run = room.failed  # type: ignore[attr-defined]
    assert run.journal.in_force["off"] == "controller-0, controller-1, controller-2 are off, or in their rescue systems"


def test_a_galera_that_does_not_come_back_by_itself_is_cleaned_up_and_then_told(room: Room) -> None:
    machine = room.machines["controller-0"]
    machine.replicas, machine.failed = [Replica(), Replica("Slave"), Replica()], True
    run = restore(room)
    assert {("8a", "done"), ("8b", "done"), ("8c", "done")} <= set(outcomes(run))
    all_restored(room)


def test_where_galera_stays_down_the_failing_step_names_restore_galera_with_its_set(room: Room, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    store = make_store(tmp_path / "store")
    name = make_backup(store)
    room.store.listing = store.shell.run(script(LIST, store.settings.path, "lab")).stdout
    machine = room.machines["controller-0"]
    machine.replicas, machine.lost = [Replica(), Replica("Slave"), Replica()], True
    failed = failing(room)
    assert failed.message.startswith("step 8c (Check the status of Pacemaker again) failed on controller-0")
    assert f"`prefect deployment run restore-galera -p site=lab -p backup={name}` (the newest" in failed.hint
    assert failing(room).number == "8c", "started again too early it waits in vain again, and is not complete"
    machine.replicas = [Replica()] * 3  # somebody has done so
    run = restore(room)
    all_restored(room)
    assert ("8", "done") in outcomes(run)
    taken = {number for number, outcome in outcomes(run) if outcome not in ("earlier", "left out")}
    assert {"4", "6"} & taken == set()


def test_a_cluster_that_is_lost_after_it_was_whole_is_seen_by_the_run_that_is_taken_up(room: Room) -> None:
    machine = room.machines["controller-0"]
    machine.own.on("sync_mode log", say=Unreachable("controller-0", "no route to host"))
    assert failing(room).number == "8d"
    machine.replicas, machine.lost = [Replica(), Replica("Slave"), Replica()], True
    assert failing(room).number == "8c"


def test_a_store_that_has_no_list_of_backups_keeps_no_node_dead(room: Room) -> None:
    room.store.listing = CommandFailed("backup-node", "list the backups", 66, "")
    _, job = look_at(room)
    assert "exit code 66 from `list the backups`; `python -m deployments backups list`" in job.galera_set.hint


EVERYTHING = {"ovn": "8d", "allocations": "8e", "orphaned-allocations": "8f", "cells": "8g"}


def findings(run: Run) -> list[str]:
    return [finding for finding in run.journal.findings if finding.startswith("controller-0: ")]


def test_what_must_agree_is_compared_and_where_it_does_nothing_is_told_or_repaired(room: Room) -> None:
    run = restore(room)
    told = outcomes(run)
    for number in EVERYTHING.values():
        assert {(number, "done"), (f"{number}.1", "left out")} <= set(told)
    assert findings(run) == []
    assert {record.host for record in run.journal.records if record.number == "8d"} == {"controller-0"}


def test_differences_are_counted_and_told_and_nothing_is_repaired_that_nobody_has_approved(room: Room) -> None:
    machine = room.machines["controller-0"]
    machine.differing = {*EVERYTHING}
    run = restore(room)
    all_restored(room)
    told = findings(run)
    assert len(told) == 4
    assert told[0].startswith(
        "controller-0: Neutron and OVN differ in 1: 1 × Port found in Neutron but not in OVN DB, port_id=…. "
        "Nothing of it was repaired; once you know why: `podman exec neutron_api neutron-ovn-db-sync-util --config-file"
    )
    assert "1 × instance … has no allocations" in told[1]
    assert "1 × allocations of consumer … on resource provider … are no instance's" in told[2]
    assert f"1 × compute node {COMPUTE} is in no cell" in told[3]
    assert (machine.mended, machine.differing) == ([], {*EVERYTHING})


@pytest.mark.parametrize("key", EVERYTHING)
def test_what_was_approved_is_repaired_and_nothing_else(room: Room, key: str) -> None:
    machine = room.machines["controller-0"]
    machine.differing = {*EVERYTHING}
    request = Request(repair=(key,))
    _, job = look_at(room, request)
    plan = plan_of(procedure, job)
    (agreement,) = [each for each in job.agreements if each.key == key]
    assert f"{agreement.subject}, where they differ afterwards: {agreement.effect}" in job.destroyed
    assert f"; repaired, where they differ: {key}" in job.summary
    assert [step.number for step in plan.steps if step.sentence.startswith("Repair") and step.hosts] == [
        f"{EVERYTHING[key]}.1"
    ]
    run = restore(room, request)
    assert machine.mended == [key]
    assert machine.differing == {*EVERYTHING} - {key}
    assert (f"{EVERYTHING[key]}.1", "done") in outcomes(run)
    assert sum("It is repaired next, as was approved" in finding for finding in findings(run)) == 1


def test_a_repair_of_what_agrees_is_already_done(room: Room) -> None:
    run = restore(room, Request(repair=tuple(EVERYTHING)))
    assert {(f"{number}.1", "already") for number in EVERYTHING.values()} <= set(outcomes(run))
    assert room.machines["controller-0"].mended == []


@pytest.mark.parametrize("after", [True, False])
def test_a_run_that_is_killed_in_a_repair_is_taken_up_and_repairs_the_rest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, after: bool
) -> None:
    request = Request(repair=tuple(EVERYTHING))

    def differing() -> Room:
        room = Room(monkeypatch, tmp_path)
        room.machines["controller-0"].differing = {*EVERYTHING}
        return room

    room = differing()
    restore(room, request)
    for at in range(room.changes - 12, room.changes + 1):
        room = differing()
        kill(room, at, after=after, request=request)
        if unfinished(room):
            restore(room, request)
        all_restored(room)
        machine = room.machines["controller-0"]
        assert (sorted(machine.mended), machine.differing) == (sorted(EVERYTHING), set())


def test_a_site_without_these_services_is_told_and_restored_all_the_same(room: Room) -> None:
    room.machines["controller-0"].containers = "keystone\n"
    run = restore(room, Request(repair=tuple(EVERYTHING)))
    all_restored(room)
    told = findings(run)
    assert "controller-0: Neutron and OVN were not compared: there is no container neutron_api" in told
    assert sum("were not compared: there is no container nova_api" in finding for finding in told) == 3


def test_a_repair_that_was_asked_for_and_can_not_be_judged_fails_the_run_with_the_nodes_restored(room: Room) -> None:
    room.machines["controller-0"].own.on("sync_mode log", say=Result("", "ImportError: no neutron\n", 1))
    failed = failing(room, Request(repair=("ovn",)))
    assert (
        "step 8d.1 (Repair Neutron and OVN) failed on controller-0: controller-0: Neutron and OVN are not"
        in failed.message
    )
    run: Run = room.failed  # type: ignore[attr-defined]
    assert run.journal.in_force == {}


def test_services_are_asked_on_a_restored_node_that_ran_them(room: Room) -> None:
    _, job = look_at(room)
    ran = [(node.own, replace(node.image, units=("tripleo_nova_api.service",))) for node in job.nodes[1:2]]
    others = [(node.own, node.image) for node in job.nodes[:1]]
    assert host_of("nova_api", [*others, *ran], job.nodes[2].own).name == "controller-1"
    assert host_of("neutron_api", [*others, *ran], job.nodes[2].own).name == "controller-2"


def test_standby_that_came_back_with_the_image_is_cleared(room: Room) -> None:
    room.machines["controller-0"].standby = True
    run = restore(room)
    assert ("7g", "done") in outcomes(run)
    assert not room.machines["controller-0"].standby


def refusal(room: Room, request: Request = ALL) -> str:
    before = room.changes
    with pytest.raises(Refused) as refused:
        look_at(room, request)
    assert room.changes == before
    return "\n".join(refused.value.reasons)


def test_a_node_that_is_up_is_refused_unless_that_is_said(room: Room) -> None:
    machine = room.machines["controller-1"]
    machine.disk, machine.system, machine.service.power = "old", "own", "On"
    assert "controller-1: it answers: what is on its disk would be lost; shut it down" in refusal(room)
    request = Request(even_if_up=True)
    _, job = look_at(room, request)
    assert "(it answers today)" in job.destroyed
    restore(room, request)
    all_restored(room)


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (Request(("controller-0",)), "controller-1, controller-2 would not be restored"),
        (Request(("compute-7",), reason="x"), "compute-7 are no hosts with role Controller"),
        (Request(("undercloud", "controller-0"), reason="x"), "undercloud are no hosts with role Controller"),
        (Request(("undercloud",), repair=("ovn",)), "`repair` names ovn, and nothing of the overcloud is restored"),
        (Request(roles=("Networker",)), "site lab has no role 'Networker'"),
        (Request(image="2025"), f"the store has none of 2025; it has {TIME}"),
        (Request(disks={"compute-7": ("A",)}), "`disks` names compute-7, which is not restored"),
    ],
)
def test_what_can_not_be_meant_is_refused(room: Room, request_: Request, said: str) -> None:
    assert said in refusal(room, request_)


def test_images_that_are_missing_not_whole_or_of_different_nights_are_refused(room: Room) -> None:
    room.store.images["controller-0"] = ""
    room.store.images["controller-1"] = stored("controller-1", whole="no")
    told = refusal(room)
    assert "controller-0: the store has no image that a restore could be told of" in told
    assert f"controller-1: none was found to be whole when it was made: {TIME}" in told
    room.store.images["controller-0"] = stored("controller-0")
    room.store.images["controller-1"] = stored("controller-1", "20261120T020000Z")
    assert "these are of different backups: controller-0/20261127T020000Z, controller-1/20261120T020000Z" in refusal(
        room
    )


def test_a_bmc_that_can_not_do_it_is_a_refusal_and_not_a_surprise(room: Room) -> None:
    room.machines["controller-0"].service.types = ()
    room.machines["controller-1"].service.systems = ("1", "2")
    told = refusal(room)
    assert "controller-0's BMC: it has no virtual drive for an ISO" in told
    assert "controller-1's BMC: it manages 2 systems" in told


def test_a_store_that_no_bmc_can_read_is_refused_unless_it_is_served(room: Room) -> None:
    room.kind = "sftp"
    assert "the store is SFTP, by which no BMC reads an ISO; serve the directory of images by HTTP" in refusal(room)
    room.rear = {"iso_url": "http://192.0.2.100:8080/images/"}
    _, job = look_at(room)
    assert job.nodes[0].iso_url == f"http://192.0.2.100:8080/images/controller-0/{TIME}/controller-0.iso"


def test_an_undercloud_that_keeps_the_store_can_not_be_restored_from_it(room: Room) -> None:
    run = open_run(room, Request(("undercloud",)))
    run.site = run.site.model_copy(update={"backup_node": "undercloud"})
    run.shells["undercloud"] = room.store
    with pytest.raises(Refused, match="its images, and the journal, are on the undercloud itself"):
        look(run, Request(("undercloud",)), lambda job: plan_of(procedure, job).numbers)


def test_a_journal_of_another_version_is_refused(room: Room) -> None:
    other = journal(runbook=NAME, begun="99")
    room.undercloud.journals["current.json"] = other.model_dump_json()
    assert "names a step '99'; another version of this runbook wrote it" in refusal(room)


@pytest.mark.parametrize(
    ("plan", "request_", "with_bmc"),
    [
        (NAME, ALL, HOSTS),
        (f"{NAME}-undercloud", Request(("undercloud",)), ("undercloud",)),
        (f"{NAME}-console", ALL, HOSTS[:2]),
        (f"{NAME}-repair", Request(HOSTS[:1], reason="the others serve", repair=tuple(EVERYTHING)), HOSTS),
    ],
)
def test_the_plan_is_the_golden_one_and_holds_no_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, plan: str, request_: Request, with_bmc: tuple[str, ...]
) -> None:
    _, job = look_at(Room(monkeypatch, tmp_path, with_bmc), request_)
    made = Plan()
    procedure(made, job)
    assert_golden(plan, made)
    assert PASSWORD not in made.text()


def test_what_the_flow_is_asked_for_is_what_is_looked_for(room: Room) -> None:
    asked = {"nodes": ["controller-0"], "image": "2026-11-27", "reason": "one", "disks": {"controller-0": ["A"]}}
    seconds = dict(zip(TIMEOUTS, range(1, len(TIMEOUTS) + 1), strict=True))
    work = restore_node.fn.__wrapped__(  # type: ignore[attr-defined]
        site="lab", even_if_up=True, repair=["cells", "ovn", "cells"], **asked, **seconds
    )
    run = open_run(room, Request(("controller-0",)))
    request = work.look(run).request
    expected = Request(("controller-0",), ("Controller",), "2026-11-27", "one", True, {"controller-0": ("A",)})
    waits: dict[str, Any] = {name.replace("_timeout_s", "_s"): value for name, value in seconds.items()}
    assert request == replace(expected, repair=("cells", "ovn"), **waits)
    assert work.destroys(work.look(run)).startswith(
        "nodes are restored: controller-0 from controller-0/20261127T020000Z"
    )
