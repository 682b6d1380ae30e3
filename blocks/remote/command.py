"""Commands as values: a list of words, quoted once, at the edge."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from blocks.remote.connection import Action, Watch

if TYPE_CHECKING:
    from blocks.remote.shell import Shell

# Locale C: messages and numbers are parsed.
_ENVIRONMENT = ("env", "LC_ALL=C")


@dataclass(frozen=True)
class Command(Action["Shell"]):
    """One command on one host, run as root unless said otherwise.

    Attributes:
        words: Program and arguments, unquoted. Never a secret: every user of the host can read them in /proc.
        stdin: What the command reads; this is the way for a secret. Never shown.
        stdin_is: How the plan names what goes into standard input ("SQL: set root's password").
        root: Whether `sudo -n` goes before it.
        timeout_s: Seconds until the command is ended, on both sides of the connection.
        limited: Whether the host ends it, too, by its own `timeout`; not where a host may have none, as a Cirros.
        ok: Exit codes that are no failure.
        says: What it does, in a few words, for errors: a script is no sentence.
        quiet: Its output is not streamed to the run's log (it answers a question, or holds a secret).
    """

    words: tuple[str, ...]
    stdin: str | None = field(default=None, repr=False)
    stdin_is: str = ""
    root: bool = True
    timeout_s: float = 60.0
    limited: bool = True
    ok: tuple[int, ...] = (0,)
    quiet: bool = False
    says: str = ""

    @property
    def line(self) -> str:
        """The line that the host's shell gets."""
        # `timeout` ends the command on the host too: closing an SSH channel does not.
        limit = ("timeout", "-k", "5", str(max(1, round(self.timeout_s)))) if self.limited else ()
        sudo = ("sudo", "-n") if self.root else ()
        return shlex.join((*sudo, *limit, *_ENVIRONMENT, *self.words))

    @property
    def shown(self) -> str:
        """The line as an operator would type it: for plans, logs and errors."""
        line = shlex.join((*(("sudo",) if self.root else ()), *self.words))
        return f"{line} < ({self.stdin_is})" if self.stdin_is else line

    def perform(self, connection: Shell, watch: Watch) -> Literal["done"]:
        """Run it on a host; see `Shell.run` for what is raised."""
        connection.run(self, watch.line)
        return "done"

    def within(self, seconds: float) -> Command:
        """The same command with another deadline."""
        return replace(self, timeout_s=seconds)


def command(*words: str, **options: object) -> Command:
    """Make a command from words.

    Args:
        words: Program and arguments.
        options: The other attributes of `Command`.
    """
    return Command(tuple(words), **options)  # type: ignore[arg-type]


def question(*words: str, timeout_s: float = 60.0, ok: Sequence[int] = (0,), root: bool = True) -> Command:
    """Make a command that only asks: its output is read, not streamed."""
    return Command(tuple(words), timeout_s=timeout_s, ok=tuple(ok), root=root, quiet=True)


def script(text: str, *arguments: str, **options: object) -> Command:
    """Make a command of a bash script, for pipes and redirections; arguments arrive as $1, $2, … and need no quoting."""
    return command("bash", "-o", "errexit", "-o", "pipefail", "-c", text, "bash", *arguments, **options)
