"""backup-undercloud with images: what is paused runs again whatever happens, under the numbers of its own document."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from blocks.remote.errors import Refused, RunbookError
from flows.backup_undercloud import procedure_with_image
from tasks.backup.records import images_of
from tasks.engine.plan import Plan
from tests.unit.flows.golden import assert_golden
from tests.unit.flows.imaged_cluster import OF_UNDERCLOUD, Imaged, make_imaged_undercloud

pytestmark = pytest.mark.usefixtures("no_engine", "clock")


@pytest.fixture
def imaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Imaged:
    return make_imaged_undercloud(tmp_path, monkeypatch)


def test_an_image_is_made_while_all_but_the_database_is_paused(imaged: Imaged) -> None:
    (host,) = imaged.hosts

    def image() -> int:
        assert host.node.containers["mysql"] == "running"
        return imaged.image_of(host)

    host.image = image
    run, whole = imaged.back_up(OF_UNDERCLOUD)
    taken = [record.number for record in run.journal.records if record.outcome in {"done", "already"}]
    assert taken == ["3a", "3", "3c", "3g", "6b", "6", "6c", "6d", "6e", "6f", "6g", "V1"]
    assert imaged.is_as_before()
    (stored,) = imaged.world.store.catalogue().sets
    (made,) = images_of(stored.records)
    assert (imaged.store / made.path / "SHA256SUMS").exists()
    assert whole.imaging.summary == "images of undercloud are made: 2 containers are paused meanwhile"


def test_the_plan_is_the_golden_one(imaged: Imaged) -> None:
    _, whole = imaged.look(OF_UNDERCLOUD)
    whole.backup.store.base = "/backups/lab"
    plan = Plan()
    procedure_with_image(plan, whole._replace(imaging=replace(whole.imaging, root="/backups")))
    assert_golden("backup-undercloud-image", plan)


def test_whenever_it_is_killed_the_undercloud_releases_itself(imaged: Imaged) -> None:
    def killed() -> None:
        imaged.release_by_themselves()
        assert imaged.is_as_before(), "something stays paused"

    imaged.in_every_state(killed)
    imaged.back_up(OF_UNDERCLOUD)
    assert len(imaged.states) > 3


def test_where_rear_fails_the_undercloud_is_released(imaged: Imaged) -> None:
    imaged.hosts[0].image = lambda: 1
    with pytest.raises(RunbookError, match=r"step 6 .* failed on undercloud: .*exit code 1"):
        imaged.back_up(OF_UNDERCLOUD)
    assert imaged.is_as_before()
    assert imaged.world.drills == []


def test_an_undercloud_that_is_deploying_refuses(imaged: Imaged) -> None:
    imaged.hosts[0].shell.on("pgrep", "list-full", say="812 /usr/bin/openstack overcloud deploy --templates\n")
    with pytest.raises(Refused, match="process openstack overcloud deploy is at work"):
        imaged.back_up(OF_UNDERCLOUD)


def test_an_undercloud_without_rear_refuses(imaged: Imaged) -> None:
    imaged.hosts[0].shell.on("OPENSTACK_RUNBOOKS", say="OUTPUT_URL\tnfs://x\n")
    with pytest.raises(Refused, match="undercloud: ReaR is not set up by install-rear"):
        imaged.back_up(OF_UNDERCLOUD)
