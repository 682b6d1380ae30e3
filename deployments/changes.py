"""What applying did, or would do, to one object of the server."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Action = Literal["created", "changed", "unchanged"]


@dataclass(frozen=True)
class Change:
    """One object, and what became of it.

    Attributes:
        kind: What the object is ("work pool").
        name: Its name on the server.
        action: What was done; in a dry run, what would be.
        parts: Which of its parts differed, if it was there before.
    """

    kind: str
    name: str
    action: Action
    parts: tuple[str, ...] = ()

    def line(self, dry_run: bool = False) -> str:
        """Return the line that tells an operator."""
        action = f"would be {self.action}" if dry_run and self.action != "unchanged" else self.action
        parts = f" ({', '.join(self.parts)})" if self.parts else ""
        return f"{action:<16} {self.kind} {self.name}{parts}"


def changed_or_not(kind: str, name: str, parts: Iterable[str]) -> Change:
    """Return the change of an object that is on the server already, and differs in `parts`."""
    parts = tuple(parts)
    return Change(kind, name, "changed" if parts else "unchanged", parts)


@dataclass(frozen=True)
class Notice:
    """Something that applying saw and that the operator should know; nothing is refused for it.

    Attributes:
        text: One sentence.
    """

    text: str
