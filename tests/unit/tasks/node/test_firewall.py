"""Clients are blocked by one rule that says whose it is, and let in by deleting it until none is left."""

from pathlib import Path

import pytest

from blocks.remote.command import Command
from blocks.remote.errors import CommandFailed
from tasks.engine.step import apply_change
from tasks.node.firewall import (
    COMMENT,
    Barriers,
    block,
    documented,
    is_blocked,
    parse_barriers,
    read_barriers,
    rule,
    unblock,
)
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


TRIPLEO = "-P INPUT ACCEPT\n-A INPUT -i lo -j ACCEPT\n"
ACCEPTED = "-A INPUT -p tcp -m multiport --dports 873,3306,9200 -m conntrack --ctstate NEW -m comment --comment mysql -j ACCEPT\n"
DROPPED = f"-A INPUT -d {VIP}/32 -p tcp -m tcp --dport 3306 -j DROP\n"
LAST = '-A INPUT -m conntrack --ctstate NEW -m comment --comment "999 drop all" -j DROP\n'


@pytest.mark.parametrize(
    ("rules", "ours", "by_hand", "wider"),
    [
        ("", False, 0, 0),
        (ACCEPTED + LAST, False, 0, 0),
        (DROPPED + ACCEPTED, False, 1, 0),
        (DROPPED * 2 + ACCEPTED, False, 2, 0),
        (
            f"-A INPUT -d {VIP}/32 -p tcp -m tcp --dport 3306 -m comment --comment {COMMENT} -j DROP\n" + ACCEPTED,
            True,
            0,
            0,
        ),
        (DROPPED.replace("-j DROP", '-m comment --comment "keep out" -j DROP'), False, 1, 0),
        (DROPPED.replace("-j DROP", "-j REJECT --reject-with icmp-port-unreachable"), False, 1, 0),
        (DROPPED.replace("-m tcp --dport 3306", "-m multiport --dports 3306"), False, 1, 0),
        (DROPPED.replace("-p tcp", "-p 6"), False, 1, 0),
        # Behind a rule that lets clients in it keeps nobody off.
        (ACCEPTED + DROPPED, False, 0, 0),
        # More than what a restore is about: not ours to delete, but nobody comes in either.
        ("-A INPUT -p tcp -m tcp --dport 3306 -j DROP\n" + ACCEPTED, False, 0, 1),
        (DROPPED.replace(f"{VIP}/32", "172.16.2.0/24"), False, 0, 1),
        (DROPPED.replace("-m tcp --dport 3306", "-m multiport --dports 3300:3310,4567"), False, 0, 1),
        # A policy for some clients; another address, port, protocol.
        (DROPPED.replace("-p tcp", "-s 10.9.0.0/16 -p tcp"), False, 0, 0),
        (DROPPED.replace("-p tcp", "-i eth5 -p tcp"), False, 0, 0),
        (DROPPED.replace(f"-d {VIP}/32", f"! -d {VIP}/32"), False, 0, 0),
        (DROPPED.replace(VIP, "172.16.2.98"), False, 0, 0),
        (DROPPED.replace("3306", "3307"), False, 0, 0),
        (DROPPED.replace("tcp", "udp"), False, 0, 0),
        (DROPPED.replace("INPUT", "OUTPUT"), False, 0, 0),
    ],
)
def test_what_keeps_clients_off_is_told_apart(rules: str, ours: bool, by_hand: int, wider: int) -> None:
    seen = parse_barriers(TRIPLEO + rules, VIP, 3306)
    assert (seen.ours, len(seen.by_hand), len(seen.wider)) == (ours, by_hand, wider)
    assert seen.stand is bool(ours or by_hand or wider)


def test_a_rule_of_ipv6_is_one_of_ip6tables() -> None:
    vip = "fd00:fd00:fd00:2000::14"
    text = f"-A INPUT -d {vip}/128 -p tcp -m tcp --dport 3306 -j DROP\n"
    assert len(parse_barriers(text, vip, 3306).by_hand) == 1
    assert parse_barriers(text, VIP, 3306) == Barriers()
    for change in (block(vip, 3306), unblock(vip, 3306)):
        assert all("ip6tables" in command.words for command in change.commands if isinstance(command, Command))
    shell = FakeShell().on("ip6tables -w -S INPUT", say=text)
    assert read_barriers(shell, vip, 3306).stand


@pytest.mark.parametrize("times", [1, 2, 5])
def test_documented_rules_that_were_set_by_hand_are_deleted_as_well(rules: Path, times: int) -> None:
    by_hand, mine = (" ".join(("INPUT", *words)) for words in (documented(VIP, 3306), rule(VIP, 3306)))
    rules.write_text("\n".join([mine, *[by_hand] * times]) + "\n")
    shell = LocalShell(rules.parent)
    assert apply_change(shell, unblock(VIP, 3306), silent) == "done"
    assert rules.read_text() == ""


def test_rules_of_other_words_are_deleted_as_they_were_found(rules: Path) -> None:
    words = ("-d", f"{VIP}/32", "-p", "tcp", "-m", "comment", "--comment", "keep out; now", "-j", "REJECT")
    rules.write_text(f"INPUT {' '.join(words)}\n" * 2)
    assert apply_change(LocalShell(rules.parent), unblock(VIP, 3306, [words]), silent) == "done"
    assert rules.read_text() == ""


def test_rules_that_were_set_by_hand_alone_are_not_taken_for_no_rule(rules: Path) -> None:
    rules.write_text(f"INPUT {' '.join(documented(VIP, 3306))}\n")
    shell = LocalShell(rules.parent)
    assert apply_change(shell, unblock(VIP, 3306), silent) == "done"
    assert apply_change(shell, unblock(VIP, 3306), silent) == "already"
