"""What is run to take the bundle from Pacemaker, and to give it back."""

import pytest

from blocks.remote.errors import WaitExpired
from tasks.engine.change import Change
from tasks.engine.step import apply_change
from tasks.node.pacemaker import (
    adopt,
    check_health,
    manage_until_connected,
    manage_until_promoted,
    refresh,
    refresh_container,
    unmanage,
)
from tests.unit.fakes import FakeClock, FakeShell, silent
from tests.unit.tasks.crm import Replica, in_cib, pacemaker_2_1

PROMOTED = pacemaker_2_1([Replica()] * 3)
UNREACHED = pacemaker_2_1([Replica("Stopped")] * 3, reached=False)
PROMOTING = pacemaker_2_1([Replica(), Replica("Unpromoted"), Replica("Unpromoted")])
MANAGED, UNMANAGED = in_cib(), in_cib("false", "false")


def cluster(*configurations: str, status: list[str] | None = None) -> FakeShell:
    """A cluster whose CIB and whose status are these, one after the other."""
    shell = (
        FakeShell()
        .on("pcs", say="")
        .on("crm_resource", say=0)
        .on("crm_simulate", say="")
        .on("crm_mon", say=[*(status or [PROMOTED])])
    )
    return shell.on("cibadmin", "//bundle[@id='galera-bundle']", say=[*configurations])


def test_a_managed_bundle_is_unmanaged_and_looked_at_again(clock: FakeClock) -> None:
    shell = cluster(MANAGED, MANAGED, UNMANAGED)
    assert apply_change(shell, unmanage("galera-bundle"), silent) == "done"
    assert shell.lines("pcs") == ["sudo pcs resource unmanage galera-bundle"]


def test_an_unmanaged_bundle_is_left_as_it_is(clock: FakeClock) -> None:
    shell = cluster(UNMANAGED)
    assert apply_change(shell, unmanage("galera-bundle"), silent) == "already"
    assert shell.lines("pcs") == []


SEEN, UNSEEN = PROMOTED, PROMOTED.replace('heartbeat:podman" role="Started"', 'heartbeat:podman" role="Stopped"')


def test_pacemaker_looks_again_at_a_container_that_it_believes_to_be_stopped(clock: FakeClock) -> None:
    shell = cluster(status=[UNSEEN, UNSEEN, SEEN])
    assert apply_change(shell, refresh_container("galera-bundle", "galera-bundle-podman-1", 60), silent) == "done"
    assert shell.lines("crm_resource") == ["sudo crm_resource --refresh --resource galera-bundle-podman-1"]


def test_a_container_that_pacemaker_sees_running_is_left_alone(clock: FakeClock) -> None:
    shell = cluster(status=[SEEN])
    assert apply_change(shell, refresh_container("galera-bundle", "galera-bundle-podman-1", 60), silent) == "already"
    assert shell.lines("crm_resource") == []


def test_a_container_that_pacemaker_never_sees_is_told(clock: FakeClock) -> None:
    with pytest.raises(
        WaitExpired, match=r"container galera-bundle-podman-1, as Pacemaker sees it, never became 'running'"
    ):
        apply_change(cluster(status=[UNSEEN]), refresh_container("galera-bundle", "galera-bundle-podman-1", 60), silent)


def test_giving_it_back_waits_until_every_replica_is_promoted(clock: FakeClock) -> None:
    shell = cluster(UNMANAGED, status=[PROMOTING, PROMOTING, PROMOTED])
    assert apply_change(shell, manage_until_promoted("galera-bundle", 60), silent) == "done"
    assert shell.lines("pcs") == ["sudo pcs resource manage galera-bundle"]


def test_giving_it_back_for_adoption_waits_until_pacemaker_reaches_every_container(clock: FakeClock) -> None:
    shell = cluster(UNMANAGED, status=[UNREACHED, UNREACHED, PROMOTING])
    assert apply_change(shell, manage_until_connected("galera-bundle", 60), silent) == "done"
    assert shell.lines("pcs") == ["sudo pcs resource manage galera-bundle"]


def test_a_container_that_pacemaker_does_not_reach_is_told_with_the_count(clock: FakeClock) -> None:
    with pytest.raises(WaitExpired, match=r"last seen '0 of 3 up'"):
        apply_change(cluster(UNMANAGED, status=[UNREACHED]), manage_until_connected("galera-bundle", 60), silent)


@pytest.mark.parametrize(
    "change", [manage_until_promoted("galera-bundle", 60), manage_until_connected("galera-bundle", 60)]
)
def test_a_bundle_that_is_managed_is_not_given_back_again(clock: FakeClock, change: Change) -> None:
    shell = cluster(MANAGED)
    assert apply_change(shell, change, silent) == "already"
    assert shell.lines("pcs") == []


@pytest.mark.parametrize("change", [manage_until_promoted("galera-bundle", 60), refresh("galera-bundle", 60)])
def test_a_cluster_that_is_not_promoted_in_time_is_told_with_the_count(clock: FakeClock, change: Change) -> None:
    with pytest.raises(WaitExpired, match=r"last seen '1 of 3 Promoted'"):
        apply_change(cluster(UNMANAGED, status=[PROMOTING]), change, silent)


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
    shell = cluster(UNMANAGED, MANAGED, status=[PROMOTED, PROMOTING, PROMOTED])
    assert apply_change(shell, check_health("galera-bundle", 60), silent) == "done"
    assert len(shell.lines("crm_mon")) == 3
    assert shell.lines("pcs") == []


@pytest.mark.parametrize(
    ("configuration", "status", "seen"),
    [(UNMANAGED, PROMOTED, "unmanaged and all Promoted"), (MANAGED, PROMOTING, "managed and 1 of 3 Promoted")],
)
def test_a_bundle_that_does_not_become_healthy_is_told_as_seen(
    clock: FakeClock, configuration: str, status: str, seen: str
) -> None:
    with pytest.raises(WaitExpired, match=seen):
        apply_change(cluster(configuration, status=[status]), check_health("galera-bundle", 60), silent)


def test_a_cluster_that_was_adopted_is_not_looked_at_again(clock: FakeClock) -> None:
    shell = cluster(MANAGED)
    assert apply_change(shell, refresh("galera-bundle", 60), silent) == "already"
    assert shell.lines("pcs") == []
