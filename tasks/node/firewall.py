"""The firewall rule that keeps clients off the database's virtual address."""

from __future__ import annotations

import ipaddress
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from blocks.remote.command import Command, question, script
from blocks.remote.shell import Shell
from tasks.engine.change import Change

COMMENT = "openstack-runbooks:clients-blocked"
Words = tuple[str, ...]


def program(vip: str) -> str:
    """The program whose rules an address is subject to."""
    return "ip6tables" if ipaddress.ip_address(vip).version == 6 else "iptables"


def rule(vip: str, port: int) -> Words:
    """The rule's words, as documented, with a comment by which an operator knows whose it is."""
    return (*_traffic(vip, port), "-m", "comment", "--comment", COMMENT, "-j", "DROP")


def documented(vip: str, port: int) -> Words:
    """The rule's words just as documented: what an operator's hand sets."""
    return (*_traffic(vip, port), "-j", "DROP")


def _traffic(vip: str, port: int) -> Words:
    return ("-p", "tcp", "--destination-port", str(port), "-d", vip)


@dataclass(frozen=True)
class Barriers:
    """What keeps clients off the virtual address on one host.

    Attributes:
        ours: Whether this project's rule stands.
        by_hand: Rules that do the same and were set by somebody else, as `iptables -D INPUT` takes them.
        wider: Rules that do so and concern more than that address and port.
    """

    ours: bool = False
    by_hand: tuple[Words, ...] = ()
    wider: tuple[Words, ...] = ()

    @property
    def stand(self) -> bool:
        """Whether clients are kept off."""
        return bool(self.ours or self.by_hand or self.wider)


def read_barriers(shell: Shell, vip: str, port: int) -> Barriers:
    """Look at the rules of a host."""
    return parse_barriers(shell.run(question(program(vip), "-w", "-S", "INPUT")).stdout, vip, port)


def parse_barriers(text: str, vip: str, port: int) -> Barriers:
    """Find what keeps clients off in what `iptables -S INPUT` prints.

    A rule that stands behind one which lets them in keeps nobody off, and one that concerns some clients alone is a policy.
    """
    ours, by_hand, wider = False, [], []
    for line in text.splitlines():
        if not line.startswith("-A INPUT "):
            continue
        seen = _parse_rule(tuple(shlex.split(line)[2:]))
        if not seen.concerns(vip, port):
            continue
        if seen.target == "ACCEPT":
            break
        if seen.target not in {"DROP", "REJECT"} or seen.narrowed:
            continue
        if seen.comment == COMMENT:
            ours = True
        elif seen.is_just(vip, port):
            by_hand.append(seen.words)
        else:
            wider.append(seen.words)
    return Barriers(ours, tuple(by_hand), tuple(wider))


@dataclass
class _Rule:
    words: Words
    target: str = ""
    protocol: str = ""
    destination: str = ""
    ports: str = ""
    comment: str = ""
    narrowed: bool = False

    def is_just(self, vip: str, port: int) -> bool:
        """Whether it is about that address and port alone."""
        return (
            bool(self.destination)
            and ipaddress.ip_interface(self.destination) == ipaddress.ip_interface(vip)
            and self.ports == str(port)
        )

    def concerns(self, vip: str, port: int) -> bool:
        """Whether it is about connections to that address and port by name of the port."""
        here = not self.destination or ipaddress.ip_address(vip) in ipaddress.ip_network(self.destination, strict=False)
        return self.protocol in {"tcp", "6"} and here and any(_within(port, part) for part in self.ports.split(","))


def _within(port: int, ports: str) -> bool:
    first, _, last = ports.partition(":")
    return first.isdigit() and int(first) <= port <= int(last if last.isdigit() else first)


_TARGET = {"-j": "target", "-p": "protocol", "-d": "destination", "--comment": "comment"}
_PORTS = {"--dport", "--dports", "--destination-port", "--destination-ports"}
_STATES = {"--state", "--ctstate"}
# Words that say how, and narrow nothing.
_HOW = {"-m", "--reject-with"}


def _parse_rule(words: Words) -> _Rule:
    seen, rest = _Rule(words), iter(words)
    for word in rest:
        if word in _TARGET:
            setattr(seen, _TARGET[word], next(rest, ""))
        elif word in _PORTS:
            seen.ports = next(rest, "")
        elif word in _HOW:
            next(rest, "")
        elif word in _STATES:
            seen.narrowed |= "NEW" not in next(rest, "").split(",")
        else:
            seen.narrowed = True
    return seen


def is_blocked(shell: Shell, vip: str, port: int) -> bool:
    """Whether this project's rule stands."""
    return _stands(shell, vip, rule(vip, port))


def _stands(shell: Shell, vip: str, words: Words) -> bool:
    return shell.run(question(program(vip), "-w", "-C", "INPUT", *words, ok=(0, 1))).exit_code == 0


def block(vip: str, port: int) -> Change:
    """Put the rule before all others, once."""
    return Change(
        (Command((program(vip), "-w", "-I", "INPUT", *rule(vip, port))),),
        already=lambda shell: is_blocked(shell, vip, port),
    )


_DELETE = 'p=$1; shift; while "$p" -w -D INPUT "$@" 2>/dev/null; do :; done; ! "$p" -w -C INPUT "$@" 2>/dev/null'


def unblock(vip: str, port: int, by_hand: Sequence[Words] = ()) -> Change:
    """Delete the rule until none is left, and with it those that an operator's hand has set.

    Args:
        vip: The virtual address.
        port: The database's.
        by_hand: Rules of other words than the documented ones, as they were found.
    """
    rules = list(dict.fromkeys([rule(vip, port), documented(vip, port), *by_hand]))
    return Change(
        tuple(script(_DELETE, program(vip), *words) for words in rules),
        already=lambda shell: not any(_stands(shell, vip, words) for words in rules),
    )
