"""What the tests do to the lab's undercloud and ask of it, and how they start the runbook."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

import httpx

from deployments.project import PROJECT
from tests.lab import Lab, undercloud
from tests.lab.settings import UNDERCLOUD
from tests.restore_galera.cloud import Ended
from tests.server.fixtures import PrefectServer

DUMP = "/root/undercloud-all-databases.sql"
_OWN = "'mysql', 'information_schema', 'performance_schema', 'sys'"
# Names of everything that a dump can lose.
_OBJECTS = f"""
SELECT 'schema', schema_name FROM information_schema.schemata WHERE schema_name NOT IN ({_OWN}, 'test')
UNION SELECT table_type, CONCAT(table_schema, '.', table_name) FROM information_schema.tables
  WHERE table_schema NOT IN ({_OWN})
UNION SELECT routine_type, CONCAT(routine_schema, '.', routine_name) FROM information_schema.routines
  WHERE routine_schema NOT IN ({_OWN})
UNION SELECT 'event', CONCAT(event_schema, '.', event_name) FROM information_schema.events
UNION SELECT 'trigger', CONCAT(trigger_schema, '.', trigger_name) FROM information_schema.triggers
  WHERE trigger_schema NOT IN ({_OWN})
UNION SELECT 'account', CONCAT(user, '@', host) FROM mysql.user ORDER BY 1, 2
"""  # noqa: S608 - names of our own
TABLES = (
    "keystone.project",
    "keystone.revocation_event",
    "ironic.nodes",
    "ironic.ports",
    "heat.stack",
    "heat.raw_template",
)


@dataclass
class UndercloudSite:
    """The lab, a Prefect server that knows it, and the runbook on both."""

    lab: Lab
    server: PrefectServer

    def restore(self, *kill: str, **parameters: Any) -> Ended:
        """Run the runbook in a process of its own.

        Args:
            kill: `--kill-after STEP` or `--kill-during STEP`.
            parameters: The flow's parameters besides.
        """
        wanted = {"site": "lab", "approved_by": "a test", **parameters}
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "tests.restore_undercloud_database.run", json.dumps(wanted), *kill],
            cwd=PROJECT,
            env=self.server.env(),
            capture_output=True,
            text=True,
            timeout=600,
        )
        ended = Ended(done.returncode, done.stdout + done.stderr, time.monotonic() - started)
        if ended.killed:
            self._mark_crashed()
        return ended

    def _mark_crashed(self) -> None:
        """Say of runs whose process is gone that they crashed, as Prefect's runner does."""
        running = {"flow_runs": {"state": {"type": {"any_": ["RUNNING"]}}}}
        for run in self._api("flow_runs/filter", running):
            self._api(f"flow_runs/{run['id']}/set_state", {"state": {"type": "CRASHED"}, "force": True})

    def _api(self, path: str, body: dict[str, Any]) -> Any:
        answer = httpx.post(f"{self.server.url}/{path}", json=body, timeout=30)
        answer.raise_for_status()
        return answer.json()

    def report(self) -> str:
        """The latest report artifact."""
        key = {"artifacts": {"key": {"any_": ["restore-undercloud-database-lab"]}}, "limit": 1}
        return str(self._api("artifacts/latest/filter", key)[0]["data"])

    # -- the undercloud

    def exec(self, command: str, check: bool = True) -> str:
        """Run a command on the undercloud, and return what it prints."""
        return self.lab.exec(UNDERCLOUD, command, check=check).stdout.strip()

    def sql(self, statement: str) -> str:
        """Run SQL in its database."""
        return undercloud.sql(self.lab.machines, statement)

    def dump(self, *more: str, path: str = DUMP) -> None:
        """Take a dump of the whole server, as documented and with these options."""
        client = "podman exec mysql mysqldump --defaults-extra-file=/root/.my.cnf -uroot --opt --all-databases"
        self.exec(f"set -o pipefail; {client} {' '.join(more)} > {path}")

    def objects(self) -> str:
        """Names of all schemas, tables, views, routines, events, triggers and accounts."""
        return self.sql(_OBJECTS)

    def checksums(self) -> str:
        """Of the tables that the lab has made."""
        return self.sql(f"CHECKSUM TABLE {', '.join(TABLES)}")

    def write_mark(self, mark: str) -> None:
        """Write a row by which a time is known later."""
        self.sql(
            "CREATE TABLE IF NOT EXISTS keystone.mark (mark VARCHAR(64) PRIMARY KEY) ENGINE=InnoDB;"  # noqa: S608 - a name of our own
            f"REPLACE INTO keystone.mark VALUES ('{mark}')"
        )

    def marks(self) -> set[str]:
        """The rows that it has."""
        return set(self.sql("SELECT mark FROM keystone.mark").split())

    def running(self) -> tuple[set[str], set[str]]:
        """Units that are active, and containers that run; health checks that are just under way are left out."""
        units = self.exec(
            "systemctl list-units --plain --no-legend --state=active 'tripleo_*' | cut -d ' ' -f 1"
        ).split()
        return {unit for unit in units if "healthcheck.service" not in unit}, set(
            self.exec("podman ps --format '{{.Names}}'").split()
        )

    def saves(self) -> list[str]:
        """Directories that keep old data."""
        return self.exec("ls -d /var/lib/mysql-save-* 2>/dev/null || :").split()

    def problems(self) -> list[str]:
        """What is wrong with the undercloud; empty after a restore that ended well."""
        found = [undercloud.missing(self.lab.machines)]
        found += self.exec("ls /var/lib/mysql/*.sql 2>/dev/null || :").split()
        found += self.exec("podman ps --all --format '{{.Names}}' | grep ^openstack-runbooks || :").split()
        found += self.exec("systemctl list-units --all --plain --no-legend 'openstack-runbooks-*'").split()
        return [problem for problem in found if problem]
