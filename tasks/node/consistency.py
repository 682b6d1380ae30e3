"""What must agree with each other once a control plane is restored (BR 4.3, after step 8).

Services keep records of the same things in databases of their own, which need not be of one moment after a restore, or which
went on meanwhile elsewhere. OpenStack's own tools compare them; they run in the containers of the services, with their
configuration. What differs is counted and told. It is repaired by the same tools, where that was asked for and approved.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from blocks.remote.command import Command
from blocks.remote.connection import Performed, Watch
from blocks.remote.errors import CommandFailed, CommandTimedOut, HostError
from blocks.remote.shell import Result, Shell
from tasks.engine.change import Call, Change
from tasks.node import podman

Repair = Literal["ovn", "allocations", "orphaned-allocations", "cells"]
# A tool's exit code is read together with what it says. 124 stays timeout's.
ANY_CODE = (*range(124), *range(125, 256))
_NOT_FOUND = 127
_USAGE = 2
_UUID = re.compile(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_LITERAL = re.compile(r"\[.*\]|\{.*\}")
_LINE = 300
# What podman 1.6 adds to whatever a command in a container has said before it failed.
_PODMAN = re.compile(r"^Error: (non zero exit code|exit status)")
# SQLAlchemy and oslo.messaging quote an address that they can't read as it is, password and all.
_CREDENTIALS = re.compile(r"://\S*@")


@dataclass(frozen=True)
class Seen:
    """What a comparison has come to.

    Attributes:
        differences: A sentence each.
        unknown: Why it is not known whether there are (more) differences; empty where it is.
        nothing: Why there is nothing to compare; empty where there is.
    """

    differences: tuple[str, ...] = ()
    unknown: str = ""
    nothing: str = ""


@dataclass(frozen=True)
class Agreement:
    """Two records of the same things, and the tool that compares them.

    Attributes:
        key: What a repair of it is called.
        subject: What must agree.
        container: Where the tool is.
        looks: What is run to compare.
        judge: What their answers come to.
        repair: What is run to repair.
        failed: Why a repair has failed, by its answer; empty where it has not.
        effect: What a repair does, for the approval.
        by_hand: What an operator would type to repair it later.
    """

    key: Repair
    subject: str
    container: str
    looks: tuple[Command, ...]
    judge: Callable[[Sequence[Result]], Seen]
    repair: Command
    failed: Callable[[Result], str]
    effect: str
    by_hand: str


def quotable(said: str) -> str:
    """What may be told of a tool's words: without the passwords in addresses, and not at any length."""
    return _CREDENTIALS.sub("://****@", said)[:_LINE]


def last_line(result: Result) -> str:
    """What a tool has said last, the errors before all else; for a sentence."""
    lines = [line.strip() for line in (*result.stdout.splitlines(), *result.stderr.splitlines())]
    lines = [line for line in lines if line and not _PODMAN.match(line)]
    return quotable(lines[-1]) if lines else "it said nothing"


def not_there(result: Result, tool: str) -> str:
    """Why a tool can't compare on this release: it is not there, or does not know the command; empty where it can.

    Args:
        result: Its answer.
        tool: What was run, as an operator calls it.
    """
    if result.exit_code == _NOT_FOUND and "not found" in result.stderr:
        return f"the container has no {tool.split()[0]}"
    refused = ("invalid choice", "unrecognized arguments")
    if result.exit_code == _USAGE and any(word in result.stderr for word in refused):
        return f"this release has no `{tool}`"
    return ""


def read(agreement: Agreement, shell: Shell, within_s: float) -> Seen:
    """Compare. That a tool fails, or is not there, is an answer as well.

    Args:
        agreement: What is compared.
        shell: A host with the container.
        within_s: Seconds for the tool.

    Raises:
        Unreachable, ConnectionLost: The host does not answer.
    """
    name = agreement.container
    try:
        if name not in podman.names(shell):
            return Seen(nothing=f"there is no container {name}")
        if (status := podman.status(shell, name)) != "running":
            return Seen(unknown=f"container {name} is {status}")
        return agreement.judge([shell.run(look.within(within_s)) for look in agreement.looks])
    except (CommandFailed, CommandTimedOut) as error:
        return Seen(unknown=error.message)


def by_kind(differences: Sequence[str]) -> str:
    """How many of each kind: the same sentence about other things."""
    kinds = Counter(_LITERAL.sub("…", _UUID.sub("…", each)) for each in differences)
    return "; ".join(f"{count} × {kind}" for kind, count in kinds.most_common())


def findings(agreement: Agreement, seen: Seen, what_next: str) -> list[str]:
    """What the report says of a comparison: nothing, where all agrees.

    Args:
        agreement: What was compared.
        seen: What it has come to.
        what_next: What becomes of differences.
    """
    subject = agreement.subject
    if seen.nothing:
        return [f"{subject} were not compared: {seen.nothing}"]
    count, told = len(seen.differences), []
    if count:
        told.append(f"{subject} differ in {count}: {by_kind(seen.differences)}. {what_next}")
    if seen.unknown:
        told.append(f"{subject}: it is not known whether they {'differ in more' if count else 'agree'}: {seen.unknown}")
    return told


def compare(agreement: Agreement, within_s: float, repaired_next: bool) -> Change:
    """Compare; differences are told one by one in the log, and counted as a finding. Nothing of it is a failure.

    Args:
        agreement: What is compared.
        within_s: Seconds for the tool.
        repaired_next: Whether the next step repairs what differs.
    """
    told: list[str] = []
    kept = f"Nothing of it was repaired; once you know why: `{agreement.by_hand}`"

    def do(shell: Shell, watch: Watch) -> Performed:
        seen = read(agreement, shell, within_s)
        for difference in seen.differences:
            watch.line(difference)
        told[:] = findings(agreement, seen, "It is repaired next, as was approved" if repaired_next else kept)
        return "done"

    line = "\n".join(look.shown for look in agreement.looks)
    return Change((Call(line, do),), findings_after=lambda _: told)


def repair(agreement: Agreement, within_s: float) -> Change:
    """Repair what differs, and compare again.

    Args:
        agreement: What is repaired.
        within_s: Seconds for the tool.
    """
    told: list[str] = []

    def already(shell: Shell) -> bool:
        seen = read(agreement, shell, within_s)
        if seen.unknown:
            said = f"{agreement.subject} are not repaired before they can be compared: {seen.unknown}"
            raise HostError(shell.name, said, f"see to that, and start the runbook again; or `{agreement.by_hand}`")
        return not seen.differences

    def do(shell: Shell, _: Watch) -> Performed:
        result = shell.run(agreement.repair.within(within_s))
        if why := agreement.failed(result):
            said = f"the repair of {agreement.subject} has failed: {why}"
            raise HostError(shell.name, said, f"see to that, and start the runbook again; or `{agreement.by_hand}`")
        told[:] = findings(agreement, read(agreement, shell, within_s), "That was after their repair")
        return "done"

    return Change((Call(agreement.repair.shown, do),), already=already, findings_after=lambda _: told)
