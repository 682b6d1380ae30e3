"""Pacemaker's words of three releases, and what is run to take the bundle from it and to give it back."""

from collections.abc import Callable
from pathlib import Path

import pytest

from blocks.remote.command import Command
from blocks.remote.errors import HostError, WaitExpired
from tasks.engine.change import Change
from tasks.engine.step import apply_change
from tasks.node.pacemaker import (
    adopt,
    check_health,
    manage,
    manage_again,
    parse_bundle,
    parse_charge,
    parse_galera_pid,
    read_bundle,
    read_galera_pid,
    refresh,
    see_container,
    unmanage,
)
from tests.unit.fakes import FakeClock, FakeShell, LocalShell, silent
from tests.unit.tasks.crm import OTHER, Replica, in_cib, pacemaker_1_1, pacemaker_2_1

Write = Callable[[list[Replica], bool], str]
EVERY_RELEASE = pytest.mark.parametrize(
    ("write", "promoted"), [(pacemaker_1_1, "Master"), (pacemaker_1_1, "Promoted"), (pacemaker_2_1, "Promoted")]
)
DEFAULT_PID = "/var/run/mysql/mysqld.pid"


@EVERY_RELEASE
def test_a_healthy_bundle_is_promoted_and_reached_everywhere(write: Write, promoted: str) -> None:
    bundle = parse_bundle("controller-0", write([Replica(promoted)] * 3, True), "galera-bundle")
    assert (bundle.name, bundle.promoted, bundle.replicas, bundle.connected, bundle.blocked) == (
        *("galera-bundle", 3, 3, 3),
        0,
    )


@EVERY_RELEASE
@pytest.mark.parametrize("role", ["Slave", "Unpromoted", "Stopped", "Started"])
def test_a_replica_in_another_role_is_not_promoted(write: Write, promoted: str, role: str) -> None:
    bundle = parse_bundle("x", write([Replica(promoted), Replica(role), Replica(promoted)], True), "galera-bundle")
    assert (bundle.promoted, bundle.replicas) == (2, 3)


@EVERY_RELEASE
def test_a_replica_that_has_failed_is_not_promoted_whatever_its_role(write: Write, promoted: str) -> None:
    xml = write([Replica(promoted, failed=True), *[Replica(promoted)] * 2], True)
    assert parse_bundle("x", xml, "galera-bundle").promoted == 2


@EVERY_RELEASE
def test_a_replica_that_pacemaker_does_not_reach_counts_as_not_promoted(write: Write, promoted: str) -> None:
    xml = write([Replica(promoted)] * 3, True).replace(
        'pacemaker:remote" role="Started"', 'pacemaker:remote" role="Starting"', 1
    )
    bundle = parse_bundle("x", xml, "galera-bundle")
    assert (bundle.promoted, bundle.connected) == (2, 2)


@EVERY_RELEASE
def test_the_containers_that_pacemaker_believes_to_run_are_named(write: Write, promoted: str) -> None:
    xml = write([Replica(promoted)] * 3, True).replace(
        'heartbeat:podman" role="Started" ', 'heartbeat:podman" role="Stopped" ', 2
    )
    running = parse_bundle("x", xml, "galera-bundle").running
    assert running < {"galera-bundle-podman-0", "galera-bundle-podman-1", "galera-bundle-podman-2"}
    assert "galera-bundle-podman-2" in running


@EVERY_RELEASE
def test_replicas_that_pacemaker_has_given_up_on_are_counted(write: Write, promoted: str) -> None:
    xml = write([Replica(promoted), Replica("Stopped", blocked=True), Replica("Stopped", blocked=True)], True)
    assert parse_bundle("x", xml, "galera-bundle").blocked == 2


@pytest.mark.parametrize(
    ("whole", "each", "charge"),
    [
        *((None, None, "managed"), ("true", "true", "managed"), ("false", "false", "unmanaged")),
        *(("false", None, "unmanaged"), (None, "false", "unmanaged"), ("true", "false", "unmanaged")),
    ],
)
def test_a_bundle_is_unmanaged_where_it_or_its_database_is(whole: str | None, each: str | None, charge: str) -> None:
    assert parse_charge(in_cib(whole, each)) == charge


@EVERY_RELEASE
def test_a_missing_bundle_is_refused_with_the_names_of_those_there_are(write: Write, promoted: str) -> None:
    with pytest.raises(HostError, match=r"has no bundle 'galera'; its bundles are galera-bundle, haproxy-bundle"):
        parse_bundle("controller-0", write([Replica(promoted)], True), "galera")


def test_a_cluster_without_any_bundle_is_told_as_such() -> None:
    with pytest.raises(HostError, match="its bundles are none"):
        parse_bundle("x", '<crm_mon version="2.1.5"><resources/></crm_mon>', "galera-bundle")


@pytest.mark.parametrize("text", ["", "Error: cluster is not available on this node", OTHER[:40]])
def test_what_is_no_xml_is_refused_with_a_hint(text: str) -> None:
    with pytest.raises(HostError, match="wrote no XML") as refused:
        parse_bundle("controller-0", text, "galera-bundle")
    assert "pcs status" in refused.value.hint


def test_pacemaker_that_does_not_run_is_told_as_such() -> None:
    with pytest.raises(HostError, match=r"controller-0: Pacemaker does not answer \(crm_mon: exit code 102\)"):
        read_bundle(FakeShell().on("crm_mon", say=102), "galera-bundle")


ATTRIBUTES = (
    '<instance_attributes id="galera-instance_attributes">'
    '<nvpair id="a-log" name="log" value="/var/log/mysql/mysqld.log"/>{pid}'
    '<nvpair id="a-creation" name="enable_creation" value="true"/></instance_attributes>'
)
PID = '<nvpair id="a-pid" name="pid" value="/var/run/mysql/mysqld-osp.pid"/>'


@pytest.mark.parametrize(
    ("xml", "pid"),
    [
        (ATTRIBUTES.format(pid=PID), "/var/run/mysql/mysqld-osp.pid"),
        (f"<xpath-query>{ATTRIBUTES.format(pid=PID)}</xpath-query>", "/var/run/mysql/mysqld-osp.pid"),
        (ATTRIBUTES.format(pid=""), DEFAULT_PID),
        (ATTRIBUTES.format(pid='<nvpair id="a-pid" name="pid" value=""/>'), DEFAULT_PID),
        ("", DEFAULT_PID),
        ("\n", DEFAULT_PID),
    ],
)
def test_the_pid_file_is_the_resources_own_or_else_the_agents_default(xml: str, pid: str) -> None:
    assert parse_galera_pid(xml) == pid


def test_a_resource_without_attributes_has_the_default_pid_file() -> None:
    assert read_galera_pid(FakeShell().on("cibadmin", "type='galera'", say=105)) == DEFAULT_PID


PROMOTED = pacemaker_2_1([Replica()] * 3)
UNREACHED = pacemaker_2_1([Replica("Stopped")] * 3, reached=False)
PROMOTING = pacemaker_2_1([Replica(), Replica("Unpromoted"), Replica("Unpromoted")])
IN_CHARGE, NOT_IN_CHARGE = in_cib(), in_cib("false", "false")


def cluster(*charges: str, status: list[str] | None = None) -> FakeShell:
    """A cluster whose CIB and whose status are these, one after the other."""
    shell = (
        FakeShell()
        .on("pcs", say="")
        .on("crm_resource", say=0)
        .on("crm_simulate", say="")
        .on("crm_mon", say=[*(status or [PROMOTED])])
    )
    return shell.on("cibadmin", "//bundle[@id='galera-bundle']", say=[*charges])


def test_a_managed_bundle_is_unmanaged_and_looked_at_again(clock: FakeClock) -> None:
    shell = cluster(IN_CHARGE, IN_CHARGE, NOT_IN_CHARGE)
    assert apply_change(shell, unmanage("galera-bundle", 130), silent) == "done"
    assert shell.lines("pcs") == ["sudo pcs resource unmanage galera-bundle"]


RESTS = "Revised Cluster Status:\n  * Online: [ controller-0 ]"
NO_OPERATION = ""
PROMOTES = (
    '<xpath-query>\n  <lrm_rsc_op id="galera_last_0" operation_key="galera_promote_0" operation="promote" op-status="-1"/>\n'
    "</xpath-query>"
)
IDLE, BUSY, JOINING = "S_IDLE", "S_TRANSITION_ENGINE", "S_FINALIZE_JOIN"


def plans(*actions: str) -> str:
    return "\n".join(("Executing Cluster Transition:", *(f"  * {action}" for action in actions), "", RESTS))


# The state that Pacemaker is in, what it would do next, what it has under way; whether it is waited for.
SETTLING = {
    "it rests": (IDLE, RESTS, NO_OPERATION, False),
    "a promotion is under way": (IDLE, RESTS, PROMOTES, True),
    "a start of the container is under way": (
        BUSY,
        RESTS,
        PROMOTES.replace('"galera_last', '"galera-bundle-podman-1_last'),
        True,
    ),
    "another resource is at work": (BUSY, RESTS, PROMOTES.replace('"galera_last', '"rabbitmq_last'), False),
    "another resource is to be started for ever": (BUSY, plans("Resource action: cinder-volume start on x"), "", False),
    "one of a similar name is": (BUSY, plans("Resource action: galera2   monitor on x"), NO_OPERATION, False),
    "the database is to be stopped": (IDLE, plans("Resource action: galera    stop on galera-bundle-0"), "", True),
    "a look at it is to be ended": (
        IDLE,
        plans("Resource action: galera    cancel=10000 on galera-bundle-0"),
        "",
        True,
    ),
    "the bundle is to be started": (IDLE, plans("Pseudo action:   galera-bundle_start_0"), NO_OPERATION, True),
    "a container is to be looked for": (
        IDLE,
        plans("Resource action: galera-bundle-podman-1 monitor on c-1"),
        "",
        True,
    ),
    "older Pacemaker plans": (IDLE, " * Pseudo action:   galera-bundle_start_0\nRevised cluster status:", "", True),
    "a host is to be fenced": (IDLE, f" * Fencing controller-1 (reboot)\n{RESTS}", NO_OPERATION, True),
    "a node joins": (JOINING, RESTS, NO_OPERATION, True),
    "nobody knows what is planned": (IDLE, "", NO_OPERATION, True),
    "nobody knows in which state it is": ("", RESTS, NO_OPERATION, True),
}


@pytest.mark.parametrize("case", SETTLING)
def test_pacemaker_is_waited_for_only_where_it_works_on_the_bundle(tmp_path: Path, case: str) -> None:
    state, planned, under_way, waited_for = SETTLING[case]
    assert still_works(tmp_path, state, planned, under_way, within_s=1 if waited_for else 30) is waited_for


def test_a_cluster_that_settles_is_not_waited_for_any_longer(tmp_path: Path) -> None:
    """It has a promotion under way at the first two looks."""
    begins = f"[ -e {tmp_path}/second ] && exit; [ -e {tmp_path}/first ] && touch {tmp_path}/second; touch {tmp_path}/first\n"
    assert not still_works(tmp_path, IDLE, RESTS, PROMOTES, before_query=begins, within_s=20)
    assert (tmp_path / "second").exists()


def test_questions_that_nobody_answers_do_not_last(tmp_path: Path) -> None:
    assert still_works(tmp_path, IDLE, RESTS, NO_OPERATION, crmadmin="exec sleep 300")


def still_works(
    folder: Path,
    state: str,
    planned: str,
    under_way: str,
    *,
    before_query: str = "",
    crmadmin: str = "",
    within_s: float = 1,
) -> bool:
    """Whether it is waited for to the bound, where Pacemaker's programs say this."""
    for name, text in {"plan": planned, "under-way": under_way}.items():
        (folder / name).write_text(text)
    programs = {
        "crmadmin": crmadmin
        or f"""if [ "$1" = -D ]; then echo "Designated Controller is: controller-0"; exit; fi
            [ "$*" = "-S controller-0" ] && echo "Controller on controller-0 in state {state}: ok" """,
        "crm_simulate": f'[ "$*" = "-L -S" ] && cat {folder}/plan',
        "cibadmin": f"""case $* in
            *lrm_rsc_op*) {before_query} cat {folder}/under-way; [ -s {folder}/under-way ] || exit 105;;
            *bundle*) echo '<primitive class="ocf" id="galera" type="galera">';;
            esac""",
    }
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/bash\n{text}\n")
        (folder / name).chmod(0o755)
    _, settle = unmanage("galera-bundle", within_s).commands
    assert isinstance(settle, Command)
    return "still works on galera-bundle" in LocalShell(folder).run(settle).stdout


def test_an_unmanaged_bundle_is_left_as_it_is(clock: FakeClock) -> None:
    shell = cluster(NOT_IN_CHARGE)
    assert apply_change(shell, unmanage("galera-bundle", 130), silent) == "already"
    assert shell.lines("pcs") == []


SEEN, UNSEEN = PROMOTED, PROMOTED.replace('heartbeat:podman" role="Started"', 'heartbeat:podman" role="Stopped"')


def test_pacemaker_looks_again_at_a_container_that_it_believes_to_be_stopped(clock: FakeClock) -> None:
    shell = cluster(status=[UNSEEN, UNSEEN, SEEN])
    assert apply_change(shell, see_container("galera-bundle", "galera-bundle-podman-1", 60), silent) == "done"
    assert shell.lines("crm_resource") == ["sudo crm_resource --refresh --resource galera-bundle-podman-1"]


def test_a_container_that_pacemaker_sees_running_is_left_alone(clock: FakeClock) -> None:
    shell = cluster(status=[SEEN])
    assert apply_change(shell, see_container("galera-bundle", "galera-bundle-podman-1", 60), silent) == "already"
    assert shell.lines("crm_resource") == []


def test_a_container_that_pacemaker_never_sees_is_told(clock: FakeClock) -> None:
    with pytest.raises(
        WaitExpired, match=r"container galera-bundle-podman-1, as Pacemaker sees it, never became 'running'"
    ):
        apply_change(cluster(status=[UNSEEN]), see_container("galera-bundle", "galera-bundle-podman-1", 60), silent)


def test_giving_it_back_waits_until_every_replica_is_promoted(clock: FakeClock) -> None:
    shell = cluster(NOT_IN_CHARGE, status=[PROMOTING, PROMOTING, PROMOTED])
    assert apply_change(shell, manage("galera-bundle", 60), silent) == "done"
    assert shell.lines("pcs") == ["sudo pcs resource manage galera-bundle"]


def test_giving_it_back_for_adoption_waits_until_pacemaker_reaches_every_container(clock: FakeClock) -> None:
    shell = cluster(NOT_IN_CHARGE, status=[UNREACHED, UNREACHED, PROMOTING])
    assert apply_change(shell, manage_again("galera-bundle", 60), silent) == "done"
    assert shell.lines("pcs") == ["sudo pcs resource manage galera-bundle"]


def test_a_container_that_pacemaker_does_not_reach_is_told_with_the_count(clock: FakeClock) -> None:
    with pytest.raises(WaitExpired, match=r"last seen '0 of 3 up'"):
        apply_change(cluster(NOT_IN_CHARGE, status=[UNREACHED]), manage_again("galera-bundle", 60), silent)


@pytest.mark.parametrize("change", [manage("galera-bundle", 60), manage_again("galera-bundle", 60)])
def test_a_bundle_that_is_managed_is_not_given_back_again(clock: FakeClock, change: Change) -> None:
    shell = cluster(IN_CHARGE)
    assert apply_change(shell, change, silent) == "already"
    assert shell.lines("pcs") == []


@pytest.mark.parametrize("change", [manage("galera-bundle", 60), refresh("galera-bundle", 60)])
def test_a_cluster_that_is_not_promoted_in_time_is_told_with_the_count(clock: FakeClock, change: Change) -> None:
    with pytest.raises(WaitExpired, match=r"last seen '1 of 3 Promoted'"):
        apply_change(cluster(NOT_IN_CHARGE, status=[PROMOTING]), change, silent)


def test_adoption_is_awaited_and_changes_nothing(clock: FakeClock) -> None:
    shell = cluster(status=[PROMOTING, PROMOTING, PROMOTED])
    assert apply_change(shell, adopt("galera-bundle", 60), silent) == "done"
    assert len(shell.lines("crm_mon")) == 3
    assert shell.lines("pcs") == []


@pytest.mark.parametrize("code", [0, 1, 124])
def test_pacemaker_is_made_to_look_again_and_judged_by_the_promotion(clock: FakeClock, code: int) -> None:
    shell = cluster(status=[PROMOTING, PROMOTING, PROMOTED]).on("pcs resource refresh", say=code)
    assert apply_change(shell, refresh("galera-bundle", 60), silent) == "done"
    assert shell.lines("pcs") == ["sudo pcs resource refresh galera-bundle"]


def test_the_bundle_is_healthy_once_it_is_managed_and_promoted(clock: FakeClock) -> None:
    shell = cluster(NOT_IN_CHARGE, IN_CHARGE, status=[PROMOTED, PROMOTING, PROMOTED])
    assert apply_change(shell, check_health("galera-bundle", 60), silent) == "done"
    assert len(shell.lines("crm_mon")) == 3
    assert shell.lines("pcs") == []


@pytest.mark.parametrize(
    ("charge", "status", "seen"),
    [(NOT_IN_CHARGE, PROMOTED, "unmanaged and all Promoted"), (IN_CHARGE, PROMOTING, "managed and 1 of 3 Promoted")],
)
def test_a_bundle_that_does_not_become_healthy_is_told_as_seen(
    clock: FakeClock, charge: str, status: str, seen: str
) -> None:
    with pytest.raises(WaitExpired, match=seen):
        apply_change(cluster(charge, status=[status]), check_health("galera-bundle", 60), silent)


def test_a_cluster_that_was_adopted_is_not_looked_at_again(clock: FakeClock) -> None:
    shell = cluster(IN_CHARGE)
    assert apply_change(shell, refresh("galera-bundle", 60), silent) == "already"
    assert shell.lines("pcs") == []
