"""Run one flow in this process against the server of PREFECT_API_URL.

    echo '["deploy-stack", {"site": "openstack", "stack_name": "example"}]' | python -m tests.autoscaling.run

Which one is read from standard input, since importing Prefect and the SDK takes seconds: the process can be ready before.
"""

from __future__ import annotations

import json
import sys
from typing import Any, cast

from prefect.client.schemas.objects import State

from flows.check_autoscaling import check_autoscaling
from flows.check_web_autoscaling import check_web_autoscaling
from flows.deploy_stack import deploy_stack
from flows.set_telemetry_interval import set_telemetry_interval

_FLOWS = {flow.name: flow for flow in (check_autoscaling, check_web_autoscaling, deploy_stack, set_telemetry_interval)}


def main() -> int:
    """Run it; 0 where it completed, 1 where it failed or refused."""
    name, parameters = json.loads(sys.stdin.readline())
    state = cast("State[Any]", _FLOWS[name](**parameters, return_state=True))
    if not state.is_completed():
        print(state.message, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
