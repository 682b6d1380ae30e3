"""Run a runbook in this process against the server of PREFECT_API_URL; kill the process on its way, if asked.

python -m tests.backups.run verify-backup '{"site": "lab"}' [--kill-after STEP]
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, cast

from prefect import Flow
from prefect.client.schemas.objects import State

from flows.backup_control_plane import backup_control_plane
from flows.backup_undercloud import backup_undercloud
from flows.check_site import check_site
from flows.install_rear import install_rear
from flows.prepare_backup_node import prepare_backup_node
from flows.restore_accounts import restore_accounts
from flows.restore_galera import restore_galera
from flows.restore_node import restore_node
from flows.restore_schemas import restore_schemas
from flows.restore_undercloud_database import restore_undercloud_database
from flows.resume_control_plane import resume_control_plane
from flows.verify_backup import verify_backup
from tests.restore_galera.run import kill_after, kill_during

RUNBOOKS = (
    check_site,
    install_rear,
    prepare_backup_node,
    backup_control_plane,
    backup_undercloud,
    restore_accounts,
    restore_galera,
    restore_node,
    restore_schemas,
    restore_undercloud_database,
    resume_control_plane,
    verify_backup,
)
FLOWS: dict[str, Flow[..., Any]] = {flow.name: flow for flow in RUNBOOKS}


def main() -> int:
    """Run it; 0 where it completed, 1 where it failed or refused."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runbook", choices=FLOWS)
    parser.add_argument("parameters", type=json.loads)
    parser.add_argument("--kill-after")
    parser.add_argument("--kill-during")
    arguments = parser.parse_args()
    if arguments.kill_after:
        kill_after(arguments.kill_after)
    if arguments.kill_during:
        kill_during(arguments.kill_during)
    state = cast("State[Any]", FLOWS[arguments.runbook](**arguments.parameters, return_state=True))
    if not state.is_completed():
        print(state.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
