"""Checks as values: what was looked at, what was seen, and whether a runbook may begin.

Looking and refusing are apart. A function that looks returns checks; a runbook refuses with those that have a reason, and
`check-site` shows all of them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What was looked at, in a few words: `dump`, `nodes of the cluster`.
        where: The host or the cloud; empty where it is about the site as a whole.
        seen: What was seen, in a few words.
        reason: Why no runbook may begin; empty where nothing speaks against it.
        hint: What the operator does about it.
    """

    name: str
    where: str
    seen: str
    reason: str = ""
    hint: str = ""

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against beginning."""
        return not self.reason

    def __str__(self) -> str:
        """The reason as every refusal and every report writes it; where there is none, what was seen."""
        where = f"{self.where}: " if self.where else ""
        if self.ok:
            return f"{where}{self.name}: {self.seen}"
        return f"{where}{self.reason}; {self.hint}" if self.hint else f"{where}{self.reason}"
