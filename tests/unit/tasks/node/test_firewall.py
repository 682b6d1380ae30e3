"""Clients are blocked by one rule that says whose it is, and let in by deleting it until none is left."""

from pathlib import Path

import pytest

from blocks.remote.errors import CommandFailed
from tasks.engine.step import apply_change
from tasks.node.firewall import COMMENT, block, is_blocked, rule, unblock
from tests.unit.fakes import FakeShell, LocalShell, silent

VIP = "172.16.2.99"

# Keeps its rules in a file, one a line, as iptables -I, -D and -C do; -D and -C fail with 1 where there is none.
IPTABLES = """\
#!/bin/bash
rules=$(dirname "$0")/rules; touch "$rules"
[ "$1" = -w ] && shift
verb=$1 chain=$2; shift 2; wanted="$chain $*"
case $verb in
-I) { echo "$wanted"; cat "$rules"; } > "$rules.new"; mv "$rules.new" "$rules";;
-C) grep -qxF -- "$wanted" "$rules";;
-D) line=$(grep -nxF -m1 -- "$wanted" "$rules") || exit 1; sed -i "${line%%:*}d" "$rules";;
esac
"""


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    program = tmp_path / "iptables"
    program.write_text(IPTABLES)
    program.chmod(0o755)
    return tmp_path / "rules"


def test_the_rule_is_the_documented_one_with_a_comment() -> None:
    words = " ".join(rule(VIP, 3306))
    assert words.startswith(f"-p tcp --destination-port 3306 -d {VIP}")
    assert words.endswith("-j DROP")
    assert f"--comment {COMMENT}" in words


@pytest.mark.parametrize(("code", "blocked"), [(0, True), (1, False)])
def test_the_kernel_is_asked_whether_the_rule_stands(code: int, blocked: bool) -> None:
    assert is_blocked(FakeShell().on("iptables", "-C", say=code), VIP, 3306) is blocked


def test_a_firewall_that_does_not_answer_is_neither_open_nor_closed() -> None:
    with pytest.raises(CommandFailed):
        is_blocked(FakeShell().on("iptables", "-C", say=4), VIP, 3306)


def test_blocking_twice_inserts_one_rule(rules: Path) -> None:
    shell = LocalShell(rules.parent)
    assert apply_change(shell, block(VIP, 3306), silent) == "done"
    assert apply_change(shell, block(VIP, 3306), silent) == "already"
    assert len(rules.read_text().splitlines()) == 1


@pytest.mark.parametrize("times", [1, 2, 5])
def test_unblocking_deletes_until_none_is_left(rules: Path, times: int) -> None:
    mine, other = " ".join(("INPUT", *rule(VIP, 3306))), "INPUT -p tcp --dport 22 -j ACCEPT"
    rules.write_text("\n".join([mine, other, *[mine] * (times - 1)]) + "\n")
    shell = LocalShell(rules.parent)
    assert apply_change(shell, unblock(VIP, 3306), silent) == "done"
    assert rules.read_text().splitlines() == [other]
    assert apply_change(shell, unblock(VIP, 3306), silent) == "already"


def test_a_rule_that_cannot_be_deleted_fails_the_step(rules: Path) -> None:
    program = rules.parent / "iptables"
    program.write_text(IPTABLES.replace("-D) ", "-D) exit 4; "))
    shell = LocalShell(rules.parent)
    apply_change(shell, block(VIP, 3306), silent)
    with pytest.raises(CommandFailed):
        apply_change(shell, unblock(VIP, 3306), silent)
