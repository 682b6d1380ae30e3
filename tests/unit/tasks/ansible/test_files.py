"""What Ansible reads: the inventory is YAML, host keys are pinned, and other contents are another run."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from blocks.remote.errors import HostError, RunbookError
from tasks.ansible.files import Node, PlaybookFiles, inventory_text, known_hosts_text, playbook_text
from tasks.ansible.playbook import PlaybookRun
from tasks.ansible.role import check_access, read_public_key
from tests.site_files import PUBLIC_KEY
from tests.unit.fakes import FakeShell, silent

NODES = [Node("controller-0", "192.168.24.11", "heat-admin"), Node("undercloud")]
FILES = PlaybookFiles("/d", "stack", "i", "k", "p", "bar.yaml", {"a": 1})


def test_the_inventory_is_yaml_with_pinned_host_keys() -> None:
    read = yaml.safe_load(inventory_text({"Controller": NODES}, "/home/stack/.ssh/id_rsa", "/d", 2222))["all"]
    assert read["children"]["Controller"]["hosts"] == {
        "controller-0": {"ansible_host": "192.168.24.11", "ansible_user": "heat-admin"},
        "undercloud": {"ansible_connection": "local"},
    }
    assert "StrictHostKeyChecking=yes" in read["vars"]["ansible_ssh_common_args"]
    assert "UserKnownHostsFile=/d/known_hosts" in read["vars"]["ansible_ssh_common_args"]
    assert read["vars"]["ansible_port"] == 2222


def test_the_playbook_is_the_documents() -> None:
    assert yaml.safe_load(playbook_text("Install ReaR", "Controller,Database", "backup-and-restore")) == [
        {
            "name": "Install ReaR",
            "hosts": "Controller,Database",
            "become": True,
            "roles": [{"role": "backup-and-restore"}],
        }
    ]


def test_host_keys_are_the_sites_own(tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    file.write_text(f"192.0.2.1 {PUBLIC_KEY}\n[192.0.2.1]:2222 {PUBLIC_KEY}\n")
    assert known_hosts_text(file, ["192.0.2.1", "192.0.2.1"]) == f"192.0.2.1 {PUBLIC_KEY}\n"
    assert known_hosts_text(file, ["192.0.2.1"], 2222) == f"[192.0.2.1]:2222 {PUBLIC_KEY}\n"
    with pytest.raises(RunbookError, match=r"has no key for 192\.0\.2\.2"):
        known_hosts_text(file, ["192.0.2.2"])
    with pytest.raises(RunbookError, match="can't be read"):
        known_hosts_text(tmp_path / "gone", ["192.0.2.1"])


def test_a_run_that_wants_other_contents_does_not_attach_to_the_one_under_way() -> None:
    run = PlaybookRun(FILES, ("controller-0",), "bar_setup_rear", "/r", 60)
    assert replace(run, files=replace(FILES, variables={"a": 2})).long.unit != run.long.unit
    assert replace(run, hosts=()).long.unit == run.long.unit


def test_no_ansible_cfg_of_the_sites_can_switch_the_check_of_host_keys_off() -> None:
    words = PlaybookRun(FILES, (), "bar_setup_rear", "/r", 60).long.words
    assert words[:6] == ("sudo", "-n", "-H", "-u", "stack", "env")
    assert "ANSIBLE_HOST_KEY_CHECKING=True" in words
    assert "LC_ALL=C.UTF-8" in words, "Ansible wants it"
    assert not any("StrictHostKeyChecking=no" in word for word in words)


def test_a_run_that_fails_before_it_comes_to_a_host_says_what_ansible_says() -> None:
    run = PlaybookRun(FILES, ("controller-0",), "bar_setup_rear", "/r", 60)
    said = "ERROR! the role 'backup-and-restore' was not found\n"
    shell = FakeShell(otherwise="").on("tail -c", say=said)
    gone = "LoadState=not-found\nActiveState=inactive\n"
    ended = "LoadState=loaded\nActiveState=failed\nSubState=failed\nResult=exit-code\nExecMainStatus=1\nLogSize=50\n"
    shell.on("systemctl", "show", say=[gone, ended])
    with pytest.raises(HostError, match="the role 'backup-and-restore' was not found"):
        run.perform(shell, silent)


def test_access_is_told_host_by_host() -> None:
    shell = FakeShell("undercloud", otherwise="")
    shell.on("ssh -n", say="controller-0\tHost key verification failed. \n")
    (check,) = check_access(shell, NODES, "keys", "stack", "/k")
    assert not check.ok
    assert check.where == "controller-0"
    assert "Host key verification failed." in check.reason
    shell.on("ssh -n", say="")
    (silent_host,) = check_access(shell, NODES, "keys", "stack", "/k")
    assert "no answer" in silent_host.reason
    (alone,) = check_access(shell, NODES[1:], "", "stack", "/k")
    assert alone.ok


@pytest.mark.parametrize("said", ["", "-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n", "ssh-rsa AAAA\nssh-rsa BBBB\n"])
def test_what_is_no_public_key_is_not_put_anywhere(said: str) -> None:
    with pytest.raises(HostError, match="no public key"):
        read_public_key(FakeShell("undercloud", otherwise=said), "stack", "/k")
