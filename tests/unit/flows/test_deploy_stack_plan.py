"""deploy-stack's plan, of a stack that others have made and that would lose something."""

from __future__ import annotations

from pathlib import Path

import pytest

from blocks.remote.cloud import Cloud
from flows.deploy_stack import procedure
from tasks.engine.plan import Plan
from tasks.heat.planning import StackPlan
from tasks.heat.preview import Changes
from tasks.heat.source import StackSource
from tasks.heat.stack import Stack
from tasks.heat.templates import read_template
from tasks.runbooks.deploy_stack.deployment import StackDeployment, StackRequest
from tests.unit.flows.golden import assert_golden

pytestmark = pytest.mark.usefixtures("no_engine")


def test_the_plan_says_what_would_be_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("heat_template_version: 2018-08-31\ndescription: One of mine.\nresources: {}\n")
    changes = Changes({"replaced": ("server (OS::Nova::Server)",), "deleted": ("volume (OS::Cinder::Volume)",)})
    would = StackPlan("update", Stack("prod", "1", "CREATE_COMPLETE", tags=("theirs",)), changes)
    request = StackRequest("mine.yaml", [], {}, "prod")
    job = StackDeployment(Cloud("overcloud"), request, StackSource(read_template(Path("mine.yaml"))), would, None)
    plan = Plan()
    procedure(plan, job, 30, keep_failed=True)
    assert_golden("deploy-stack-lossy", plan)
    assert would.destroys == (
        "stack prod: it was not made by a runbook (it lacks the tag openstack-runbooks), and gets another template or "
        "parameters; replaced server (OS::Nova::Server); deleted volume (OS::Cinder::Volume)"
    )
