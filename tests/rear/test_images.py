"""The vendor's role, run by the runbooks on real hosts; what it leaves wrong is mended, as ReaR's files are then read."""

from __future__ import annotations

import pytest

from tests.lab.settings import CONTROLLERS
from tests.rear.imaged import STORE, Imaged

# As Ansible prints it; a plan has the words, too.
RECAP = "PLAY RECAP *"
EXPORT = "/srv/others 10.1.0.0/24(ro,sync)"


def test_a_dry_run_changes_nothing(imaged: Imaged) -> None:
    imaged.apply()
    look = "cat /etc/exports; ls -la /srv; iptables -S"
    before = imaged.text("backup", look)
    ended = imaged.run("prepare-backup-node", dry_run=True)
    assert ended.code == 0, ended.output
    assert "--tags bar_setup_nfs_server" in ended.output
    assert imaged.text("backup", look) == before


@pytest.mark.exhaustive
def test_install_rear_refuses_while_no_nfs_server_answers(imaged: Imaged) -> None:
    imaged.lab.exec("backup", "systemctl stop lab-nfs-port.service")
    ended = imaged.run("install-rear")
    imaged.lab.exec("backup", "systemctl start lab-nfs-port.service")
    assert ended.code == 1
    for name in CONTROLLERS:
        assert f"{name}: it does not reach an NFS server on 192.168.24.20, port 2049" in ended.output
    assert imaged.text(CONTROLLERS[0], "grep -c openstack-runbooks /etc/rear/local.conf || :") == "0"


def test_the_backup_node_exports_the_folder_and_what_it_exported_before(imaged: Imaged) -> None:
    imaged.lab.exec("backup", f"mkdir -p /srv/others; echo '{EXPORT}' > /etc/exports")
    ended = imaged.run("prepare-backup-node")
    assert ended.code == 0, ended.output
    assert "TASK [backup_and_restore : Reload the NFS service]" in ended.output, "the role's output is followed"
    exported = imaged.text("backup", "exportfs -s")
    assert f"{STORE}  192.168.24.0/24(" in exported
    assert "/srv/others  10.1.0.0/24(" in exported
    assert "10.0.0.0/24" not in exported, "the role's own networks"
    assert imaged.text("backup", f"stat -c '%a %U' {STORE}") == "700 root"


@pytest.mark.exhaustive
def test_preparing_it_again_changes_nothing(imaged: Imaged) -> None:
    before = imaged.text("backup", "cat /etc/exports; iptables -S")
    ended = imaged.run("prepare-backup-node")
    assert ended.code == 0, ended.output
    assert RECAP not in ended.output
    assert imaged.text("backup", "cat /etc/exports; iptables -S") == before


def test_rear_is_set_up_and_reads_what_it_should(imaged: Imaged) -> None:
    ended = imaged.run("install-rear")
    assert ended.code == 0, ended.output
    assert RECAP in ended.output
    for name in CONTROLLERS:
        assert imaged.reads(name, "$OUTPUT_URL $BACKUP_INTEGRITY_CHECK") == f"nfs://192.168.24.20{STORE} 1"
        assert imaged.reads(name, "$NETFS_PREFIX").startswith(f"{name}/20")
        assert "/var/tmp/rear.*" in imaged.reads(name, "${BACKUP_PROG_EXCLUDE[*]}")
        assert imaged.text(name, "find /etc/rear -maxdepth 1 -type f -perm /077") == ""
        assert imaged.text(name, "ls /etc/cron.d/rear 2>/dev/null || :") == ""
        assert "192.168.24.20" in imaged.text(name, "rear dump"), "ReaR itself takes the files"


@pytest.mark.exhaustive
def test_setting_it_up_again_changes_nothing(imaged: Imaged) -> None:
    look = "sha256sum /etc/rear/*.conf; ls /etc/rear"
    before = [imaged.text(name, look) for name in CONTROLLERS]
    ended = imaged.run("install-rear")
    assert ended.code == 0, ended.output
    assert RECAP not in ended.output
    assert [imaged.text(name, look) for name in CONTROLLERS] == before


@pytest.mark.exhaustive
def test_what_was_set_up_by_hand_since_is_mended_again(imaged: Imaged) -> None:
    """As the documented command does it, which writes local.conf anew."""
    imaged.lab.exec(
        CONTROLLERS[1], "sed -i '/BEGIN openstack-runbooks/,/END openstack-runbooks/d' /etc/rear/local.conf"
    )
    ended = imaged.run("install-rear")
    assert ended.code == 0, ended.output
    assert [imaged.reads(name, "$BACKUP_INTEGRITY_CHECK") for name in CONTROLLERS] == ["1"] * 3


@pytest.mark.exhaustive
def test_a_node_that_is_down_is_a_refusal(imaged: Imaged) -> None:
    imaged.lab.exec(CONTROLLERS[2], "systemctl stop ssh.service")
    try:
        ended = imaged.run("install-rear", again=True)
    finally:
        imaged.lab.exec(CONTROLLERS[2], "systemctl start ssh.service")
    assert ended.code == 1
    assert CONTROLLERS[2] in ended.output
    assert RECAP not in ended.output


@pytest.mark.exhaustive
def test_a_node_at_which_ansible_does_not_get_in_is_a_refusal(imaged: Imaged) -> None:
    imaged.lab.exec("undercloud", "install -m 600 -o stack -g stack /home/stack/.ssh/id_ed25519 /home/stack/.ssh/other")
    imaged.lab.exec("undercloud", "ssh-keygen -q -t ed25519 -N '' -f /root/other")
    imaged.lab.exec("undercloud", "install -m 600 -o stack -g stack /root/other /home/stack/.ssh/id_ed25519")
    try:
        ended = imaged.run("install-rear", again=True)
    finally:
        imaged.lab.exec(
            "undercloud", "mv /home/stack/.ssh/other /home/stack/.ssh/id_ed25519; rm -f /root/other /root/other.pub"
        )
    assert ended.code == 1
    assert ended.output.count("stack on undercloud does not get in as heat-admin") >= len(CONTROLLERS)
    assert RECAP not in ended.output


@pytest.mark.exhaustive
def test_the_undercloud_is_set_up_too(imaged: Imaged) -> None:
    ended = imaged.run("install-rear", roles=["undercloud"])
    assert ended.code == 0, ended.output
    assert imaged.reads("undercloud", "$NETFS_PREFIX").startswith("undercloud/20")


@pytest.fixture
def by_sftp(imaged: Imaged) -> Imaged:
    imaged.apply("sftp")
    return imaged


def test_images_by_sftp_get_in_with_a_key_that_opens_nothing_else(by_sftp: Imaged) -> None:
    prepared = by_sftp.run("prepare-backup-node")
    assert prepared.code == 0, prepared.output
    ended = by_sftp.run("install-rear")
    assert ended.code == 0, ended.output
    first = CONTROLLERS[0]
    url = by_sftp.reads(first, "$OUTPUT_URL")
    assert url == f"sftp://rear:@192.168.24.20{STORE}/images/"
    # As ReaR 2.4 does it: without any option.
    by_sftp.text(first, f"cd /etc; timeout 60 lftp -c 'open {url}; mput hostname'")
    assert by_sftp.text("backup", f"cat {STORE}/images/hostname") == first
    refused = by_sftp.lab.exec(first, "ssh rear@192.168.24.20 id", check=False)
    assert "uid=" not in refused.stdout
    elsewhere = by_sftp.lab.exec(first, f"timeout 60 lftp -c 'open {url}; cd ..; mput /etc/hostname'", check=False)
    assert elsewhere.returncode != 0
