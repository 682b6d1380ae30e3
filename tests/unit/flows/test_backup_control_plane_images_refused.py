"""What keeps backup-control-plane from pausing a control plane: all of it is told before the first change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from blocks.remote.errors import Refused
from tasks.runbooks.node_images.operation import _AT_WORK
from tests.unit.flows.imaged_cluster import Imaged, make_imaged
from tests.unit.flows.imaged_hosts import write_image
from tests.unit.tasks.node.node_model import HEALTH_CHECK

pytestmark = pytest.mark.usefixtures("no_engine", "clock")


@pytest.fixture
def imaged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Imaged:
    return make_imaged(tmp_path, monkeypatch)


def refused(imaged: Imaged) -> str:
    """Why preflight refuses; nothing was changed."""
    with pytest.raises(Refused) as raised:
        imaged.back_up()
    assert not any("podman pause" in " ".join(one.words) for host in imaged.hosts for one in host.shell.ran)
    return str(raised.value)


def test_a_container_that_a_killed_stop_has_left_stopping_refuses(imaged: Imaged) -> None:
    imaged.hosts[1].node.set_container("nova_api", "stopping")
    assert (
        "controller-1: container nova_api is stopping: a `podman stop` of it was killed; `podman kill nova_api`"
        in refused(imaged)
    )


def test_a_timer_that_a_killed_run_has_left_would_release_what_is_paused_and_refuses(imaged: Imaged) -> None:
    listed = "openstack-runbooks-cleanup-0a1b2c3d4e.timer loaded active waiting x\n"
    imaged.hosts[1].shell.on("list-units", "openstack-runbooks-cleanup", say=listed)
    assert (
        "controller-1: a run that was killed has left 1 timers there, which undo what it has done; start resume-control-plane"
        in refused(imaged)
    )


def test_a_standby_attribute_would_be_in_the_image_and_refuses(imaged: Imaged) -> None:
    file = imaged.hosts[0].node.folder / "status.xml"
    file.write_text(file.read_text().replace('standby="false"', 'standby="true"', 1))
    assert "controller-0: Pacemaker has it standby; see `pcs status`, `pcs node unstandby`" in refused(imaged)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('with_quorum="true"', 'with_quorum="false"', "the cluster has no quorum, or nobody decides"),
        ('role="Master"', 'role="Slave"', "Galera is promoted on 0 of 3 nodes"),
        (
            'name="controller-2"',
            'name="messaging-0"',
            "messaging-0 would be stopped, and gets no image; name all roles",
        ),
        ("maintenance-mode='false'", "maintenance-mode='true'", "maintenance-mode is set"),
    ],
)
def test_a_cluster_that_would_not_come_back_as_it_was_refuses(imaged: Imaged, old: str, new: str, said: str) -> None:
    file = imaged.hosts[0].node.folder / "status.xml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))
    assert said in refused(imaged)


def test_where_pacemaker_runs_nowhere_it_refuses(imaged: Imaged) -> None:
    for host in imaged.hosts:
        host.node.set_unit("pacemaker.service", "inactive")
    assert "Pacemaker runs on none of these nodes" in refused(imaged)


def test_all_that_keeps_images_from_being_made_is_told_at_once(imaged: Imaged) -> None:
    first, second, third = (host.shell for host in imaged.hosts)
    first.on("OPENSTACK_RUNBOOKS", say="OUTPUT_URL\tnfs://x\n")
    second.on("pgrep", "rear", say="4711\n")
    third.on("readlink", say="directory\ndevice /dev/vda1\n")
    said = refused(imaged)
    assert "controller-0: ReaR is not set up by install-rear; start install-rear" in said
    assert "controller-1: ReaR is at work there; wait for it" in said
    assert "controller-2: /mnt/config-drive is a directory" in said
    assert "rmdir /mnt/config-drive" in said


def test_a_node_that_is_down_refuses(imaged: Imaged) -> None:
    imaged.hosts[2].shell.off = True
    assert "controller-2: no SSH session within 10 s" in refused(imaged)


def test_a_role_without_a_host_refuses(imaged: Imaged) -> None:
    site = imaged.world.site
    imaged.world.site = site.model_copy(update={"roles": site.roles | {"Controller": []}})
    assert "no host has role Controller; see the site's inventory, and `roles`" in refused(imaged)


def test_archives_inside_the_isos_refuse(imaged: Imaged) -> None:
    inside = imaged.world.site.rear.model_copy(update={"archive": "inside"})
    imaged.world.site = imaged.world.site.model_copy(update={"rear": inside})
    assert (
        'archives lie inside the ISOs, where nobody can see that they are whole; write archive = "beside"'
        in refused(imaged)
    )


def test_a_store_that_is_down_is_told_with_all_else(imaged: Imaged) -> None:
    imaged.world.store_host.gone = True
    imaged.hosts[1].shell.on("pgrep", "rear", say="4711\n")
    said = refused(imaged)
    assert "backup-node: the connection broke" in said
    assert "controller-1: ReaR is at work there" in said


def test_a_store_without_room_refuses(imaged: Imaged) -> None:
    for host in imaged.hosts:
        host.shell.on("df --output=used", say=f"{2**50}\n")
    assert "GiB are free, and the images may take 3145728.0 GiB; remove old images" in refused(imaged)


def test_the_room_is_that_of_the_latest_whole_image_and_a_quarter(imaged: Imaged) -> None:
    for host in imaged.hosts:
        host.shell.on("df --output=used", say=f"{2**50}\n")
        write_image(imaged.store / host.shell.name / "20261101T020000Z")
        (imaged.store / host.shell.name / "20261101T020000Z/SHA256SUMS").write_text("0  backup.tar.gz\n")
    imaged.back_up()
    assert imaged.hosts[0].node.units[HEALTH_CHECK] == "active"


# -- somebody else is at work


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            "stack\tovercloud\tUPDATE_IN_PROGRESS\n",
            "stack overcloud is UPDATE_IN_PROGRESS; wait until `openstack stack list`",
        ),
        (
            "workflow\ttripleo.deployment.v1.config_download_deploy\tRUNNING\n",
            "workflow tripleo.deployment.v1.config_download_deploy is RUNNING; wait for it; one that hangs:",
        ),
    ],
)
def test_a_stack_that_is_operated_on_refuses(imaged: Imaged, row: str, said: str) -> None:
    imaged.undercloud.under_way = row
    assert f"undercloud: {said}" in refused(imaged)


def test_a_deployment_at_work_refuses_and_no_more_of_its_command_line_is_told(imaged: Imaged) -> None:
    imaged.undercloud.on(
        "pgrep",
        say="812 /usr/bin/python3 /usr/bin/openstack overcloud deploy --templates --password s3cret\n"
        "913 /usr/bin/python3 /usr/bin/ansible-playbook-3 -i inventory -e token=s3cret\n",
    )
    said = refused(imaged)
    assert "undercloud: process openstack overcloud deploy is at work; wait until it has ended" in said
    assert "undercloud: process ansible-playbook-3 is at work" in said
    assert "s3cret" not in said


def test_an_undercloud_without_heat_and_mistral_has_nothing_under_way(imaged: Imaged) -> None:
    imaged.undercloud.columns, imaged.undercloud.under_way = "", "a table that is not there was asked for"
    imaged.back_up()
    assert imaged.is_as_before()


def test_an_undercloud_that_has_no_database_has_no_stack_of_heat_s_either(imaged: Imaged) -> None:
    imaged.undercloud.on("container ls", say="").on("podman exec", "mysql", say=1)
    imaged.back_up()
    assert imaged.is_as_before()


def test_an_undercloud_whose_database_does_not_answer_refuses(imaged: Imaged) -> None:
    imaged.undercloud.on("podman exec", "mysql", say=1)
    assert "undercloud: " in refused(imaged)


def test_where_the_site_names_no_undercloud_it_is_told_that_nobody_has_looked(imaged: Imaged) -> None:
    imaged.world.site = imaged.world.site.model_copy(update={"undercloud": None})
    run, _ = imaged.back_up()
    assert any("nobody has looked whether the stack is operated on" in fact for fact in run.facts)


def test_the_documented_crontab_line_refuses(imaged: Imaged) -> None:
    line = "0 0 * * * /home/stack/execute-rear-cron.sh"
    imaged.undercloud.on("crontab -u stack", say=f"# nightly\n{line}\n")
    said = refused(imaged)
    assert (
        f"undercloud: the crontab of stack starts a backup as well: {line}; start install-rear with disable_cron=true"
        in said
    )


def test_a_line_of_root_s_crontab_refuses_and_is_taken_out_by_hand(imaged: Imaged) -> None:
    imaged.undercloud.on("crontab -u root", say="0 1 * * * openstack overcloud backup\n")
    assert (
        "the crontab of root starts a backup as well: 0 1 * * * openstack overcloud backup; make a comment"
        in refused(imaged)
    )


def test_the_cron_job_of_rear_s_package_refuses(imaged: Imaged) -> None:
    imaged.hosts[1].shell.on("test -e /etc/cron.d/rear", say="")
    assert "controller-1: ReaR's own cron job is there (/etc/cron.d/rear)" in refused(imaged)


def test_a_node_whose_pacemaker_is_stopped_refuses(imaged: Imaged) -> None:
    imaged.hosts[1].node.set_unit("pacemaker.service", "inactive")
    assert "controller-1: Pacemaker is stopped there; start resume-control-plane first" in refused(imaged)


def test_what_asks_for_processes_does_not_find_itself() -> None:
    pattern = re.compile(_AT_WORK)
    assert pattern.search("openstack overcloud deploy --templates")
    assert pattern.search("/usr/bin/ansible-playbook -i x y.yaml")
    assert not pattern.search(f"sudo pgrep --full --list-full {_AT_WORK}")
    assert not pattern.search("openstack overcloud profiles list")
