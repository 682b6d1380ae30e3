"""Lets `prefect deployment run restore-galera` stand for `prefect deployment run restore-galera/restore-galera`.

A runbook's flow, deployment and file share one name, and Prefect wants it twice. This is a plug-in of Prefect's
(entry-point group `prefect.plugins`), called while `prefect` is imported, before the command line is read. It touches
that one command and no other; a name that is nobody's gets Prefect's own error.
"""

import re
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import PurePath

from prefect.plugins import HookContext, register_hook

_BARE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
# Of the options of `prefect` and of `prefect deployment run`, those that no value follows.
_FLAGS = frozenset({"--prompt", "--no-prompt", "--watch", "--no-watch", "--help", "-h", "--version", "-v"})


@register_hook
def setup_environment(*, ctx: HookContext) -> None:  # noqa: ARG001 - Prefect passes it by its name
    """Complete a bare name among this process's arguments. Prefect's hook; the environment stays as it is."""
    if _is_prefect(sys.argv, sys.orig_argv):
        sys.argv[1:] = with_full_name(sys.argv[1:])


def with_full_name(arguments: Sequence[str]) -> list[str]:
    """Return the arguments of `prefect`, with NAME made NAME/NAME if they are a `deployment run NAME`."""
    positions = _positions(arguments)
    words = [arguments[position] for position in positions]
    completed = list(arguments)
    if len(words) >= 3 and words[0] in ("deployment", "deployments") and words[1] == "run":
        name = words[2]
        if _BARE_NAME.fullmatch(name):
            completed[positions[2]] = f"{name}/{name}"
    return completed


def _positions(arguments: Sequence[str]) -> list[int]:
    """Return where among the arguments the words stand that are neither options nor options' values."""
    positions = []
    is_value = False
    for position, argument in enumerate(arguments):
        if is_value:
            is_value = False
        elif argument == "--":
            continue
        elif argument.startswith("-") and argument != "-":
            is_value = argument not in _FLAGS and "=" not in argument
        else:
            positions.append(position)
    return positions


def _is_prefect(argv: Sequence[str], original: Sequence[str]) -> bool:
    """Tell whether this process is Prefect's command line: the console script, or `python -m prefect`."""
    if argv and PurePath(argv[0]).name == "prefect":
        return True
    # While `-m` imports the package, argv[0] is "-m" and only the interpreter's own arguments name the module.
    return ("-m", "prefect") in pairwise(original) and argv[:1] == ["-m"]
