"""The automation that docs/from-cron.md has raises an alarm for a backup that failed, and for nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deployments.project import PROJECT
from tests.server.fixtures import PrefectServer, wait_until

_TRIGGERED = "prefect.automation.triggered"


@pytest.fixture
def alarmed(tmp_path: Path) -> Iterator[PrefectServer]:
    """A server with that automation, whose action is replaced: who is told is the site's own."""
    server = PrefectServer.start(tmp_path)
    text = (PROJECT / "docs" / "from-cron.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```yaml\n(name: .*?)^```", text, re.MULTILINE | re.DOTALL)
    server.api("POST", "/automations/", yaml.safe_load(shown) | {"actions": [{"type": "do-nothing"}]})
    yield server
    server.stop()


def end(server: PrefectServer, flow: str, state: str, tag: str) -> str:
    """A run of a flow with this tag that ends so."""
    run = server.api("POST", "/flow_runs/", {"flow_id": flow, "tags": [tag], "state": {"type": "RUNNING"}})
    server.api("POST", f"/flow_runs/{run['id']}/set_state", {"state": {"type": state}, "force": True})
    return str(run["id"])


def raised(server: PrefectServer) -> list[dict[str, Any]]:
    """What has raised an alarm."""
    asked = {"filter": {"event": {"name": [_TRIGGERED]}}, "limit": 50}
    return list(server.api("POST", "/events/filter", asked)["events"])


def test_a_backup_or_a_check_that_has_not_completed_raises_an_alarm(alarmed: PrefectServer) -> None:
    flow = alarmed.api("POST", "/flows/", {"name": "backup-control-plane"})["id"]
    end(alarmed, flow, "COMPLETED", "backup")
    end(alarmed, flow, "FAILED", "autoscaling")
    wanted = {end(alarmed, flow, state, tag) for state, tag in (("FAILED", "backup"), ("CRASHED", "check"))}
    wait_until("both alarms are raised", lambda: len(raised(alarmed)) >= len(wanted), 60, every_s=1)
    said = str(raised(alarmed))
    assert len(raised(alarmed)) == len(wanted), said
    assert all(run in said for run in wanted), said
