"""backup-control-plane with images: what is paused runs again, whatever happens, and an image that is not whole fails the run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from blocks.remote.errors import Refused, RunbookError
from flows.backup_control_plane import hosts, procedure_with_images
from tasks.backup.records import images_of
from tasks.engine.cleanup import clean_up
from tasks.engine.plan import Plan
from tasks.engine.run import Run, TakeUp
from tasks.runbooks.node_images.making import record_images
from tests.unit.fakes import silent
from tests.unit.flows.backups import Killed
from tests.unit.flows.golden import assert_golden
from tests.unit.flows.imaged_cluster import REQUEST, Imaged, make_imaged
from tests.unit.flows.imaged_hosts import ImagedHost
from tests.unit.tasks.samples import HOSTS

pytestmark = pytest.mark.usefixtures("no_engine", "clock")


@pytest.fixture
def imaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Imaged:
    return make_imaged(tmp_path, monkeypatch)


def taken(run: Run) -> list[str]:
    return list(dict.fromkeys(record.number for record in run.journal.records if record.outcome in {"done", "already"}))


# -- what it does


def test_images_are_made_while_all_is_paused_and_all_runs_again(imaged: Imaged) -> None:
    run, whole = imaged.back_up()
    assert imaged.is_as_before()
    assert taken(run) == [
        *("1", "2b", "2d", "3a", "3b", "3", "3c", "3f", "3g"),
        *("3h", "3i", "3j", "3k", "3l", "3m", "3n", "3o", "3p", "3q", "3r", "3s", "V1"),
    ]
    for host in imaged.hosts:
        (image,) = (imaged.store / host.shell.name).iterdir()
        assert "backup.tar.gz" in (image / "SHA256SUMS").read_text()
    assert "images of controller-0, controller-1, controller-2 are made: 9 containers" in whole.imaging.summary
    assert run.journal.cleanups == []


def test_the_images_are_on_record_of_the_set_with_their_sizes(imaged: Imaged) -> None:
    imaged.back_up()
    imaged.back_up()
    sets = imaged.world.store.catalogue().sets
    for number, stored in enumerate(sets, 1):
        images = images_of(stored.records)
        assert [image.path for image in images] == [f"{name}/2026112{number}T020000Z" for name in HOSTS]
        assert all(image.size_bytes > 0 for image in images)


def test_a_set_whose_images_failed_has_none_and_is_not_verified(imaged: Imaged) -> None:
    imaged.hosts[2].image = lambda: 1
    with pytest.raises(RunbookError):
        imaged.back_up()
    (stored,) = imaged.world.store.catalogue().sets
    assert stored.records == ()
    assert imaged.world.drills == []


def test_the_plan_is_the_golden_one(imaged: Imaged) -> None:
    _, whole = imaged.look()
    whole.backup.store.base = "/backups/lab"
    plan = Plan()
    procedure_with_images(plan, whole._replace(imaging=replace(whole.imaging, root="/backups")))
    assert_golden("backup-control-plane-images", plan)


def test_with_images_the_nodes_of_the_roles_are_worked_on_as_well(imaged: Imaged) -> None:
    site = imaged.world.site
    assert "Controller" not in hosts(site, {})
    assert hosts(site, {"images": True})[-2:] == ["undercloud", "Controller"]
    assert hosts(site, {"images": True, "roles": ["Database", "Messaging"]})[-2:] == ["Database", "Messaging"]


def test_each_role_gets_what_the_document_names_for_it(imaged: Imaged) -> None:
    site = imaged.world.site
    composed = {"ControllerOpenstack": ["controller-0"], "Database": ["controller-1"], "Messaging": ["controller-2"]}
    imaged.world.site = site.model_copy(update={"roles": site.roles | composed | {"mysql": ["controller-1"]}})
    for host in (imaged.hosts[0], imaged.hosts[2]):
        (host.node.folder / "containers" / host.shell.container).unlink()
    imaged.before = [host.node.state for host in imaged.hosts]
    run, _ = imaged.back_up(replace(REQUEST, roles=tuple(composed)))
    where: dict[str, list[str]] = {}
    for record in run.journal.records:
        where.setdefault(record.number, []).append(record.host)
    assert where["1"] == ["controller-0"], "the config drive, on Controllers alone"
    assert where["3"] == ["controller-1"], "the database"
    assert where["2d"] == where["3i"] == where["3l"] == where["3o"] == list(HOSTS)
    assert len(list(imaged.store.rglob("SHA256SUMS"))) == 3
    assert imaged.is_as_before()


def test_a_node_without_config_drive_ceph_and_ovn_lacks_these_alone(imaged: Imaged) -> None:
    for host in imaged.hosts:
        host.shell.on("readlink", say="")
        for name in [name for name in host.node.containers if name.startswith(("ceph-mon", "ovn-dbs"))]:
            (host.node.folder / "containers" / name).unlink()
    imaged.before = [host.node.state for host in imaged.hosts]
    run, _ = imaged.back_up()
    left_out = {record.number: record.note for record in run.journal.records if record.outcome == "left out"}
    assert left_out.keys() == {"1", "2", "2b", "3h"}
    assert imaged.is_as_before()


def test_a_second_night_makes_images_beside_the_first(imaged: Imaged) -> None:
    imaged.back_up()
    imaged.back_up()
    for host in imaged.hosts:
        images = sorted((imaged.store / host.shell.name).iterdir())
        assert [(image / "SHA256SUMS").exists() for image in images] == [True, True]


def test_health_checks_that_fire_meanwhile_restart_nothing(imaged: Imaged) -> None:
    image = imaged.image_of

    def tick_and_image(host: ImagedHost) -> int:
        imaged.tick()
        return image(host)

    for host in imaged.hosts:
        host.image = lambda host=host: tick_and_image(host)  # type: ignore[misc]
    imaged.back_up()
    assert imaged.is_as_before()


# -- never left paused


def test_whenever_it_is_killed_each_node_releases_itself(imaged: Imaged) -> None:
    """SIGKILL of flow, worker and server at once: nobody comes back. In each state that the nodes come to."""

    def killed() -> None:
        imaged.release_by_themselves()
        assert imaged.is_as_before(), "something stays paused"
        imaged.tick()
        assert imaged.is_as_before()

    imaged.in_every_state(killed)
    imaged.back_up()
    assert len(imaged.states) > 12
    assert imaged.is_as_before()


def test_whenever_it_crashes_the_hooks_release_all_nodes(imaged: Imaged) -> None:
    run, whole = imaged.look()
    run.begin(TakeUp(run.journal), run.journal.run_id)

    def crashed() -> None:
        due = [cleanup for cleanup in run.journal.cleanups if cleanup.key in {"paused", "desync"}]
        assert clean_up(due, run.shells, lambda _: None) == []
        assert imaged.is_as_before(), "something stays paused"

    imaged.in_every_state(crashed)
    procedure_with_images(run, whole)
    assert len(imaged.states) > 12


def kill_in_image(imaged: Imaged) -> None:
    """Kill the run while ReaR is at work on the second node."""

    def die(_: ImagedHost) -> int:
        imaged.world.kill()
        raise Killed

    imaged.hosts[1].image = lambda: die(imaged.hosts[1])
    with pytest.raises(Killed):
        imaged.back_up()
    imaged.world.start_again()


def test_started_again_while_all_is_paused_it_refuses_and_names_who_resumes(imaged: Imaged) -> None:
    kill_in_image(imaged)
    imaged.hosts[1].image = lambda: imaged.image_of(imaged.hosts[1])
    with pytest.raises(Refused) as raised:
        imaged.back_up()
    assert (
        "controller-0: 3 containers are paused: ceph-mon-controller-0, keystone, nova_api; start resume-control-plane"
        in str(raised.value)
    )
    imaged.release_by_themselves()
    assert imaged.is_as_before()
    imaged.back_up()
    assert imaged.is_as_before()


def test_a_node_whose_network_is_cut_releases_itself_and_the_run_releases_the_others(imaged: Imaged) -> None:
    def cut() -> int:
        imaged.hosts[1].shell.off = True
        return 0

    imaged.hosts[1].image = cut
    with pytest.raises(RunbookError, match="controller-1"):
        imaged.back_up()
    held = [host.node.state != was for host, was in zip(imaged.hosts, imaged.before, strict=True)]
    assert held == [False, True, False]
    imaged.hosts[1].shell.off = False
    imaged.hosts[1].shell.fire()
    assert imaged.is_as_before()


@pytest.mark.parametrize(
    "words", ["podman pause", "mysqldump", "ovsdb-client", "config backup", "cluster stop", "cluster start"]
)
def test_whatever_fails_all_nodes_are_released(imaged: Imaged, words: str) -> None:
    for host in imaged.hosts:
        if words == "mysqldump":
            (host.shell.folder / "code").write_text("1")
        else:
            host.shell.on(words, say=1).on("not released within", say=host._release).on("systemd-run", say=host._start)
    with pytest.raises(RunbookError):
        imaged.back_up()
    assert imaged.is_as_before()


def test_where_rear_fails_all_nodes_are_released_and_no_image_is_closed(imaged: Imaged) -> None:
    imaged.hosts[2].image = lambda: 1
    with pytest.raises(RunbookError, match=r"step 3l .* failed on controller-2: .*exit code 1 from `make the image"):
        imaged.back_up()
    assert imaged.is_as_before()
    assert list(imaged.store.rglob("SHA256SUMS")) == []


def test_what_does_not_run_again_is_told_by_its_name(imaged: Imaged) -> None:
    def lose_nova(host: ImagedHost) -> int:
        host.node.set_container("nova_api", "exited")
        return imaged.image_of(host)

    imaged.hosts[0].image = lambda: lose_nova(imaged.hosts[0])
    with pytest.raises(RunbookError, match=r"step 3p .* controller-0: .*container nova_api is exited"):
        imaged.back_up()


# -- images that are not whole


def test_an_image_that_is_not_whole_fails_the_run_once_all_runs_again(imaged: Imaged) -> None:
    def make_and_break(host: ImagedHost) -> int:
        code = imaged.image_of(host)
        (image,) = (imaged.store / host.shell.name).iterdir()
        (image / ".lockfile").touch()
        return code

    imaged.hosts[0].image = lambda: make_and_break(imaged.hosts[0])
    with pytest.raises(RunbookError, match=r"(?s)step 3q .*controller-0.*ReaR has not ended: there is a \.lockfile"):
        imaged.back_up()
    assert imaged.is_as_before()
    assert list(imaged.store.rglob("SHA256SUMS")) == []


def test_an_image_that_somebody_removes_before_it_is_on_record_is_told(imaged: Imaged) -> None:
    run, whole = imaged.look()
    change = record_images(whole.imaging, whole.backup.store, whole.backup.name)
    (call,) = change.commands
    with pytest.raises(
        RunbookError, match="the images of controller-0, controller-1, controller-2 are not there any more"
    ):
        call.perform(whole.backup.store.shell, silent)
    run.close()
