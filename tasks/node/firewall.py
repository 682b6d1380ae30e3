"""The firewall rule that keeps clients off the database's virtual address."""

from __future__ import annotations

from blocks.remote.command import Command, question, script
from blocks.remote.shell import Shell
from tasks.engine.change import Change

COMMENT = "openstack-runbooks:clients-blocked"


def rule(vip: str, port: int) -> tuple[str, ...]:
    """The rule's words, as documented, with a comment by which an operator knows whose it is."""
    return (
        *("-p", "tcp", "--destination-port", str(port), "-d", vip),
        *("-m", "comment", "--comment", COMMENT, "-j", "DROP"),
    )


def is_blocked(shell: Shell, vip: str, port: int) -> bool:
    """Whether the rule stands."""
    return shell.run(question("iptables", "-w", "-C", "INPUT", *rule(vip, port), ok=(0, 1))).exit_code == 0


def block(vip: str, port: int) -> Change:
    """Put the rule before all others, once."""
    return Change(
        (Command(("iptables", "-w", "-I", "INPUT", *rule(vip, port))),),
        already=lambda shell: is_blocked(shell, vip, port),
    )


def unblock(vip: str, port: int) -> Change:
    """Delete the rule until none is left: an operator's hand may have inserted it twice."""
    return Change(
        (
            script(
                'while iptables -w -D INPUT "$@" 2>/dev/null; do :; done; ! iptables -w -C INPUT "$@" 2>/dev/null',
                *rule(vip, port),
            ),
        ),
        already=lambda shell: not is_blocked(shell, vip, port),
    )
