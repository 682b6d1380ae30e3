"""What the tests do to the lab's database and ask of it, and how they start the runbook."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import httpx

from deployments.project import PROJECT
from tests.lab import Lab
from tests.lab.dumps import Dump
from tests.server.fixtures import PrefectServer, wait_until

SCHEMAS = ("keystone", "nova", "nova_api", "neutron", "glance", "heat", "cinder", "placement")


@dataclass
class Ended:
    """How a run of the runbook ended.

    Attributes:
        code: Exit code of its process; negative for a signal.
        output: What it wrote.
        seconds: How long it took.
    """

    code: int
    output: str
    seconds: float

    @property
    def killed(self) -> bool:
        """Whether it was ended by SIGKILL."""
        return self.code == -signal.SIGKILL


@dataclass
class Cloud:
    """The lab, a Prefect server that knows it, and the runbook on both."""

    lab: Lab
    server: PrefectServer

    def restore(self, dump: Dump, *kill: str, **parameters: Any) -> Ended:
        """Run the runbook in a process of its own.

        Args:
            dump: What to restore.
            kill: `--kill-after STEP` or `--kill-during STEP`.
            parameters: The flow's parameters besides.
        """
        wanted = {"site": "lab", "dump": dump.dump, "grants": dump.grants, "approved_by": "a test", **parameters}
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "tests.restore_galera.run", json.dumps(wanted), *kill],
            cwd=PROJECT,
            env=self.server.env(),
            capture_output=True,
            text=True,
            timeout=900,
        )
        ended = Ended(done.returncode, done.stdout + done.stderr, time.monotonic() - started)
        if ended.killed:
            self.mark_crashed()
        return ended

    def mark_crashed(self) -> None:
        """Say of runs whose process is gone that they crashed, as Prefect's runner does."""
        running = {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}
        for run in self.api("flow_runs/filter", running):
            self.api(f"flow_runs/{run['id']}/set_state", {"state": {"type": "CRASHED"}, "force": True})

    def api(self, path: str, body: dict[str, Any]) -> Any:
        """POST to the Prefect server."""
        answer = httpx.post(f"{self.server.url}/{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def report(self) -> str:
        """The latest report artifact."""
        found = self.api(
            "artifacts/latest/filter", {"artifacts": {"key": {"any_": ["restore-galera-lab"]}}, "limit": 1}
        )
        return str(found[0]["data"])

    # -- the database

    def write_mark(self, mark: str) -> None:
        """Write a row by which a time is known later."""
        self.lab.sql(
            "controller-0",
            "CREATE TABLE IF NOT EXISTS keystone.mark (mark VARCHAR(64) PRIMARY KEY) ENGINE=InnoDB;"  # noqa: S608 - a name of our own
            f"REPLACE INTO keystone.mark VALUES ('{mark}')",
        )

    def marks(self, host: str) -> set[str]:
        """The rows that a node has."""
        return set(self.lab.sql(host, "SELECT mark FROM keystone.mark").split())

    def checksums(self, host: str) -> str:
        """Checksums of every base table of the overcloud's schemas, as this node has them."""
        names = "','".join(SCHEMAS)
        tables = self.lab.sql(
            host,
            "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables "  # noqa: S608 - names of our own
            f"WHERE table_schema IN ('{names}') AND table_type = 'BASE TABLE' ORDER BY 1",
        ).split()
        return self.lab.sql(host, f"CHECKSUM TABLE {', '.join(tables)}")

    def objects(self, kind: str) -> set[str]:
        """Names of routines, events, views, triggers or accounts."""
        queries = {
            "routines": "SELECT CONCAT(routine_schema, '.', routine_name) FROM information_schema.routines "
            "WHERE routine_schema NOT IN ('sys', 'mysql')",
            "events": "SELECT CONCAT(event_schema, '.', event_name) FROM information_schema.events",
            "views": "SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.views "
            "WHERE table_schema NOT IN ('sys', 'mysql')",
            "triggers": "SELECT CONCAT(trigger_schema, '.', trigger_name) FROM information_schema.triggers "
            "WHERE trigger_schema NOT IN ('sys', 'mysql')",
            "accounts": "SELECT CONCAT(User, '@', Host) FROM mysql.user",
            "schemas": "SELECT schema_name FROM information_schema.schemata",
        }
        return set(self.lab.sql("controller-0", queries[kind]).split())

    # -- what must hold after every restore

    def problems(self) -> list[str]:
        """What is wrong with the cluster; empty after a restore that ended well."""
        found: list[str] = []
        missing = self.lab.missing()
        if missing:
            found.append(missing)
        uuids = set()
        for host in self.lab.controllers:
            status = self.status(host)
            uuids.add(status.get("wsrep_cluster_state_uuid"))
            if (status.get("wsrep_cluster_size"), status.get("wsrep_local_state_comment")) != ("3", "Synced"):
                found.append(f"{host}: {status}")
            rules = self.lab.exec(host, "iptables-save | grep -c 'dport 3306' || :").stdout.strip()
            if rules != "0":
                found.append(f"{host}: {rules} firewall rules are left")
            left = self.lab.exec(host, "ls /var/lib/mysql/*.sql 2>/dev/null || :").stdout.strip()
            if left:
                found.append(f"{host}: dumps are left in the data directory: {left}")
            units = self.lab.exec(host, "systemctl list-units --all --plain --no-legend 'openstack-runbooks-*'").stdout
            if units.strip():
                found.append(f"{host}: transient units are left: {units.strip()}")
        if len(uuids) != 1:
            found.append(f"different clusters: {uuids}")
        if any(account.startswith("@") for account in self.objects("accounts")):
            found.append("there are anonymous accounts")
        return found

    def adopted(self) -> set[str]:
        """The controllers on which the database runs as the runbook started it, and Pacemaker has not started it anew."""
        look = "pgrep -f 'mysqld_safe.*--log-error=/var/log/mysql/mysql_cluster.log'"
        return {host for host in self.lab.controllers if self.lab.exec(host, look, check=False).returncode == 0}

    def wait_seen_stopped(self) -> None:
        """Wait until Pacemaker has looked at the containers while they are stopped: it does so once a minute."""
        look = 'crm_mon --as-xml | grep -cE \'galera-bundle-podman-[0-2]" resource_agent=.* role="Stopped"\''

        def seen() -> bool:
            return self.lab.exec("controller-0", look, check=False).stdout.strip() == "3"

        wait_until("Pacemaker sees the containers stopped", seen, timeout_s=150)

    def wait_noticed(self, seconds: float) -> None:
        """Wait until Pacemaker has noticed that a database is lost, at most so long."""
        look = 'crm_mon --as-xml | grep -cE \'heartbeat:galera" role="(Promoted|Master)".* failed="false"\''
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.lab.exec("controller-0", look, check=False).stdout.strip() == "3":
            time.sleep(0.3)

    def holds_vip(self, host: str) -> bool:
        """Whether the virtual address is on this host."""
        return self.lab.vip in self.lab.exec(host, "ip -o addr show").stdout

    def status(self, host: str) -> dict[str, str]:
        """The wsrep status variables of a node."""
        rows = self.lab.sql(host, "SHOW STATUS LIKE 'wsrep%'").splitlines()
        return dict(row.split("\t", 1) for row in rows if "\t" in row)

    def log_in(self, user: str, password: str) -> str:
        """Log in through the virtual address, from the undercloud, as a service of the overcloud does.

        Returns:
            The account that the server chose, or its error.
        """
        options = f"[client]\nhost={self.lab.vip}\nuser={user}\npassword={password}\n"
        words = "mysql --defaults-extra-file=/dev/stdin --batch --skip-column-names -e 'SELECT CURRENT_USER()'"
        done = self.lab.exec("undercloud", words, input=options, check=False)
        return (done.stdout + done.stderr).strip()
