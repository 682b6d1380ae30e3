"""Preflight on the fake control plane: what it says, and that it changed nothing."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from blocks.remote.errors import Refused
from flows.restore_galera import procedure
from tasks.database import inventory
from tasks.engine.plan import plan_of
from tasks.engine.run import Run
from tasks.runbooks.restore_galera import preflight
from tasks.runbooks.restore_galera.job import Bounds, Facts, Job, Request
from tasks.runbooks.restore_galera.resume import Resume
from tests.unit.fakes import FakeShell
from tests.unit.tasks.control_plane import DUMP, GRANTS

Shells = list[FakeShell]
Break = Callable[[Shells], object]

# What only a command that changes something has in it.
CHANGING = re.compile(
    r"iptables -w -[ID]|(^|[ ;])(pcs(?! --version)|mv|rm|mkdir|chown|chmod|chcon|install|truncate|tee) "
    r"|container (stop|start|restart)|mysqld_safe|mysqladmin|mysql_install_db|systemd-run"
    r"|systemctl (stop|start|restart|reset-failed)|> ?[\"/]"
)


REQUEST = Request(DUMP, GRANTS, "adopt", Bounds(start_s=300, load_s=14400, join_s=1800, adopt_s=60, promote_s=600))


def order_of(job: Job) -> tuple[str, ...]:
    """The numbers of the steps, in the order in which the flow takes them."""
    return plan_of(procedure, job).numbers


def look(run: Run) -> tuple[Facts, Resume]:
    job = preflight.look(run, REQUEST, order_of)
    return job.facts, job.resume


def refusal(run: Run, shells: Shells) -> tuple[str, ...]:
    """The reasons that preflight has, having seen that it changed nothing."""
    with pytest.raises(Refused) as refused:
        look(run)
    changed_nothing(shells)
    return refused.value.reasons


def changed_nothing(shells: Shells) -> None:
    for shell in shells:
        for command in shell.ran:
            line = re.sub(r"\d?>/dev/null", "", " ".join(command.words))
            assert not CHANGING.search(line), line
            assert command.stdin in {None, inventory._SQL}
            assert command.quiet
            assert not command.changes, f"a question that is asked under the host's lock alone: {line}"


def answer(host: int, *words: str, say: str | int | Exception) -> Break:
    return lambda shells: shells[host].on(*words, say=say)
