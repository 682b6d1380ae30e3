"""What the demo writes to the terminal: headings, commands as one would type them, text of others set in."""

from __future__ import annotations

import time

_STEPS = 7
_started = time.monotonic()
_step = 0


def heading(sentence: str) -> None:
    """Begin the next step of the demo."""
    global _step  # noqa: PLW0603 - one terminal, one count
    _step += 1
    print(f"\n=== {_step}/{_STEPS} {sentence} [{time.monotonic() - _started:.0f} s]\n", flush=True)


def say(text: str) -> None:
    """Print a line of the demo's own."""
    print(text, flush=True)


def quote(text: str) -> None:
    """Print what a program said, set in."""
    for line in text.rstrip().splitlines():
        print(f"    {line.rstrip()}", flush=True)
