"""The flow's own plan as a bare shell script: the same commands and waits in the same order, and nothing of Prefect.

    python -m tests.benchmarks.bare_script SITE_FILE DUMP GRANTS ENDING > FILE

Hosts work at the same time within a step, as in the flow, over one ssh connection each. A wait is a loop over the very
question that the flow asks. The script holds root's password.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from shlex import quote
from typing import Any, Literal, NoReturn, cast, get_args

from blocks.remote.command import Command, command
from blocks.remote.connection import Action, Connection
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand
from blocks.site_file import read_site
from flows.restore_galera import procedure
from tasks.engine.change import Change, ChangeFor, Wait, change_for
from tasks.engine.cleanup import Cleanup
from tasks.engine.journal import Journal, now
from tasks.engine.plan import plan_of
from tasks.engine.results import Results
from tasks.engine.run import Run
from tasks.engine.steps import Fence
from tasks.runbooks.restore_galera.job import NAME, Bounds, Ending, Request
from tasks.runbooks.restore_galera.preflight import look

_HEAD = """\
#!/bin/bash
# Usage: … USER KEY KNOWN_HOSTS
set -euo pipefail
sockets=$(mktemp -d /tmp/bare.XXXXXX)
options=(-F none -i "$2" -o "UserKnownHostsFile=\\"$3\\"" -o GlobalKnownHostsFile=/dev/null -o StrictHostKeyChecking=yes
  -o IdentitiesOnly=yes -o BatchMode=yes -o LogLevel=ERROR -o "ControlPath=$sockets/%h" -l "$1")
on() { ssh "${options[@]}" "$@"; }
finish() {
  for socket in "$sockets"/*; do ssh -o "ControlPath=$socket" -O exit x 2> /dev/null || :; done
  rm -rf "$sockets"
}
trap finish EXIT
began=${EPOCHREALTIME/./}
say() {
  local tenths=$(((${EPOCHREALTIME/./} - began) / 100000))
  echo "[$((tenths / 10)).$((tenths % 10)) s] $1"
}
together() { # wait for each, since a bare `wait` forgets how they ended
  local job
  for job in "${jobs[@]}"; do wait "$job"; done
  jobs=()
}
jobs=()
declare -A next=([0.1]=0.2)
"""

# What a wait wants to see → what the shell makes of the answer ($out, $code). The same conditions as the flow's.
_TESTS: dict[str, str] = {
    "unmanaged": """grep -q 'name="is-managed" value="false"' <<< "$out\"""",
    "down": '! grep -qE "^(running|paused|stopping)$" <<< "$out"',
    "all up": """[ "$(grep -cE ':remote" role="Started".* failed="false"' <<< "$out")" = 3 ]""",
    "answering": "[ $code = 0 ]",
    "stopped": '[ -z "$out" ]',
    "as in the grants": '[ -n "$out" ]',
    "Synced in a Primary component": 'grep -q Synced <<< "$out" && grep -q "status.Primary" <<< "$out"',
    "whole": """grep -q Synced <<< "$out" && grep -q 'wsrep_cluster_size.3$' <<< "$out\"""",
    "Galera cluster node is synced": 'grep -q "node is synced" <<< "$out"',
    "all Promoted": """[ "$(grep -cE 'resource id="galera".*role="(Promoted|Master)"' <<< "$out")" = 3 ]""",
    "running": "true",  # nobody looks while the containers are stopped, or this run is no measure
    "managed and all Promoted": """! grep -q 'name="is-managed" value="false"' <<< "$out\"""",
    "greeted by MariaDB": '[ "$(xargs <<< "$out")" = 10 ]',
}


class _Asked(Exception):
    """Carries the question that a wait asks first."""

    def __init__(self, question: Command) -> None:
        super().__init__(question.shown)
        self.question = question


@dataclass
class _Listener:
    """Stands in for a host's shell, to hear what is asked of it."""

    name: str

    def run(self, command: Command, on_line: object = None) -> NoReturn:
        raise _Asked(command)


def question_of(wait: Wait) -> Command:
    """The command whose answer a wait looks at."""
    try:
        wait.look(cast(Shell, _Listener("nowhere")))
    except _Asked as asked:
        return asked.question
    raise ValueError(f"{wait.subject}: the wait asks nothing")


@dataclass
class Script:
    """Writes the steps down as shell; a `tasks.engine.change.Steps`.

    Attributes:
        hosts: All of them.
        lines: The steps.
    """

    hosts: list[Shell]
    lines: list[str] = field(default_factory=list)

    def step(
        self,
        number: str,
        sentence: str,
        on: Sequence[Connection],
        do: ChangeFor,
        *,
        one_at_a_time: bool = False,
        always: bool = False,
        raises: Fence | None = None,
        lifts: Fence | None = None,
        results: Results[Any] | None = None,
    ) -> None:
        """Write a step: a group of commands a host, all groups at once unless they take turns."""
        self.lines.append(f"\n{_say(number, sentence)}")
        alone = one_at_a_time or len(on) == 1
        for host in on:
            assert isinstance(host, Shell), "a shell script calls no API"
            self.lines += ["(", *_body(host, change_for(do, host)), ")" if alone else ") & jobs+=($!)"]
        if not alone:
            self.lines.append("together")

    def record_answer(self, number: str, sentence: str, on: Connection, command: Command | str, answer: str) -> None:
        """Write the question down."""
        assert isinstance(command, Command), "a runbook on hosts asks by commands"
        assert isinstance(on, Shell), "a shell script calls no API"
        self.lines += [f"\n{_say(number, sentence)}", _line(on, command)]

    def skip(self, number: str, sentence: str, why: str) -> None:
        """Write nothing."""

    @contextmanager
    def cleanup(self, cleanup: Cleanup) -> Iterator[None]:
        """Write it down at its place."""
        yield
        self.lines += [
            _line(host, command(*cleanup.words[host.name])) for host in self.hosts if host.name in cleanup.words
        ]

    def fall_back(self, first: Callable[[], None], instead: Callable[[], None], why: str) -> None:
        """Write the first steps alone."""
        first()

    def report_finding(self, finding: str) -> None:
        """Write nothing."""

    def text(self) -> str:
        """The whole script."""
        masters = [f"on -o ControlMaster=yes -f -N {host.address} & jobs+=($!)" for host in self.hosts]
        return "\n".join([_HEAD, *masters, "together", *self.lines, ""])


def _say(number: str, sentence: str) -> str:
    return f"say {quote(f'{number}. {sentence}')}"


def _body(host: Shell, change: Change) -> list[str]:
    lines = [_line(host, action) for action in change.commands]
    return lines + (_loop(host, change.until) if change.until else [])


def _line(host: Shell, action: Action[Shell]) -> str:
    command = Command(action.words, timeout_s=action.timeout_s) if isinstance(action, LongCommand) else action
    if not isinstance(command, Command):
        raise TypeError(f"{host.name}: a shell script calls no API")
    accepted = "" if command.ok == (0,) else " || :"
    return f"{_asking(host, command)} > /dev/null{accepted}"


def _loop(host: Shell, wait: Wait) -> list[str]:
    return [
        "pause=0.1",
        f"for left in $(seq {round(wait.within_s / 0.3)} -1 0); do",
        f"  code=0; out=$({_asking(host, question_of(wait))} 2> /dev/null) || code=$?",
        f"  if {_TESTS[wait.wanted]}; then break; fi",
        f"  if [ $left = 0 ]; then echo {quote(str(wait))} 'did not come' >&2; exit 1; fi",
        "  sleep $pause; pause=${next[$pause]:-0.3}",
        "done",
    ]


def _asking(host: Shell, command: Command) -> str:
    feed = "< /dev/null" if command.stdin is None else f"<<< {quote(command.stdin)}"
    return f"on {host.address} {quote(command.line)} {feed}"


def write(site_file: Path, dump: str, grants: str, ending: Ending) -> str:
    """Look at the hosts as preflight does, and write the script.

    Args:
        site_file: The site.
        dump: Path of the dump on the first controller.
        grants: Path of the grants there.
        ending: How Pacemaker gets the cluster back.
    """
    site = read_site(site_file)
    journal = Journal(runbook=NAME, site=site.site, run_id="", started=now())
    shells = {host.name: site.shell(host) for host in site.hosts_with(site.database.role)}
    run = Run(NAME, site, shells, True, journal)
    bounds = Bounds(start_s=300, load_s=14400, join_s=1800, adopt_s=60, promote_s=600)
    try:
        job = look(run, Request(dump, grants, ending, bounds), lambda job: plan_of(procedure, job).numbers)
    finally:
        run.close()
    script = Script(job.hosts)
    procedure(script, job)
    return script.text()


def _main(arguments: Sequence[str], out: Callable[[str], object] = print) -> None:
    site_file, dump, grants, ending = arguments
    if ending not in get_args(Ending):
        raise SystemExit(f"{ending!r} is no ending")
    out(write(Path(site_file), dump, grants, cast(Literal["adopt", "restart"], ending)))


if __name__ == "__main__":
    _main(sys.argv[1:])
