"""prepare-backup-node: an NFS server by the role, and what it exported before; or a folder that takes images by SFTP."""

from __future__ import annotations

import stat
from functools import partial
from pathlib import Path

import pytest

from blocks.remote.errors import Refused, RunbookError
from flows.prepare_backup_node import NAME, procedure
from tasks.engine.plan import Plan
from tasks.engine.run import Run
from tasks.engine.step import StepFailed
from tasks.runbooks.prepare_backup_node.preparation import Preparation, Request, look
from tests.unit.flows.golden import assert_golden
from tests.unit.flows.rear_site import ANSIBLE_KEY, ASK_ANSIBLE, FOLDER, GOOD, World, ansible_output, outcomes

pytestmark = pytest.mark.usefixtures("no_engine", "clock")
OTHERS = "# ours\n/srv/images *(ro)\n"
IN_ANSIBLE_BLOCK = "# BEGIN ANSIBLE MANAGED BLOCK\n/srv/glance 10.1.0.0/24(rw)\n# END ANSIBLE MANAGED BLOCK\n"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path)
    world.role = world.export
    return world


def open_run(world: World) -> Run:
    return world.open(NAME, ("undercloud", "backup-node"))


def look_at(world: World) -> Preparation:
    return look(open_run(world), Request(3600))


def prepare(world: World, **asked: bool) -> Run:
    return world.take(open_run(world), partial(look, request=Request(3600, **asked)), procedure)


def exports(world: World) -> str:
    return world.backup_node.path("/etc/exports").read_text()


def mode(world: World, path: str) -> int:
    return stat.S_IMODE(world.backup_node.path(path).stat().st_mode)


def test_the_folder_is_exported_to_the_sites_networks_and_open_to_nobody_else(world: World) -> None:
    world.rear = {"nfs_clients": ["192.168.24.0/24", "172.16.2.0/24"]}
    run = prepare(world)
    for network in ("192.168.24.0/24", "172.16.2.0/24"):
        assert f"{FOLDER} {network}(rw,sync,no_root_squash,no_subtree_check)" in exports(world)
    assert mode(world, FOLDER) == 0o700
    assert outcomes(run) == [
        *(
            ("1", "left out"),
            ("2", "done"),
            ("3", "done"),
            ("4", "done"),
            ("4a", "done"),
            ("5a", "done"),
            ("5", "done"),
        ),
        *(("5b", "answered"), ("5c", "done"), ("5d", "done"), ("5e", "done")),
    ]
    assert [record.note for record in run.journal.records if record.number == "5b"] == [
        "ok=14 changed=3 unreachable=0 failed=0"
    ]


def test_the_role_is_given_server_folder_and_networks_under_each_of_its_names(world: World) -> None:
    prepare(world)
    variables = world.variables()
    for name in ("server", "nfs_server"):
        assert variables[f"tripleo_backup_and_restore_{name}"] == "192.168.24.100"
    for name in ("shared_storage_folder", "nfs_storage_folder"):
        assert variables[f"tripleo_backup_and_restore_{name}"] == FOLDER


def test_what_was_exported_before_is_exported_afterwards(world: World) -> None:
    world.backup_node.path("/etc/exports").write_text(OTHERS + IN_ANSIBLE_BLOCK)
    run = prepare(world)
    assert {"/srv/images *(ro)", "/srv/glance 10.1.0.0/24(rw)"} <= set(exports(world).splitlines())
    assert run.journal.findings == [
        "backup-node: the role had taken away from /etc/exports, and it was put back: /srv/glance 10.1.0.0/24(rw)"
    ]
    assert "systemctl reload nfs-server" in world.backup_node.path("calls").read_text()
    assert not world.backup_node.path("/etc/exports.before-openstack-runbooks").exists()


def test_exports_survive_a_role_that_overwrites_the_file_and_a_run_that_dies_then(world: World) -> None:
    """As early ones did (LP 1897503)."""
    world.backup_node.path("/etc/exports").write_text(OTHERS)

    def overwrite() -> None:
        world.backup_node.path("/etc/exports").write_text(
            f"{FOLDER} 192.168.24.0/24(rw,sync,no_root_squash,no_subtree_check)\n"
        )
        world.backup_node.path(FOLDER).mkdir(exist_ok=True)
        raise RunbookError("the worker is gone")

    world.role = overwrite
    with pytest.raises(StepFailed):
        prepare(world)
    assert "/srv/images" not in exports(world)
    world.role = world.export
    prepare(world)
    assert "/srv/images *(ro)" in exports(world).splitlines()
    assert exports(world).count(f"{FOLDER} 192.168.24.0/24") == 1


def test_running_twice_changes_nothing(world: World) -> None:
    world.backup_node.path("/etc/exports").write_text(OTHERS)
    prepare(world)
    before = exports(world)
    run = prepare(world)
    assert [number for number, outcome in outcomes(run) if outcome == "done"] == ["4a", "5a", "5c", "5e"]
    assert (world.role_runs, exports(world)) == (1, before)
    prepare(world, again=True)
    assert world.role_runs == 2
    assert mode(world, FOLDER) == 0o700


def test_ansible_gets_in_by_a_key_that_is_added_to_those_that_are_there(world: World) -> None:
    file = world.backup_node.path("/home/heat-admin/.ssh/authorized_keys")
    file.parent.mkdir(parents=True)
    file.write_text("ssh-rsa AAAA somebody")  # without a newline at its end
    prepare(world)
    prepare(world)
    assert file.read_text() == f"ssh-rsa AAAA somebody\n{ANSIBLE_KEY}\n"


def test_where_ansible_does_not_get_in_the_role_is_not_run(world: World) -> None:
    world.undercloud.on("ssh -n", say="backup-node\tHost key verification failed.\n")
    with pytest.raises(StepFailed, match="Host key verification failed"):
        prepare(world)
    assert world.role_runs == 0


def test_a_role_that_failed_fails_the_run_with_the_reason(world: World) -> None:
    bad = GOOD.replace("failed=0", "failed=1")
    fatal = 'fatal: [backup-node]: FAILED! => {"changed": false, "msg": "Unable to enable service nfs-server"}'
    world.output = ansible_output({"backup-node": bad}, fatal)
    with pytest.raises(StepFailed, match=r"backup-node: failed .*: Unable to enable service nfs-server"):
        prepare(world)


def test_a_server_that_does_not_export_the_folder_fails_the_run(world: World) -> None:
    world.role = lambda: None
    world.backup_node.path(FOLDER).mkdir()
    with pytest.raises(StepFailed, match=r"not exported to 192\.168\.24\.0/24"):
        prepare(world)


def test_hosts_outside_the_networks_are_told(world: World) -> None:
    world.rear = {"nfs_clients": ["10.0.0.0/24"]}
    said = look_at(world).findings
    assert "controller-0 (192.168.24.11) is in none of nfs_clients" in said[0]


def test_a_zone_that_firewalld_has_not_is_a_refusal(world: World) -> None:
    world.backup_node.on("firewall-cmd", say="block dmz public trusted\n")
    with pytest.raises(
        Refused, match=r"firewalld has no zone libvirt, .* it has block, dmz, public, trusted"
    ) as refused:
        look_at(world)
    assert "[rear.variables]" in str(refused.value)
    world.rear = {"variables": {"tripleo_backup_and_restore_firewalld_zone": "public"}}
    assert look_at(world).run is not None


def test_everything_that_is_wrong_is_told_at_once(world: World) -> None:
    world.undercloud.on("/usr/share/ansible/roles", say="").on("cat", "id_rsa.pub", say=1)
    world.undercloud.on("ansible-playbook --version", say=f"{ASK_ANSIBLE}: \n")
    with pytest.raises(Refused) as refused:
        look_at(world)
    assert len(refused.value.reasons) == 3


def test_a_site_without_a_store_is_told_what_to_write(world: World) -> None:
    run = open_run(world)
    run.site = run.site.model_copy(update={"store": None})
    with pytest.raises(RunbookError, match=r"\[store\]"):
        look(run, Request(60))


def test_by_sftp_a_folder_is_made_for_its_account(world: World) -> None:
    world.kind = "sftp"
    world.backup_node.on("stat -c", say=["", "700 rear\n"])
    world.backup_node.on("getent", "passwd", say="rear:x:1002:1002::/home/rear:/sbin/nologin\n")
    run = prepare(world)
    assert mode(world, f"{FOLDER}/images") == 0o700
    assert (outcomes(run)[-1], run.journal.findings) == (("5f", "done"), [])
    assert outcomes(prepare(world))[-1] == ("5f", "already")


def test_an_account_for_images_that_is_not_there_or_could_log_in_is_told(world: World) -> None:
    world.kind = "sftp"
    world.backup_node.on("getent", "passwd", say=2)
    with pytest.raises(Refused, match="there is no account rear"):
        look_at(world)
    world.backup_node.on("getent", "passwd", say="rear:x:1002:1002::/home/rear:/bin/bash\n")
    (finding,) = look_at(world).findings
    assert "rear has the shell /bin/bash" in finding


def test_the_plan_is_the_golden_one(world: World) -> None:
    plan = Plan()
    procedure(plan, look_at(world))
    assert_golden(NAME, plan)
    world.kind = "sftp"
    plan = Plan()
    procedure(plan, look_at(world))
    assert_golden(f"{NAME}-sftp", plan)
