"""Checks as values: what was looked at, what was seen, and whether a runbook may begin.

Looking and refusing are apart. A function that looks returns checks; a runbook refuses with those that have a reason, and
`check-site` shows all of them. Every reason is written in one form: `where: reason; hint`.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from blocks.remote.errors import HostError, Refused, RunbookError
from blocks.remote.secrets import mask
from blocks.state import state_directory


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What was looked at, in a few words: `dump`, `nodes of the cluster`.
        where: The host or the cloud; empty where it is about the site as a whole.
        seen: What was seen, in a few words.
        reason: Why no runbook may begin; empty where nothing speaks against it. What a command has printed follows on
            lines of its own.
        hint: What the operator does about it.
    """

    name: str
    where: str
    seen: str
    reason: str = ""
    hint: str = ""

    @classmethod
    def of(cls, error: RunbookError, name: str) -> list[Self]:
        """What an error says of that which was looked at; a refusal is as many checks as it has reasons."""
        if isinstance(error, Refused):
            return [cls(name, "", "", reason) for reason in error.reasons]
        where = error.host if isinstance(error, HostError) else ""
        return [cls(name, where, "", error.message.removeprefix(f"{where}: "), error.hint)]

    @classmethod
    def each(cls, name: str, where: str, reasons: Iterable[str], seen: str) -> list[Self]:
        """A check for each reason; where there is none, one with what was seen."""
        return [cls(name, where, "", reason) for reason in reasons] or [cls(name, where, seen)]

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against beginning."""
        return not self.reason

    def __str__(self) -> str:
        """The reason as every refusal and every report writes it; where there is none, what was seen."""
        where = f"{self.where}: " if self.where else ""
        return f"{where}{self.name}: {self.seen}" if self.ok else f"{where}{self.words}"

    @property
    def words(self) -> str:
        """The reason with its hint, or what was seen: beside a name and a place that stand elsewhere.

        The hint comes before the output of a command, which would hide it.
        """
        if self.ok:
            return self.seen
        sentence, newline, output = self.reason.partition("\n")
        return f"{sentence}; {self.hint}{newline}{output}" if self.hint else self.reason


def unforeseen(error: Exception, name: str) -> Check:
    """What nobody foresaw while something was looked at, as a reason like any other: so that all else is told, too.

    It is a defect of the runbook, or an input of a kind that it does not know. Its traceback, secrets masked, goes into a file.

    Args:
        error: What was raised.
        name: What was looked at.
    """
    said = mask(" ".join(str(error).split())[:200])
    kind = type(error).__name__
    reason = f"something that nobody foresaw, and that may be an input of an unknown kind: {kind}{f': {said}' if said else ''}"
    text = mask("".join(traceback.format_exception(error)))
    path = state_directory() / "unforeseen" / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}.txt"
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
    except OSError as unwritten:
        return Check(name, "", "", reason, f"report it (its traceback could not be kept: {unwritten.strerror})")
    return Check(name, "", "", reason, f"where it happened stands in {path} on the worker's machine: report it")
