"""Opening a run: what is unknown is told with what to do about it."""

from __future__ import annotations

import pytest

import tasks.engine.opening
from blocks.remote.errors import RunbookError
from tasks.engine.opening import runbook
from tests.unit.tasks.samples import SITE


def test_an_unknown_role_is_told_where_each_runbook_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks.engine.opening, "load_site", lambda _: SITE)
    opened = runbook("set-telemetry-interval", "lab", lambda _: "Computes", True)
    with (
        pytest.raises(
            RunbookError, match="site lab has no role 'Computes'; its roles are mysql, undercloud"
        ) as unknown,
        opened,
    ):
        pass
    assert "as the parameter `role`" in unknown.value.hint
