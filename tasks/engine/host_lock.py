"""The lock on a host: held by a process there that answers us, and proven by its answers.

What is safe, and why:

- The process on the host ends after `SILENCE_S` without a line from us. We stop `MARGIN_S` after the last line that was
  answered, counted from when that line was *sent* and on a clock that goes on while this machine is suspended, so always
  before it.
- A connection that breaks takes the process with it. The lock is taken again only where nobody has held it since: the
  host's file still has our token, which the next holder would have overwritten. And only once the commands of the broken
  connection have ended, so that a step that is tried again never runs beside its own first try.
- Should all this be wrong, the host itself has the last word: a command that changes anything looks for our token there
  before it begins (`blocks.remote.guard`).
"""

from __future__ import annotations

import threading
import uuid

from blocks.remote.clock import since_boot
from blocks.remote.errors import Busy, CommandFailed, LockLost, RunbookError, Stopped
from blocks.remote.guard import AT_WORK, NOT_OURS, TAKEN, hold
from blocks.remote.held import Held
from blocks.remote.shell import Shell

SILENCE_S = 90.0
MARGIN_S = 60.0
_EVERY_S = 10.0
_ANSWER_S = 15.0
_SOON_S = 1.0
# For the commands of the run before. Of our own broken connection we can wait as long as we may live without a lock.
_PATIENCE_S = 10.0
_PATIENCE_AGAIN_S = 20.0


class HostLock:
    """The lock of one host, taken when it is made; a `tasks.engine.heartbeat.Kept`.

    While it is held, commands that change anything are run through the shell only under it.

    Args:
        shell: The host.
        holder: Who takes it, for whoever is refused; one line.

    Raises:
        Busy: Somebody holds it, or a command of the run before is at work; the message says who or which.
    """

    def __init__(self, shell: Shell, holder: str) -> None:
        self._shell, self._holder = shell, holder
        self._token = uuid.uuid4().hex
        self._mending = threading.Lock()
        self._lost: RunbookError | None = None
        self._trouble = ""
        self._held = self._hold()
        shell.lock_token = self._token

    @property
    def name(self) -> str:
        """Which lock this is."""
        return f"the lock on {self._shell.name}"

    @property
    def age_s(self) -> float:
        """Seconds since its last proven sign of life."""
        return since_boot() - self._held.proven_at

    def beat(self) -> float:
        """Ask it for a sign of life; take it again where its connection is gone (see `Kept`)."""
        if self._held.alive:
            try:
                return _EVERY_S if self._held.prove(_ANSWER_S) else _SOON_S
            except RunbookError as error:
                self._trouble = f": {error.message}"
        self._mend()
        return 0.0 if self._held.alive else _SOON_S

    def check(self) -> None:
        """Raise unless it is proven to be held; takes it again where its connection is gone (see `Kept`).

        Raises:
            LockLost: There was no sign of life for `MARGIN_S`, or somebody else has held it.
        """
        pause = threading.Event()
        while self._can_be_mended():
            self._mend()
            if self._can_be_mended():
                pause.wait(_SOON_S)
        if self._lost is not None:
            raise self._lost
        if self.age_s > MARGIN_S:
            raise self._lost_because(f"no sign of life for {self.age_s:.0f} s{self._trouble}")

    def release(self) -> None:
        """Give it back."""
        self._shell.lock_token = None
        self._held.release()

    def _can_be_mended(self) -> bool:
        """Whether its connection is gone, and the lock not given up for lost."""
        return not self._held.alive and self._lost is None and self.age_s <= MARGIN_S

    def _mend(self) -> None:
        """Take the lock again, once, where its connection is gone and nobody has held it since."""
        with self._mending:
            if not self._can_be_mended():
                return
            try:
                self._held = self._hold(again=True)
                self._trouble = ""
            except Stopped as stopped:
                self._lost = stopped
            except Busy as busy:
                self._trouble = f": {busy.message}"
                if isinstance(busy.__cause__, CommandFailed) and busy.__cause__.exit_code == NOT_OURS:
                    self._lost = self._lost_because(f"somebody else has held it meanwhile{self._trouble}")
            except RunbookError as error:
                self._trouble = f": {error.message}"

    def _lost_because(self, why: str) -> LockLost:
        return LockLost(
            self._shell.name,
            f"the lock on this host was lost while the run went on: {why}",
            "see that no other runbook is at work, then start this one again: it goes on where it stands",
        )

    def _hold(self, *, again: bool = False) -> Held:
        patience = _PATIENCE_AGAIN_S if again else _PATIENCE_S
        command = hold(self._holder, self._token, again=again, patience_s=patience, silence_s=SILENCE_S)
        try:
            return Held(self._shell, command, within_s=patience + 20)
        except CommandFailed as error:
            busy = _busy(self._shell.name, error)
            if busy is None:
                raise
            raise busy from error


def _busy(host: str, error: CommandFailed) -> Busy | None:
    said = error.output.strip()
    if error.exit_code in {TAKEN, NOT_OURS}:
        return Busy(
            f"{host}: another runbook is at work: {said}",
            f"wait for its end or cancel it; the lock of a dead run ends by itself within {SILENCE_S:.0f} s",
        )
    if error.exit_code == AT_WORK:
        return Busy(
            f"{host}: a command of a run that has ended is still at work, and nothing may be begun beside it: {said}",
            "wait for its end, then start this runbook again",
        )
    return None
