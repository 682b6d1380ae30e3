"""Running commands, waiting, telling how far things are, and the lock."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

SCRIPTS = Path(__file__).resolve().parent / "scripts"


class LabError(Exception):
    """The lab cannot do what was asked; the message says why."""


class CommandError(LabError):
    """A command ended with an error."""

    def __init__(self, what: str, result: subprocess.CompletedProcess[str]) -> None:
        self.result = result
        output = (result.stderr or "") + (result.stdout or "")
        super().__init__(f"{what}: exit code {result.returncode}\n{output[-3000:].strip()}")


def run(
    args: Sequence[str | Path],
    *,
    input: str | None = None,  # noqa: A002 - the name that subprocess.run uses
    check: bool = True,
    timeout: float = 900,
    what: str = "",
) -> subprocess.CompletedProcess[str]:
    """Runs a command to its end and returns its output.

    Args:
        args: The command's words.
        input: What it reads; nothing if None.
        check: Whether an exit code other than 0 is an error.
        timeout: Seconds after which it is killed.
        what: How to call it in an error; its words by default.

    Raises:
        CommandError: It ended with another exit code than 0.
        LabError: It took too long.
    """
    words = [str(word) for word in args]
    what = what or " ".join(words)[:200]
    try:
        result = subprocess.run(
            words,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(f"{what}: no end within {timeout:.0f} s") from error
    if check and result.returncode != 0:
        raise CommandError(what, result)
    return result


def interrupt_on_sigterm() -> None:
    """Lets SIGTERM end this process as Ctrl-C does: what it has started is stopped on the way out."""

    def interrupt(_signal: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def bear_interrupts() -> None:
    """Lets Ctrl-C and SIGTERM change nothing from here on: whoever interrupts often does so twice, and this is the way out.

    They are not ignored, since the programs that are run here would inherit that.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)


def wait_until(subject: str, look: Callable[[], str], timeout: float, interval: float = 0.3) -> None:
    """Looks again and again, until nothing is missing any more.

    Args:
        subject: What is waited for, as the beginning of a sentence.
        look: Returns what is still missing; an empty string means done.
        timeout: Seconds.
        interval: Seconds between two looks.

    Raises:
        LabError: The deadline passed; the message has what was missing last.
    """
    deadline = time.monotonic() + timeout
    while missing := look():
        if time.monotonic() > deadline:
            raise LabError(f"{subject} within {timeout:.0f} s; last seen: {missing}")
        time.sleep(interval)


class Progress:
    """Prints sentences with the seconds since the beginning."""

    def __init__(self, quiet: bool = False) -> None:
        self._start = time.monotonic()
        self.quiet = quiet

    def __call__(self, sentence: str) -> None:
        """Prints one sentence."""
        if not self.quiet:
            print(f"[{self.seconds:6.1f}s] {sentence}", file=sys.stderr, flush=True)

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._start


@contextmanager
def exclusive(path: Path, purpose: str) -> Iterator[None]:
    """Holds the lab's lock.

    The lock belongs to the open file, so it ends with the process whatever happens to it; the text in the file only
    says who holds it.

    Raises:
        LabError: Another process holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LabError(f"the lab is held by {file.read().strip() or 'another process'} ({path})") from None
        file.truncate(0)
        file.write(f"process {os.getpid()}, '{purpose}', since {time.strftime('%Y-%m-%d %H:%M:%S')}\n")
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
