"""Pacemaker is waited for until it has ended what it has begun with the bundle, and what would last is ended."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from blocks.remote.command import Command
from blocks.remote.errors import CommandFailed
from tasks.node.pacemaker import settle
from tests.unit.fakes import LocalShell

RESTS = "Revised Cluster Status:\n  * Online: [ controller-0 ]"
NO_OPERATION = ""
PROMOTES = (
    '<xpath-query>\n  <lrm_rsc_op id="galera_last_0" operation_key="galera_promote_0" operation="promote" op-status="-1"/>\n'
    "</xpath-query>"
)
IDLE, BUSY, JOINING = "S_IDLE", "S_TRANSITION_ENGINE", "S_FINALIZE_JOIN"


def plans(*actions: str) -> str:
    return "\n".join(("Executing Cluster Transition:", *(f"  * {action}" for action in actions), "", RESTS))


# The state that Pacemaker is in, what it would do next, what it has under way; whether it is waited for.
SETTLING = {
    "it rests": (IDLE, RESTS, NO_OPERATION, False),
    "a promotion is under way": (IDLE, RESTS, PROMOTES, True),
    "a start of the container is under way": (
        BUSY,
        RESTS,
        PROMOTES.replace('"galera_last', '"galera-bundle-podman-1_last'),
        True,
    ),
    "another resource is at work": (BUSY, RESTS, PROMOTES.replace('"galera_last', '"rabbitmq_last'), False),
    "another resource is to be started for ever": (BUSY, plans("Resource action: cinder-volume start on x"), "", False),
    "one of a similar name is": (BUSY, plans("Resource action: galera2   monitor on x"), NO_OPERATION, False),
    "the database is to be stopped": (IDLE, plans("Resource action: galera    stop on galera-bundle-0"), "", True),
    "a monitor of it is to be ended, and nobody does": (
        IDLE,
        plans("Resource action: galera    cancel=10000 on galera-bundle-0"),
        "",
        False,
    ),
    "the bundle is to be started": (IDLE, plans("Pseudo action:   galera-bundle_start_0"), NO_OPERATION, True),
    "a container is to be looked for": (
        IDLE,
        plans("Resource action: galera-bundle-podman-1 monitor on c-1"),
        "",
        True,
    ),
    "older Pacemaker plans": (IDLE, " * Pseudo action:   galera-bundle_start_0\nRevised cluster status:", "", True),
    "a host is to be fenced": (IDLE, f" * Fencing controller-1 (reboot)\n{RESTS}", NO_OPERATION, True),
    "a node joins": (JOINING, RESTS, NO_OPERATION, True),
    "nobody knows what is planned": (IDLE, "", NO_OPERATION, True),
    "nobody knows in which state it is": ("", RESTS, NO_OPERATION, True),
}


class Host:
    """A controller whose Pacemaker says what is told, and whose containers' processes are this machine's.

    Args:
        folder: Where its programs are.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        self.write("podman", "echo $PPID")
        # Other tests' agents run in the same namespace, side by side with these.
        self.write("pgrep", f'exec {shutil.which("pgrep")} "${{@:1:$#-1}}" "^bash {folder}${{@: -1}}"')
        self.write(
            "cibadmin",
            f"""case $* in
            *lrm_rsc_op*) cat {folder}/under-way; [ -s {folder}/under-way ] || exit 105;;
            *bundle*) echo '<primitive class="ocf" id="galera" type="galera">';;
            esac""",
        )

    def write(self, program: str, text: str) -> None:
        """Put a program of Pacemaker's or podman in front of the real one."""
        (self._folder / program).write_text(f"#!/bin/bash\n{text}\n")
        (self._folder / program).chmod(0o755)

    def pacemaker(self, state: str, planned: str, under_way: str) -> None:
        """In which state it is, what it would do next, what it has under way."""
        (self._folder / "plan").write_text(planned)
        (self._folder / "under-way").write_text(under_way)
        self.write(
            "crmadmin",
            f"""if [ "$1" = -D ]; then echo "Designated Controller is: controller-0"; exit; fi
            [ "$*" = "-S controller-0" ] && echo "Controller on controller-0 in state {state}: ok" """,
        )
        self.write("crm_simulate", f'[ "$*" = "-L -S" ] && cat {self._folder}/plan')

    def agent(self, operation: str, seconds: float = 60, after_s: float = 0) -> subprocess.Popen[bytes]:
        """Begin an operation of the resource agent, which Pacemaker has under way for as long as it lasts."""
        program = self._folder / "heartbeat" / "galera"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"trap ': > {self._folder}/under-way' EXIT\nsleep {seconds} & wait\n")
        begin = self._folder / "begin"
        begin.write_text(f"sleep {after_s}; exec bash {program} {operation}\n")
        process = subprocess.Popen(["bash", str(begin)])
        self._processes.append(process)
        return process

    def settles(self, within_s: int = 15, patience_s: int = 1) -> bool:
        """Whether Pacemaker comes to rest before the bound."""
        (wait,) = settle("galera-bundle", "galera-bundle-podman-0", patience_s, within_s).commands
        assert isinstance(wait, Command)
        return "still works on galera-bundle" not in LocalShell(self._folder).run(wait).stdout

    def end(self) -> None:
        """End what is left."""
        for process in self._processes:
            process.kill()
            process.wait()


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A controller whose Pacemaker rests."""
    made = Host(tmp_path)
    made.pacemaker(IDLE, RESTS, NO_OPERATION)
    yield made
    made.end()


@pytest.mark.parametrize("case", SETTLING)
def test_pacemaker_is_waited_for_only_where_it_works_on_the_bundle(host: Host, case: str) -> None:
    state, planned, under_way, waited_for = SETTLING[case]
    host.pacemaker(state, planned, under_way)
    assert host.settles(within_s=1 if waited_for else 15) is not waited_for


def test_questions_that_nobody_answers_do_not_last(host: Host) -> None:
    host.write("crmadmin", "exec sleep 300")
    assert not host.settles(within_s=1)


def test_a_promotion_that_does_not_end_is_ended(host: Host) -> None:
    host.pacemaker(BUSY, RESTS, PROMOTES)
    promotion = host.agent("promote")
    assert host.settles(patience_s=1)
    assert promotion.wait(timeout=5) == -15


def test_a_start_may_end_by_itself_and_is_not_waited_for_any_longer(host: Host) -> None:
    host.pacemaker(BUSY, RESTS, PROMOTES)
    start = host.agent("start", seconds=1)
    assert host.settles(patience_s=15)
    assert start.wait(timeout=5) == 0


def test_a_promotion_that_begins_while_pacemaker_is_waited_for_is_ended_too(host: Host) -> None:
    host.pacemaker(BUSY, RESTS, PROMOTES)
    promotion = host.agent("promote", after_s=1)
    assert host.settles(patience_s=0)
    assert promotion.wait(timeout=5) == -15


@pytest.mark.parametrize("operation", ["stop", "demote", "monitor"])
def test_what_takes_the_database_down_or_looks_at_it_is_left_alone(host: Host, operation: str) -> None:
    host.pacemaker(BUSY, RESTS, PROMOTES)
    process = host.agent(operation)
    assert not host.settles(within_s=2, patience_s=0)
    assert process.poll() is None


def test_a_container_that_does_not_run_has_nothing_to_end(host: Host) -> None:
    host.write("podman", "echo 0")
    host.pacemaker(BUSY, RESTS, PROMOTES)
    elsewhere = host.agent("promote")
    assert not host.settles(within_s=2, patience_s=0)
    assert elsewhere.poll() is None


def test_a_container_that_nobody_knows_is_an_error(host: Host) -> None:
    host.write("podman", "echo 'no such container' >&2; exit 125")
    with pytest.raises(CommandFailed, match="no such container"):
        host.settles()
