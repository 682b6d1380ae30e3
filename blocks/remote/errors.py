"""What can go wrong on a host, worded for an operator at 3 a.m.

Every error says what happened and where; `hint` says what to do next.
"""

from __future__ import annotations

from collections.abc import Sequence


class RunbookError(Exception):
    """The root of every error that this project raises on purpose.

    Args:
        message: What happened, in one sentence, without a secret in it.
        hint: What the operator does next; empty where the message already says it.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nHINT: {self.hint}" if self.hint else self.message


class Refused(RunbookError):
    """Preflight found reasons not to begin. Nothing has been changed."""

    def __init__(self, runbook: str, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        # What a command has printed stands under the sentence that it belongs to.
        listed = "\n".join("  - " + reason.replace("\n", "\n    ") for reason in self.reasons)
        super().__init__(f"{runbook} refuses to begin; nothing was changed:\n{listed}")


class HostError(RunbookError):
    """Something about one host."""

    def __init__(self, host: str, message: str, hint: str = "") -> None:
        super().__init__(f"{host}: {message}", hint)
        self.host = host


class Unreachable(HostError):
    """No SSH session could be opened (no route, refused, timed out). Nothing ran."""


class HostKeyRejected(HostError):
    """The host's key is unknown or is not the pinned one. Never retried: somebody may be in the middle."""


class LoginRejected(HostError):
    """The host was reached and refused our user or key."""


class ConnectionLost(HostError):
    """The connection broke while a command ran: whether the command took effect is unknown."""


class LockLost(HostError):
    """The run can't prove that it holds the lock on a host: somebody else may be at work. Nothing ran."""


class CommandTimedOut(HostError):
    """A command did not end before its deadline and was ended."""


class CommandFailed(HostError):
    """A command ended with an exit code that it may not end with.

    Args:
        command: As shown to the operator, secrets masked.
        exit_code: What the command returned.
        output: The end of what it printed, secrets masked.
    """

    def __init__(self, host: str, command: str, exit_code: int, output: str, hint: str = "") -> None:
        tail = "\n".join(output.strip().splitlines()[-20:])
        super().__init__(host, f"exit code {exit_code} from `{command}`" + (f"\n{tail}" if tail else ""), hint)
        self.exit_code = exit_code
        self.output = output


class Stopped(HostError):
    """The run was asked to stop (cancelled, timed out, another host failed) while a command ran."""


class WaitExpired(HostError):
    """What was waited for did not come before the deadline."""


class Busy(RunbookError):
    """Another runbook is at work on this control plane."""
