"""check-site on the lab: what is well, what is not, and a newest verified backup that is missing."""

from __future__ import annotations

import pytest

from tasks.node.firewall import COMMENT
from tests.backups.backed_up import BackedUp
from tests.restore_galera.cloud import Ended


def check(backed_up: BackedUp) -> Ended:
    return backed_up.run("check-site")


def test_a_site_without_a_backup_is_not_well_and_one_with_is(backed_up: BackedUp) -> None:
    ended = check(backed_up)
    assert ended.code == 1
    assert "there is no backup" in ended.output
    for runbook in ("backup-control-plane", "backup-undercloud"):
        made = backed_up.run(runbook, methods=["logical"])
        assert made.code == 0, made.output[-4000:]
    ended = check(backed_up)
    assert ended.code == 0, ended.output[-4000:]


_RULE = f"INPUT -p tcp --destination-port 3306 -d 192.168.24.100 -m comment --comment {COMMENT} -j DROP"


@pytest.mark.parametrize(
    ("break_it", "mend", "reason"),
    [
        (
            "pcs resource unmanage galera-bundle",
            "pcs resource manage galera-bundle",
            "galera-bundle is unmanaged",
        ),
        (f"iptables -I {_RULE}", f"iptables -D {_RULE}", "a rule of restore-galera keeps clients off"),
    ],
)
def test_what_is_wrong_is_told_by_its_name(break_it: str, mend: str, reason: str, backed_up: BackedUp) -> None:
    backed_up.lab.exec("controller-0", break_it)
    try:
        ended = check(backed_up)
    finally:
        backed_up.lab.exec("controller-0", mend)
    assert ended.code == 1
    assert reason in ended.output
    backed_up.lab.wait_healthy()
