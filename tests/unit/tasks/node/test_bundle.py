"""Pacemaker's words of three releases."""

from collections.abc import Callable

import pytest

from blocks.remote.errors import HostError
from tasks.node.bundle import (
    parse_bundle,
    parse_galera_pid,
    parse_managed_state,
    read_bundle,
    read_galera_pid,
)
from tests.unit.fakes import FakeShell
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
    ("whole", "each", "state"),
    [
        *((None, None, "managed"), ("true", "true", "managed"), ("false", "false", "unmanaged")),
        *(("false", None, "unmanaged"), (None, "false", "unmanaged"), ("true", "false", "unmanaged")),
    ],
)
def test_a_bundle_is_unmanaged_where_it_or_its_database_is(whole: str | None, each: str | None, state: str) -> None:
    assert parse_managed_state(in_cib(whole, each)) == state


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
