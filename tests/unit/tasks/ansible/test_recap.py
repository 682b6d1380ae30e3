"""PLAY RECAP, and why a host failed."""

from __future__ import annotations

import pytest

from tasks.ansible.recap import HostRecap, parse_recap, problems

# ansible 2.9, and Ansible 2.8 whose rows end after `failed`.
OUTPUT = """\
TASK [backup-and-restore : Install required packages for ReaR] *****************
changed: [overcloud-controller-0] => {"changed": true, "msg": "", "rc": 0, "results": ["Installed: rear"]}
fatal: [overcloud-controller-1]: UNREACHABLE! => {"changed": false, "msg": "Failed to connect to the host via ssh: ssh: \
connect to host 192.168.24.12 port 22: No route to host", "unreachable": true}
fatal: [overcloud-controller-2]: FAILED! => {"changed": false, "cmd": ["hiera"], "msg": "non-zero return code", "rc": 1, \
"stderr": "no\\nconfig"}

PLAY RECAP *********************************************************************
overcloud-controller-0     : ok=12   changed=4    unreachable=0    failed=0    skipped=2    rescued=0    ignored=0   
overcloud-controller-1     : ok=1    changed=0    unreachable=1    failed=0
overcloud-controller-2     : ok=5    changed=0    unreachable=0    failed=1    skipped=0    rescued=0    ignored=0   

Friday 27 November 2026  12:00:00 +0000 (0:00:01.000)       0:01:00.000 *******
=============================================================================== 
backup-and-restore : Install required packages for ReaR ----------------- 3.00s
""".splitlines()  # noqa: W291 - as it is printed


def test_each_host_has_its_counts() -> None:
    assert parse_recap(OUTPUT) == {
        "overcloud-controller-0": HostRecap(ok=12, changed=4),
        "overcloud-controller-1": HostRecap(ok=1, unreachable=1),
        "overcloud-controller-2": HostRecap(ok=5, failed=1),
    }


def test_a_host_that_failed_is_told_with_the_reason() -> None:
    assert problems(OUTPUT, ["overcloud-controller-0", "overcloud-controller-1", "overcloud-controller-2"]) == [
        "overcloud-controller-1: unreachable (ok=1 changed=0 unreachable=1 failed=0): Failed to connect to the host via ssh: "
        "ssh: connect to host 192.168.24.12 port 22: No route to host",
        "overcloud-controller-2: failed (ok=5 changed=0 unreachable=0 failed=1): non-zero return code: no config",
    ]


@pytest.mark.parametrize(
    "output",
    [
        [],
        ["PLAY [Install ReaR] ****", "skipping: no hosts matched", "", "PLAY RECAP *****", ""],
        ["PLAY RECAP *****", "controller-0 : ok=0 changed=0 unreachable=0 failed=0"],
    ],
)
def test_a_host_that_ansible_has_dropped_without_a_word_is_a_problem(output: list[str]) -> None:
    assert len(problems(output, ["controller-0"])) == 1


def test_a_message_that_is_no_json_is_shown_as_it_is() -> None:
    lines = ["fatal: [a]: FAILED! => the moon is down", "PLAY RECAP ***", "a : ok=1 changed=0 unreachable=0 failed=1"]
    assert problems(lines, ["a"]) == ["a: failed (ok=1 changed=0 unreachable=0 failed=1): the moon is down"]


def test_of_two_recaps_the_last_one_counts() -> None:
    lines = [
        "PLAY RECAP **",
        "a : ok=1 changed=0 unreachable=0 failed=1",
        "PLAY RECAP **",
        "a : ok=2 changed=0 unreachable=0 failed=0",
    ]
    assert problems(lines, ["a"]) == []
