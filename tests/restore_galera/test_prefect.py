"""Through Prefect's own doors: `prefect deployment run`, a worker, cancelling; and no secret left anywhere."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from blocks.remote.errors import Busy
from blocks.site import Host
from blocks.site_file import read_site
from tasks.engine.locks import lock_host
from tests.lab import Lab
from tests.lab.dumps import Dump
from tests.restore_galera.cloud import Cloud, Ended
from tests.server.fixtures import Worker, wait_until

_FINAL = {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


class Run:
    """A run of the deployment."""

    def __init__(self, cloud: Cloud, dump: Dump, approved_by: str | None = "a test") -> None:
        self.cloud = cloud
        words = ("deployment", "run", "restore-galera", "-p", f"dump={dump.dump}", "-p", f"grants={dump.grants}")
        approval = ("-p", f"approved_by={approved_by}") if approved_by else ()
        started = cloud.server.prefect(*words, *approval)
        assert started.returncode == 0, started.stdout + started.stderr
        told = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", started.stdout)
        assert told is not None, started.stdout
        self.id = told[0]

    @property
    def state(self) -> str:
        found = self.cloud.api("flow_runs/filter", {"flow_runs": {"id": {"any_": [self.id]}}})
        return str(found[0]["state"]["type"])

    def messages(self) -> list[str]:
        body: dict[str, Any] = {"logs": {"flow_run_id": {"any_": [self.id]}}, "sort": "TIMESTAMP_ASC", "limit": 200}
        found: list[str] = []
        while page := self.cloud.api("logs/filter", {**body, "offset": len(found)}):
            found += [str(log["message"]) for log in page]
        return found

    def progress(self) -> float:
        """The percentage that its progress artifact shows; -1 where there is none."""
        body = {"artifacts": {"flow_run_id": {"any_": [self.id]}, "type": {"any_": ["progress"]}}}
        return max((float(one["data"]) for one in self.cloud.api("artifacts/filter", body)), default=-1)

    def has_begun(self) -> bool:
        """Whether it has taken a step, or has ended."""
        return any(message.startswith("step 2 ") for message in self.messages()) or self.state in _FINAL

    def wait(self, timeout_s: float) -> str:
        wait_until(f"run {self.id} ends", lambda: self.state in _FINAL, timeout_s)
        return self.state


class Watcher:
    """Reads the command lines and environments of every process on this machine, the hosts' included, until stopped."""

    def __init__(self, secrets: list[str]) -> None:
        self._secrets = [secret.encode() for secret in secrets]
        self._stop = threading.Event()
        self.looks = 0
        self.found: set[str] = set()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Watcher:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self.looks += 1
            for folder in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    self._look(folder / name)
            time.sleep(0.05)

    def _look(self, path: Path) -> None:
        try:
            content = path.read_bytes()
        except OSError:
            return  # the process has ended meanwhile
        if any(secret in content for secret in self._secrets):
            self.found.add(f"{path}: {content[:200]!r}")


def secrets_of(lab: Lab) -> list[str]:
    """Root's password, also as the SQL writes it, and the hashes of the accounts' passwords."""
    hashes = lab.sql("controller-0", "SELECT Password FROM mysql.user WHERE Password LIKE '*%'").split()
    return [lab.root_password, lab.root_password.encode().hex(), *(one.lstrip("*") for one in hashes)]


@dataclass
class ByName:
    """A run of the deployment, and what others were told meanwhile.

    Attributes:
        run: The run.
        state: How it ended.
        secrets: What nobody may see.
        watcher: Of the machine's processes, from its beginning to its end.
        other: The runbook, started once more.
        busy: What another runbook's lock was refused with.
    """

    run: Run
    state: str
    secrets: list[str]
    watcher: Watcher
    other: Ended
    busy: str


@pytest.fixture(scope="module")
def by_name(cloud: Cloud, worker: Worker, dump: Dump) -> ByName:
    secrets = secrets_of(cloud.lab)
    cloud.write_mark("after-bare-name")
    with Watcher(secrets) as watcher:
        run = Run(cloud, dump)
        try:
            wait_until("it works", run.has_begun, 120)
            other = cloud.restore(dump)
            shell = read_site(cloud.lab.site).shell(Host(name="controller-1", address="192.168.24.12"))
            with closing(shell), pytest.raises(Busy) as busy:
                lock_host(shell, "a colleague's laptop")
        finally:
            state = run.wait(240)
    return ByName(run, state, secrets, watcher, other, str(busy.value))


def test_runs_by_its_bare_name_and_leaves_no_secret_anywhere(cloud: Cloud, worker: Worker, by_name: ByName) -> None:
    assert by_name.state == "COMPLETED", "\n".join(by_name.run.messages()[-40:])
    assert cloud.problems() == []
    assert len(by_name.secrets) > 10
    assert by_name.watcher.looks > 100
    assert by_name.watcher.found == set()
    told = "\n".join(by_name.run.messages())
    assert "step 15 on controller-0" in told
    stored = told + cloud.report() + worker.log + cloud.server.log + everything(cloud)
    assert [secret for secret in by_name.secrets if secret in stored] == []


def test_another_run_meanwhile_is_refused(by_name: ByName) -> None:
    assert by_name.other.code == 1
    assert "another runbook holds the lock of site lab" in by_name.other.output
    assert re.search(f"another runbook is at work: restore-galera on lab, flow run .*{by_name.run.id}", by_name.busy), (
        by_name.busy
    )


def everything(cloud: Cloud) -> str:
    """All that the server stores, whatever the table, and all files below its home."""
    files = [path for path in cloud.server.home.rglob("*") if path.is_file() and path.suffix != ".db"]
    parts = [path.read_bytes().decode(errors="replace") for path in files]
    database = sqlite3.connect(f"file:{cloud.server.home}/prefect.db?mode=ro", uri=True)
    parts += list(database.iterdump())
    database.close()
    return "\n".join(parts)


def test_a_planted_secret_would_be_found(cloud: Cloud) -> None:
    secret = "planted-" + "4711" * 4
    cloud.api("logs/", [{"name": "a test", "level": 20, "message": secret, "timestamp": "2026-01-01T00:00:00Z"}])  # type: ignore[arg-type]
    wait_until("the log is stored", lambda: secret in everything(cloud), 30)
    with (
        Watcher([secret]) as watcher,
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3)", secret]),
    ):
        wait_until("it is seen", lambda: watcher.found != set(), 10)
    assert watcher.found


def test_cancelled_in_a_long_command_it_stops_and_says_what_stands(cloud: Cloud, worker: Worker, dump: Dump) -> None:
    slow = Dump("/home/heat-admin/slow.sql", dump.grants)
    cloud.lab.exec(
        "controller-0",
        f"head -n -1 {dump.dump} > {slow.dump}; echo 'SELECT SLEEP(600);' >> {slow.dump}; tail -n 1 {dump.dump} >> {slow.dump}",
    )
    run = Run(cloud, slow)
    # The client itself, in the container: that the unit around it ends does not say that it does.
    importing = "podman exec $(podman ps -q --filter name=galera-bundle) pgrep -x mysql"
    wait_until("the import runs", lambda: cloud.lab.exec("controller-0", importing, check=False).returncode == 0, 120)
    # The dump has been read but for the line that sleeps, and what the client reads at once.
    wait_until("the progress of the import is shown", lambda: run.progress() > 80, 60)
    started = time.monotonic()
    cloud.server.prefect("flow-run", "cancel", run.id)
    assert run.wait(60) == "CANCELLED"
    wait_until("the report is there", lambda: "cancelled" in cloud.report().splitlines()[0], 30)
    wait_until(
        "the import has ended", lambda: cloud.lab.exec("controller-0", importing, check=False).returncode != 0, 30
    )
    assert time.monotonic() - started < 30
    report = cloud.report()
    assert "clients are blocked from 192.168.24.100:3306" in report
    assert "galera-bundle is unmanaged" in report
    assert "/var/lib/mysql-save-" in report
    left = cloud.lab.exec("controller-0", "ls /var/lib/mysql/*.sql 2>/dev/null || :").stdout
    assert left == ""
    ended = cloud.restore(dump)
    assert ended.code == 0, ended.output[-3000:]
    assert cloud.problems() == []


@pytest.mark.parametrize("answer", [{}, {"site": "another", "by": "a test"}], ids=["an empty answer", "another name"])
def test_asks_for_approval_and_takes_only_the_sites_name(
    cloud: Cloud, worker: Worker, dump: Dump, answer: dict[str, str]
) -> None:
    cloud.write_mark("not-approved")
    run = Run(cloud, dump, approved_by=None)
    try:
        wait_until("it asks", lambda: run.state in {"PAUSED", *_FINAL}, 60)
        assert run.state == "PAUSED"
        shown = "6. Move the current directory"
        wait_until("it has shown the plan", lambda: any(shown in message for message in run.messages()), 30)
        cloud.api(f"flow_runs/{run.id}/resume", {"run_input": answer})
        if answer:
            assert run.wait(60) == "FAILED"
            said = "is not the name of the site"
            wait_until("it says why", lambda: any(said in message for message in run.messages()), 30)
        else:
            assert run.state == "PAUSED", "an answer without the site's name was taken"
    finally:
        if run.state not in _FINAL:
            cloud.server.prefect("flow-run", "cancel", run.id)
        run.wait(60)
    assert cloud.problems() == []
    assert "not-approved" in cloud.marks("controller-1")
