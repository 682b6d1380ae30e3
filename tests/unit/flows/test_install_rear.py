"""install-rear on hosts that run its scripts for real: what the role leaves wrong is mended, twice changes nothing, refusals."""

from __future__ import annotations

import json
import stat
import subprocess
from functools import partial
from pathlib import Path

import pytest

from blocks.remote.errors import Refused, RunbookError, Unreachable
from flows.install_rear import NAME, hosts, procedure
from tasks.engine.plan import Plan
from tasks.engine.run import Run
from tasks.engine.step import StepFailed
from tasks.rear.ceph_scripts import TEXTS
from tasks.rear.settings import EXCLUDED, read_settings
from tasks.runbooks.install_rear.preflight import look
from tasks.runbooks.install_rear.request import Installation, Request
from tests.unit.fakes import FakeClock, silent
from tests.unit.flows.golden import assert_golden
from tests.unit.flows.rear_site import ASK_ANSIBLE, BACKUP_NODE, CONTROLLERS, GOOD, World, ansible_output, outcomes
from tests.unit.tasks.rear.samples import ADDRESSES, BRIDGES, INTERFACES, PORTS

pytestmark = pytest.mark.usefixtures("no_engine", "clock")
CRON_LINE = "0 0 * * * /home/stack/execute-rear-cron.sh"
OVS = "".join(f"{json.dumps(each)}\n" for each in (BRIDGES, PORTS, INTERFACES, ADDRESSES))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    return FakeClock(monkeypatch)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def open_run(world: World) -> Run:
    return world.open(NAME, ("undercloud", *CONTROLLERS, *(["backup-node"] if world.kind == "sftp" else [])))


def look_at(world: World, roles: tuple[str, ...] = ("Controller",), **asked: bool) -> Installation:
    return look(open_run(world), Request(roles, 3600, **asked))


def install(world: World, roles: tuple[str, ...] = ("Controller",), **asked: bool) -> Run:
    run = open_run(world)
    return world.take(run, partial(look, request=Request(roles, 3600, **asked)), procedure)


def refusals(world: World, roles: tuple[str, ...] = ("Controller",)) -> tuple[str, ...]:
    with pytest.raises(Refused) as refused:
        look_at(world, roles)
    ran = [command for shell in world.shells.values() for command in shell.ran]
    assert {command.says for command in ran if command.changes} <= {"ask the programs for their versions"}
    return refused.value.reasons


def test_what_the_role_leaves_wrong_is_mended(world: World) -> None:
    run = install(world)
    for node in world.nodes:
        settings = read_settings(node)
        assert set(EXCLUDED) <= set(settings.all("BACKUP_PROG_EXCLUDE")), "beside the role's own"
        assert "/data/*" in settings.all("BACKUP_PROG_EXCLUDE")
        assert settings.one("BACKUP_INTEGRITY_CHECK") == "1"
        assert settings.one("NETFS_PREFIX").startswith(f"{node.name}/20")
        assert settings.one("OUTPUT_URL") == f"nfs://{BACKUP_NODE}/ctl_plane_backups"
        assert settings.one("USING_UEFI_BOOTLOADER") == "0"
        assert settings.all("NETWORKING_PREPARATION_COMMANDS") == ()
    assert outcomes(run) == [
        *(("1", "done"), ("2", "done"), ("3", "done"), ("3a", "answered"), ("3e", "done"), ("3f", "already")),
        ("3h", "done"),
        *(("4.1", "left out"), ("4.2", "left out"), ("1.4", "left out"), ("V1", "done"), ("V2", "done")),
    ]
    recaps = {record.host: record.note for record in run.journal.records if record.number == "3a"}
    assert recaps == dict.fromkeys(CONTROLLERS, "ok=14 changed=3 unreachable=0 failed=0")


def test_running_twice_changes_nothing(world: World) -> None:
    install(world)
    before = [(node.root / "etc/rear/local.conf").read_text() for node in world.nodes]
    run = install(world)
    assert {outcome for _, outcome in outcomes(run)} == {"already", "answered", "left out", "done"}
    assert [number for number, outcome in outcomes(run) if outcome == "done"] == ["V2"], "which only looks"
    assert [(node.root / "etc/rear/local.conf").read_text() for node in world.nodes] == before
    assert world.role_runs == 1
    assert {record.note for record in run.journal.records if record.number == "3a"} == {
        "the role was not run: all is as it leaves it"
    }


def test_the_role_is_run_again_where_that_is_asked_or_a_node_is_not_as_it_should_be(world: World) -> None:
    install(world)
    install(world, again=True)
    assert world.role_runs == 2
    world.set_up_rear()  # by hand, as documented
    run = install(world)
    assert world.role_runs == 3
    assert ("3e", "done") in outcomes(run)


def test_other_variables_are_a_reason_to_run_the_role_again(world: World) -> None:
    install(world)
    world.rear = {"variables": {"tripleo_backup_and_restore_debug": True}}
    install(world)
    assert world.role_runs == 2


def test_a_run_that_was_cut_short_after_the_role_mends_what_it_left(world: World) -> None:
    job = look_at(world)
    for change in (job.run.files.write_inventory(), job.run.files.write_playbook()):
        for command in change.commands:
            command.perform(world.undercloud, silent)
    world.set_up_rear()
    run = install(world)
    assert ("V2", "done") in outcomes(run)


@pytest.mark.parametrize("number", range(1, 9))
def test_whatever_step_is_the_last_one_a_second_run_ends_well(world: World, number: int) -> None:
    """Every shell breaks after so many changes, as if the worker had died."""
    world.nodes[0].on("test", "-d", "/sys/firmware/efi", say="").on("efibootmgr", say="")
    left = number

    def count() -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise RunbookError("the worker is gone")

    class Killed(Run):
        def _perform(self, *words: object, **more: object) -> None:
            count()
            super()._perform(*words, **more)  # type: ignore[arg-type]

    plain = open_run(world)
    killed = Killed(plain.name, plain.site, plain.shells, False, plain.journal)
    request = Request(("Controller",), 3600)
    with pytest.raises(RunbookError, match="the worker is gone"):
        world.take(killed, partial(look, request=request), procedure)
    killed._beside.shutdown()
    install(world)
    for node in world.nodes:
        assert set(EXCLUDED) <= set(read_settings(node).all("BACKUP_PROG_EXCLUDE"))
        assert node.path("/etc/rear/local.conf").read_text().count("BEGIN openstack-runbooks: what the role") == 1


def test_a_node_with_uefi_gets_the_flag_and_the_tools(world: World) -> None:
    node = world.nodes[1].on("test", "-d", "/sys/firmware/efi", say="")
    node.on("type -P", "efibootmgr", say=["mkfs.vfat\n", ""]).on("dnf -y install", say="Complete!\n")
    run = install(world)
    assert [read_settings(each).one("USING_UEFI_BOOTLOADER") for each in world.nodes] == ["0", "1", "0"]
    assert [(record.number, record.host) for record in run.journal.records if record.number.startswith("4.")] == [
        ("4.1", node.name),
        ("4.2", node.name),
    ]
    assert len(node.lines("dnf -y install", "dosfstools", "efibootmgr")) == 1


def test_bridges_of_open_vswitch_are_set_up_in_the_rescue_system(world: World) -> None:
    world.nodes[0].on("ovs-vsctl", say=OVS)
    world.rear = {"networking": {CONTROLLERS[1]: ["ip link set eth9 up"]}}
    run = install(world)
    commands = [read_settings(node).all("NETWORKING_PREPARATION_COMMANDS") for node in world.nodes]
    assert commands[0][:2] == ("ip link add br-ctlplane type bridge", "ip link set nic1 up")
    assert commands[1:] == [("ip link set eth9 up",), ()]
    assert f"{CONTROLLERS[0]}: in the rescue system br-ex uses nic2 alone, of bond bond1" in run.journal.findings


def test_a_network_that_is_wanted_no_more_is_taken_out(world: World) -> None:
    world.nodes[0].on("ovs-vsctl", say=OVS)
    install(world)
    world.nodes[0].on("ovs-vsctl", say="")
    run = install(world)
    assert read_settings(world.nodes[0]).all("NETWORKING_PREPARATION_COMMANDS") == ()
    assert [record.host for record in run.journal.records if record.number == "1.4"] == [CONTROLLERS[0]]
    assert ("1.4", "left out") in outcomes(install(world))


def test_nobody_but_root_can_read_the_configuration_and_the_role_s_copies_of_it(world: World) -> None:
    world.nodes[0].path("/etc/rear/local.conf").write_text("OUTPUT_URL=sftp://u:secret@h/\n")
    install(world)
    for node in world.nodes:
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in node.path("/etc/rear").iterdir()}
        assert set(modes.values()) == {0o600}, modes


def test_the_cron_job_of_rear_s_own_package_is_removed(world: World) -> None:
    own = world.nodes[2].path("/etc/cron.d/rear")
    own.write_text("30 1 * * * root /usr/sbin/rear mkrescue\n")
    install(world)
    assert not own.exists()


def test_the_documented_crontab_line_is_told_and_made_a_comment_where_that_is_asked(world: World) -> None:
    crontab = world.undercloud.path("crontab")
    crontab.write_text(f"MAILTO=ops\n{CRON_LINE}\n5 4 * * * /usr/bin/true\n")
    run = install(world)
    assert f"the crontab of stack starts a backup as well: {CRON_LINE}" in run.journal.findings[0]
    assert CRON_LINE in crontab.read_text().splitlines()
    install(world, disable_cron=True)
    assert crontab.read_text() == f"MAILTO=ops\n# openstack-runbooks: {CRON_LINE}\n5 4 * * * /usr/bin/true\n"
    assert install(world, disable_cron=True).journal.findings == []


def test_images_go_by_sftp_with_a_key_and_without_a_password(world: World) -> None:
    world.kind = "sftp"
    run = install(world)
    keys = world.backup_node.path("/home/rear/.ssh/authorized_keys").read_text().splitlines()
    assert len(keys) == len(CONTROLLERS)
    assert all(key.startswith('restrict,command="internal-sftp" ssh-ed25519 ') for key in keys)
    for node in world.nodes:
        settings = read_settings(node)
        assert settings.one("OUTPUT_URL") == f"sftp://rear:@{BACKUP_NODE}/ctl_plane_backups/images/"
        assert settings.one("BACKUP_URL") == f"sshfs://rear@{BACKUP_NODE}/ctl_plane_backups/images"
        assert settings.with_password == []
        assert settings.all("COPY_AS_IS") == ("/etc/ssh/ssh_config.d/05-openstack-runbooks-rear.conf",)
        config = node.path("/etc/rear/openstack-runbooks/known_hosts").read_text()
        assert config.startswith(f"{BACKUP_NODE} ssh-ed25519 ")
    assert [number for number, outcome in outcomes(install(world)) if outcome == "done"] == ["3d.1", "V2"]
    assert ("3b", "done") in outcomes(run)


def test_a_password_that_somebody_has_put_into_a_url_is_found_and_not_shown(world: World) -> None:
    install(world)
    with world.nodes[0].path("/etc/rear/local.conf").open("a") as file:
        file.write("OUTPUT_URL=sftp://u:hunter2@h/\n")
    install(world)
    assert world.role_runs == 2
    rescue_conf = world.nodes[0].path("/etc/rear/rescue.conf")

    def with_password() -> None:
        world.set_up_rear()
        rescue_conf.write_text("OUTPUT_URL=sftp://u:hunter2@h/\n")

    world.role = with_password
    with pytest.raises(StepFailed, match="OUTPUT_URL holds a password") as failed:
        install(world, again=True)
    assert "hunter2" not in str(failed.value)


def test_an_unreachable_host_is_a_failure_though_ansible_ends_well(world: World) -> None:
    world.output = ansible_output(dict.fromkeys(CONTROLLERS[:2], GOOD))
    with pytest.raises(StepFailed, match="controller-2: Ansible did not come to it"):
        install(world)
    unreachable = "ok=0    changed=0    unreachable=1    failed=0    skipped=0    rescued=0    ignored=0"
    said = json.dumps({"changed": False, "msg": "Failed to connect to the host via ssh", "unreachable": True})
    world.output = ansible_output(
        {CONTROLLERS[0]: GOOD, CONTROLLERS[1]: unreachable, CONTROLLERS[2]: GOOD},
        f"fatal: [{CONTROLLERS[1]}]: UNREACHABLE! => {said}",
    )
    with pytest.raises(StepFailed, match=r"controller-1: unreachable .*: Failed to connect to the host via ssh"):
        install(world)


def test_a_run_that_is_started_again_does_not_take_a_failure_for_its_own(world: World) -> None:
    world.output = ansible_output({})
    with pytest.raises(StepFailed, match="Ansible did not come to it"):
        install(world)
    world.output = ""
    install(world)
    assert world.role_runs == 2


def test_the_undercloud_is_set_up_with_its_own_playbook(world: World) -> None:
    run = install(world, ("undercloud",))
    directory = world.undercloud.path(f"/var/lib/openstack-runbooks/ansible/{NAME}-lab")
    playbook = (directory / "bar_rear_setup-undercloud.yaml").read_text()
    assert "hosts: Undercloud" in playbook
    assert "ansible_connection: local" in (directory / "inventory.yaml").read_text()
    assert ("V2", "done") in outcomes(run)


@pytest.mark.parametrize(("kind", "expected"), [("nfs", []), ("sftp", ["backup node"])])
def test_it_works_on_the_undercloud_the_nodes_and_where_these_must_be_let_in_the_backup_node(
    world: World, kind: str, expected: list[str]
) -> None:
    world.kind = kind
    roles = ["ControllerOpenstack", "Database"]
    assert hosts(world.site(), {"roles": roles}) == ["undercloud", *roles, *expected]
    assert hosts(world.site(), {})[:2] == ["undercloud", "Controller"]


# -- refusals


def test_a_node_that_is_down_is_a_refusal(world: World) -> None:
    world.nodes[1].on("rear --version", say=Unreachable(CONTROLLERS[1], "no route to host"))
    (reason,) = refusals(world)
    assert reason.startswith("controller-1: no route to host")


def test_everything_that_is_wrong_is_told_at_once(world: World) -> None:
    world.undercloud.on("/usr/share/ansible/roles", say="")
    world.undercloud.on("ansible-playbook --version", say=f"{ASK_ANSIBLE}: ansible-playbook 2.7.1\n")
    world.undercloud.on(
        "ssh -n", say="controller-0\tok\ncontroller-1\tok\ncontroller-2\tPermission denied (publickey).\n"
    )
    world.nodes[0].on("/dev/tcp/", say=1)
    world.nodes[1].on("rear --version", say="rear --version: Relax-and-Recover 2.1 / Git\n")
    said = refusals(world)
    assert len(said) == 5
    for part in (
        "Ansible 2.7.1 is older than 2.8",
        "has neither backup-and-restore nor backup_and_restore",
        "stack on undercloud does not get in as heat-admin",
        f"controller-0: it does not reach an NFS server on {BACKUP_NODE}, port 2049; start prepare-backup-node first",
        "controller-1: ReaR 2.1 is older than 2.4",
    ):
        assert any(part in reason for reason in said), (part, said)


def test_a_key_that_ansible_can_not_read_is_a_refusal(world: World) -> None:
    world.undercloud.on("test", "-r", "id_rsa", say=1)
    (reason,) = refusals(world)
    assert "stack can't read a key at /home/stack/.ssh/id_rsa; name another one as ansible_key" in reason


def test_a_role_without_hosts_is_named(world: World) -> None:
    with pytest.raises(RunbookError, match="no host with role Compute"):
        look_at(world, ("Controller", "Compute"))


def test_a_site_without_a_store_is_told_what_to_write(world: World) -> None:
    run = open_run(world)
    run.site = run.site.model_copy(update={"store": None})
    with pytest.raises(RunbookError, match=r"\[store\]"):
        look(run, Request(("Controller",), 60))


def test_a_node_without_sshfs_is_a_refusal_where_the_archive_goes_beside_the_iso(world: World) -> None:
    world.kind = "sftp"
    world.nodes[0].on("sshfs", say="sshfs\n")
    (reason,) = refusals(world)
    assert "controller-0: it has no sshfs" in reason


def test_an_archive_inside_the_iso_is_refused_where_it_may_be_too_large(world: World) -> None:
    world.kind, world.rear = "sftp", {"archive": "inside"}
    for node in world.nodes:
        node.on("df --output", say=f"{2**30}\n{2**29}\n")
    assert look_at(world).wanted[CONTROLLERS[0]].backup_url == "iso:///backup/"
    world.nodes[2].on("df --output", say=f"{2**30}\n{2**30}\n")
    (reason,) = refusals(world)
    assert "controller-2: its file systems hold 2.0 GiB" in reason
    assert 'archive = "beside"' in reason


def test_an_open_vswitch_that_can_not_be_read_is_a_refusal_that_names_the_way_round(world: World) -> None:
    world.nodes[0].on("ovs-vsctl", say='{"data": []}\n[]\n[]\n[]\n')
    (reason,) = refusals(world)
    assert "[rear.networking]" in reason


# -- plans


def test_a_node_with_a_ceph_monitor_gets_the_documented_scripts_and_no_other_does(world: World) -> None:
    world.nodes[1].on("test", "-d", "/var/lib/ceph/mon", say="")
    run = install(world)
    assert [record.host for record in run.journal.records if record.number == "3i"] == ["controller-1"]
    assert [all(node.path(path).exists() for path in TEXTS) for node in world.nodes] == [False, True, False]


def test_the_plan_is_the_golden_one(world: World) -> None:
    world.nodes[1].on("test", "-d", "/var/lib/ceph/mon", say="")
    world.nodes[0].on("ovs-vsctl", say=OVS)
    world.nodes[1].on("test", "-d", "/sys/firmware/efi", say="")
    world.undercloud.path("crontab").write_text(f"{CRON_LINE}\n")
    plan = Plan()
    procedure(plan, look_at(world, disable_cron=True))
    assert_golden(NAME, plan)
    assert "ip link add br-ex type bridge" in plan.text()


def test_the_plan_by_sftp_is_the_golden_one(world: World) -> None:
    world.kind = "sftp"
    plan = Plan()
    procedure(plan, look_at(world))
    assert_golden(f"{NAME}-sftp", plan)


def test_ssh_takes_the_configuration_for_that_user_at_that_host_alone(world: World, tmp_path: Path) -> None:
    """OpenSSH itself reads it."""
    world.kind = "sftp"
    install(world)
    config = world.nodes[0].path("/etc/ssh/ssh_config.d/05-openstack-runbooks-rear.conf")
    said = {
        user: subprocess.run(
            ["ssh", "-G", "-F", config, f"{user}@{BACKUP_NODE}"], capture_output=True, text=True, check=True
        ).stdout
        for user in ("rear", "root")
    }
    assert "identityfile /etc/rear/openstack-runbooks/id_ed25519" in said["rear"]
    assert "stricthostkeychecking true" in said["rear"]
    assert "openstack-runbooks" not in said["root"]
