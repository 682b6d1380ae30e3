"""A site, a journal and a document that several tests use."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from blocks.database import GaleraDatabase
from blocks.site import Site
from blocks.ssh import SSHAccess
from tasks.engine.cleanup import Cleanup
from tasks.engine.departures import Departure, Document
from tasks.engine.journal import Journal

HOSTS = ("controller-0", "controller-1", "controller-2")
KEPT = "/var/lib/mysql-save-20261121T123456Z"

SITE = Site(
    site="lab",
    hosts={name: f"192.0.2.{number}" for number, name in enumerate(HOSTS, 1)} | {"undercloud": "192.0.2.9"},
    roles={"mysql": list(HOSTS), "undercloud": ["undercloud"]},
    ssh=SSHAccess(user="heat-admin", key=Path("/nonexistent/key"), known_hosts=Path("/nonexistent/known_hosts")),
    database=GaleraDatabase(),
)

CLEANUP = Cleanup(
    key="dump copies",
    sentence="Remove the copies of the dump",
    words={"controller-0": ("rm", "-f", "--", "/var/lib/mysql/d.sql")},
)

DOCUMENT = Document(
    title="Backing up and restoring",
    section="4.4",
    departures=(
        Departure(step="6", documented="mv a b", instead="a dated name", why="mv moves into b\nthe second time"),
        Departure(step="15", documented="dump | tee", instead="pipefail", why="tee returns 0"),
    ),
)


def journal(**changes: object) -> Journal:
    """The journal of a first attempt, with these attributes."""
    started = datetime(2026, 11, 21, 12, 34, 56, tzinfo=UTC)
    return Journal.model_validate(
        {"runbook": "restore-galera", "site": "lab", "run_id": "11111111", "started": started} | changes
    )
