"""The hosts' locks on real hosts, over SSH that is cut."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

import tasks.engine.host_lock
from blocks.remote.command import command, question
from blocks.remote.errors import Busy, ConnectionLost, LockLost
from blocks.remote.shell import Shell
from blocks.site_file import read_site
from deployments.project import PROJECT
from tasks.engine.heartbeat import Heartbeat
from tasks.engine.locks import hosts_locked, lock_host
from tests.lab import Lab
from tests.server.fixtures import wait_until

HOST = "controller-1"
# A run in a process of its own: takes the lock, and begins something slow under it.
_RUN = """
import sys
from pathlib import Path
from blocks.remote.command import command
from blocks.site_file import read_site
from tasks.engine.locks import hosts_locked

site = read_site(Path(sys.argv[1]))
shell = site.shell(site.host(sys.argv[2]))
with hosts_locked("the run that is killed", [shell]):
    shell.run(command("sleep", sys.argv[3]))
"""


@pytest.fixture
def shell(lab: Lab) -> Iterator[Shell]:
    site = read_site(lab.site)
    opened = site.shell(site.host(HOST))
    yield opened
    opened.close()


def at_work(lab: Lab, seconds: str) -> bool:
    return lab.exec(HOST, f"pgrep -fx 'sleep {seconds}'", check=False).returncode == 0


def begin(lab: Lab, seconds: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", _RUN, str(lab.site), HOST, seconds]
    run = subprocess.Popen(words, cwd=PROJECT, stderr=subprocess.DEVNULL)
    wait_until("its command is at work", lambda: at_work(lab, seconds), 60)
    return run


def test_a_host_is_not_free_until_the_last_command_of_a_killed_run_has_ended(lab: Lab, shell: Shell) -> None:
    run = begin(lab, "23.5")
    with pytest.raises(Busy, match="another runbook is at work: the run that is killed"):
        lock_host(shell, "the next run")
    run.send_signal(signal.SIGKILL)
    run.wait()
    # sshd lets it go on.
    with pytest.raises(Busy, match=r"still at work.*the run that is killed: sudo sleep 23\.5, until"):
        lock_host(shell, "the next run")
    assert at_work(lab, "23.5")
    wait_until("it has ended", lambda: not at_work(lab, "23.5"), 60)
    lock = lock_host(shell, "the next run")
    lock.check()
    lock.release()


def test_a_command_runs_under_its_lock_alone(shell: Shell) -> None:
    with hosts_locked("a run", [shell]) as heartbeat:
        heartbeat.check()
        shell.run(command("touch", "/run/changed"))
        token = shell.lock_token
    shell.lock_token = token  # as an order that was on its way when its run ended
    with pytest.raises(LockLost):
        shell.run(command("rm", "/run/changed"))
    shell.run(question("test", "-e", "/run/changed"))
    shell.lock_token = None
    shell.run(command("rm", "/run/changed"))


def test_a_connection_that_breaks_in_a_command_costs_no_run_and_runs_nothing_twice_at_once(shell: Shell) -> None:
    with hosts_locked("a run", [shell]) as heartbeat:
        cut = subprocess.Popen(["sleep", "2"])
        with pytest.raises(ConnectionLost):
            _cut_meanwhile(shell, cut)
        started = time.monotonic()
        heartbeat.check()  # waits for what still runs there
        assert shell.run(question("pgrep", "-fx", "sleep 8.5", ok=(0, 1))).exit_code == 1
        assert time.monotonic() - started > 1
        shell.run(command("true"))


def _cut_meanwhile(shell: Shell, cut: subprocess.Popen[bytes]) -> None:
    import threading

    def drop() -> None:
        cut.wait()
        shell._drop()

    threading.Thread(target=drop, daemon=True).start()
    shell.run(command("sleep", "8.5"))


def test_a_host_that_no_longer_answers_stops_the_run_and_loses_its_lock(
    lab: Lab, shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cable is pulled: nothing says that the connection is gone. Times are scaled: what are 60 and 90 s are 4 and 8."""
    for name, seconds in {"MARGIN_S": 4.0, "SILENCE_S": 8.0, "_EVERY_S": 1.0, "_ANSWER_S": 1.0}.items():
        monkeypatch.setattr(tasks.engine.host_lock, name, seconds)
    lock = lock_host(shell, "a run")
    heartbeat = Heartbeat([lock])
    cable = "INPUT -p tcp --dport 22 -j DROP"
    lab.exec(HOST, f"iptables -w -I {cable}")
    try:
        started = time.monotonic()
        wait_until("the run is told to stop", lambda: _is_lost(heartbeat), 20)
        assert 2 < time.monotonic() - started < 7
        assert lab.exec(HOST, "flock -n /run/lock/openstack-runbooks.lock true", check=False).returncode != 0
        free = "flock -n /run/lock/openstack-runbooks.lock true"
        wait_until("the host lets go", lambda: lab.exec(HOST, free, check=False).returncode == 0, 20)
    finally:
        lab.exec(HOST, f"iptables -w -D {cable}")
        heartbeat.stop()
        shell.close()


def _is_lost(heartbeat: Heartbeat) -> bool:
    try:
        heartbeat.check()
    except LockLost:
        return True
    return False
