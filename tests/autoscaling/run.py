"""Run a flow in this process against the server of PREFECT_API_URL: `python -m tests.autoscaling.run deploy-stack '{…}'`."""

from __future__ import annotations

import importlib
import json
import sys

from blocks.remote.errors import RunbookError


def main() -> int:
    """Run it; 0 where it completed, 1 where it failed or refused."""
    name, parameters = sys.argv[1].replace("-", "_"), json.loads(sys.argv[2])
    flow = getattr(importlib.import_module(f"flows.{name}"), name)
    try:
        flow(**parameters)
    except RunbookError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
