"""Long commands as transient systemd units: they outlive the connection, and a rerun attaches to the one still running.

A unit stays after its end (`RemainAfterExit`) until its result has been read, so that a run that was killed between the
command's end and its own bookkeeping finds the result and does not run the command twice.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from blocks.remote.command import Command, command, question, script
from blocks.remote.connection import Action, LineSink, Performed, Watch
from blocks.remote.errors import CommandFailed, CommandTimedOut, HostError
from blocks.remote.secrets import mask
from blocks.remote.shell import Shell
from blocks.remote.waiting import wait_until

LOGS = "/var/log/openstack-runbooks"
_PREFIX = "openstack-runbooks"
_PART = 65536
# How far it is costs a command on the host: asked so often, and so never of one that is soon over.
_PROGRESS_EVERY_S = 10.0
_PROPERTIES = "LoadState,ActiveState,SubState,Result,ExecMainStatus"

# systemd-run looks for the unit's program itself; systemd takes a program of any other Exec line by its absolute path alone.
_ENV = "/usr/bin/env"
# The unit's own shell opens its log: systemd can append to a file from version 240 on (RHEL 8.3).
_INTO_LOG = 'exec >>"$1" 2>&1; shift; exec "$@"'

# Looks on the host itself, so that what runs there is not asked over SSH all the time: says the state and the log's size once
# the unit's process has ended or has written more, or after five seconds. Meanwhile systemd is left alone.
_LOOK = f"""
unit=$1 log=$2 read=$3
pid=$(systemctl show "$unit" -p MainPID) pid=${{pid#MainPID=}}
size() {{ stat -c %s "$log" 2>/dev/null || echo 0; }}
for _ in $(seq 25); do
  [ "$pid" != 0 ] && [ -d "/proc/$pid" ] && [ "$(size)" = "$read" ] || break
  sleep 0.2
done
state=$(systemctl show "$unit" -p {_PROPERTIES})
size=$(size)
printf '%s\\nLogSize=%s\\n' "$state" "$size"
"""


@dataclass(frozen=True)
class UnitState:
    """What systemd says of a unit.

    Attributes:
        loaded: Whether systemd knows it.
        running: Whether its process lives.
        exit_code: Of the process, once it has ended.
        result: systemd's word (`success`, `exit-code`, `timeout`, `signal`).
        log_size: Bytes that it has written; None where nobody has looked.
    """

    loaded: bool
    running: bool
    exit_code: int
    result: str
    log_size: int | None = None

    @property
    def word(self) -> str:
        """One word for a wait: absent, running or ended."""
        return "absent" if not self.loaded else "running" if self.running else "ended"


def parse_unit_state(text: str) -> UnitState:
    """Read the properties that `systemctl show` prints, with the size of the log where a look has added it."""
    seen = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    active = seen.get("ActiveState", "inactive")
    running = active == "activating" or (active in {"active", "deactivating"} and seen.get("SubState") != "exited")
    return UnitState(
        loaded=seen.get("LoadState") == "loaded" and active != "inactive",
        running=running,
        exit_code=int(seen.get("ExecMainStatus") or 0),
        result=seen.get("Result", ""),
        log_size=int(seen["LogSize"]) if "LogSize" in seen else None,
    )


@dataclass(frozen=True)
class LongCommand(Action[Shell]):
    """A command that may take long, as a transient unit.

    Attributes:
        key: What it does, in a word or two; with the command's hash it makes the unit's name, so that only a run that
            wants the very same thing attaches.
        words: Program and arguments. No secret: systemd shows them to everybody.
        timeout_s: Seconds until systemd ends it.
        says: What it does, in a few words, for errors.
        exec_stop_post: What else ends with it, run once it has stopped for whatever reason; its own failure is none.
        progress_query: Asks how far it is: prints two numbers, what is done and what there is, and perhaps a second line with what
            is under way. Anything else is no answer.
    """

    key: str
    words: tuple[str, ...]
    timeout_s: float
    exec_stop_post: tuple[str, ...] = ()
    says: str = ""
    progress_query: Command | None = None

    @property
    def named(self) -> str:
        """How errors call it."""
        return self.says or self.shown

    @property
    def unit(self) -> str:
        """The unit's name."""
        return f"{_PREFIX}-{self.key}-{hashlib.sha256(repr(self.words).encode()).hexdigest()[:10]}.service"

    @property
    def log(self) -> str:
        """Where its output goes, on the host."""
        return f"{LOGS}/{self.unit.removesuffix('.service')}.log"

    @property
    def start(self) -> Command:
        """What starts it."""
        return script(
            f'install -d -m 700 {LOGS}; log=$1; shift; install -m 600 /dev/null "$log"; exec systemd-run --quiet "$@"',
            self.log,
            f"--unit={self.unit}",
            "--property=RemainAfterExit=yes",
            f"--property=RuntimeMaxSec={round(self.timeout_s)}",
            *((f"--property=ExecStopPost=-{_unit_line((_ENV, *self.exec_stop_post))}",) if self.exec_stop_post else ()),
            "--",
            *unit_words(("bash", "-c", _INTO_LOG, "bash", self.log, *self.words)),
        )

    @property
    def shown(self) -> str:
        """What an operator would type: the command without the unit around it."""
        return command(*self.words).shown

    def perform(self, connection: Shell, watch: Watch) -> Performed:
        """Start it or attach to it, and wait for its end; see `run_long` for what is raised."""
        return run_long(connection, self, watch.line, watch.progress, watch.phase)

    def has_unread_result(self, connection: Shell) -> bool:
        """Whether an earlier run's unit is there still, running or ended."""
        return unit_state(connection, self).loaded

    def forget(self, connection: Shell) -> None:
        """Drop the unit, whose end is on record."""
        forget(connection, self)


def unit_words(words: tuple[str, ...]) -> tuple[str, ...]:
    """Return words as systemd-run takes them: systemd expands variables in them, so that a script's `$$` would be `$`."""
    return tuple(word.replace("$", "$$") for word in words)


def _unit_line(words: tuple[str, ...]) -> str:
    """Quote words for an Exec line given to systemd-run, where $ has a meaning of its own; % has none on this way."""
    return " ".join('"' + _escaped(word) + '"' for word in words)


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace('"', '\\"').replace("$", "$$")


def unit_state(shell: Shell, long: LongCommand) -> UnitState:
    """Ask systemd for the unit's state."""
    return parse_unit_state(shell.run(question("systemctl", "show", long.unit, "-p", _PROPERTIES)).stdout)


def run_long(
    shell: Shell,
    long: LongCommand,
    on_line: LineSink | None = None,
    on_progress: Callable[[float], None] | None = None,
    on_phase: LineSink | None = None,
) -> Literal["done", "attached"]:
    """Start the command, or attach to it where it is running or has ended unread, and wait for its end.

    A unit that ended well stays, until `forget`: call that once its end is on record.

    Args:
        shell: The host.
        long: The command.
        on_line: Gets its output, line by line.
        on_progress: Gets the percentage that is done, where the command can be asked for it.
        on_phase: Gets what is under way before that, where the command says it.

    Returns:
        `done` or `attached`.

    Raises:
        CommandFailed: With the end of its output.
        HostError: systemd ended it after `timeout_s`; that is not tried again by itself.
    """
    state = unit_state(shell, long)
    how: Literal["done", "attached"] = "attached" if state.loaded else "done"
    if not state.loaded:
        shell.run(long.start)
    tail = _Tail(shell, long.log, on_line)
    asked = time.monotonic()

    def look() -> str:
        nonlocal state, asked
        state = parse_unit_state(
            shell.run(script(_LOOK, long.unit, long.log, str(tail.read), quiet=True, changes=False)).stdout
        )
        if state.log_size != tail.read:
            tail.follow()
        if state.running and on_progress and time.monotonic() - asked >= _PROGRESS_EVERY_S:
            asked = time.monotonic()
            said = _ask_progress(shell, long)
            percent = parse_progress(said)
            if percent is not None:
                if on_phase is not None:
                    on_phase(mask(parse_phase(said)))
                on_progress(percent)
        return state.word

    wait_until(shell.name, long.unit, "ended", look, long.timeout_s + 60, satisfied=lambda word: word != "running")
    if state.result != "success" or state.exit_code != 0:
        forget(shell, long)  # a failure is told at once; started again, the command begins anew
    if state.result == "timeout":
        raise HostError(shell.name, f"`{long.named}` did not end within {long.timeout_s:g} s and was ended")
    if not state.loaded or state.result != "success" or state.exit_code != 0:
        raise CommandFailed(shell.name, long.named, state.exit_code, mask(tail.seen))
    return how


def parse_progress(text: str) -> float | None:
    """Read what is done and what there is; None where that is no answer (the command has just ended, or just begun).

    Returns:
        The percentage.
    """
    numbers = text.partition("\n")[0].split()
    if len(numbers) != 2 or not all(number.isdigit() for number in numbers) or int(numbers[1]) == 0:
        return None
    return 100 * int(numbers[0]) / int(numbers[1])


def parse_phase(text: str) -> str:
    """Read what is under way; empty where it is not said."""
    return text.partition("\n")[2].strip()


def _ask_progress(shell: Shell, long: LongCommand) -> str:
    if long.progress_query is None:
        return ""
    try:
        return shell.run(replace(long.progress_query, ok=tuple(range(124)), quiet=True)).stdout
    except CommandTimedOut:  # a busy host; the command itself has its own deadline
        return ""


def forget(shell: Shell, long: LongCommand) -> None:
    """Stop the unit, which ends what runs in it, and drop its result, so that the name is free again."""
    text = f"systemctl stop {long.unit} || [ $? = 5 ]; systemctl reset-failed {long.unit} 2>/dev/null || :"  # 5: it is not there
    shell.run(script(text, quiet=True))


def read_log(shell: Shell, long: LongCommand) -> list[str]:
    """Return the last lines (64 KiB) that the command wrote."""
    text = shell.run(script('[ ! -e "$1" ] || tail -c 65536 "$1"', long.log, quiet=True, changes=False)).stdout
    return text.splitlines()


class _Tail:
    """Follows a log file, at most 64 KiB a command.

    Attributes:
        read: Bytes that were read.
        seen: The last of them.
    """

    def __init__(self, shell: Shell, path: str, on_line: LineSink | None) -> None:
        self._shell, self._path, self._on_line = shell, path, on_line
        self.read = 0
        self.seen = ""

    def follow(self) -> None:
        """Read to the end."""
        while self._read() >= _PART:
            pass

    def _read(self) -> int:
        text = self._shell.run(
            script(
                f'[ ! -e "$1" ] || tail -c +"$2" "$1" | head -c {_PART}',
                self._path,
                str(self.read + 1),
                quiet=True,
                changes=False,
            )
        ).stdout
        size = len(text.encode())
        self.read += size
        self.seen = (self.seen + text)[-8192:]
        if self._on_line is not None:
            for line in text.splitlines():
                self._on_line(mask(line))
        return size
