"""What must be undone whatever happens is undone by somebody: the flow, the hook of its end, and last the host itself.

A pair of doing and undoing is announced before the doing: into the journal, for the hooks and the next run, and to the
host as a systemd timer, which undoes by itself once the run has not renewed it for `GUARD_S` seconds.
"""

from __future__ import annotations

import hashlib

from blocks.remote.command import Command, command, script
from blocks.remote.shell import Shell
from blocks.remote.units import unit_words
from tasks.engine.journal import Undo

GUARD_S = 600


def guard_unit(undo: Undo) -> str:
    """The name of the timer and of the service that it starts."""
    return f"openstack-runbooks-undo-{hashlib.sha256(repr((undo.key, undo.words)).encode()).hexdigest()[:10]}"


def set_guard(undo: Undo) -> Command:
    """The command that sets the host's own timer, or sets it back to its full time."""
    unit = guard_unit(undo)
    return script(
        f"systemctl stop {unit}.timer 2>/dev/null || :; systemctl reset-failed {unit}.service 2>/dev/null || :; "
        f'exec systemd-run --quiet --unit={unit} --on-active={GUARD_S} --timer-property=AccuracySec=1s -- "$@"',
        *unit_words(undo.words),
        quiet=True,
    )


def perform_undo(shell: Shell, undo: Undo) -> None:
    """Undo, then take the guard away."""
    shell.run(command(*undo.words))
    shell.run(script(f"systemctl stop {guard_unit(undo)}.timer 2>/dev/null || :", quiet=True))
