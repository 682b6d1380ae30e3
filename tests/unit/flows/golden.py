"""Golden plans: `UPDATE_PLANS=1 pytest tests/unit/flows` writes them anew; read what has changed in them."""

from __future__ import annotations

import os
from pathlib import Path

from tasks.engine.plan import Plan

PLANS = Path(__file__).resolve().parents[2] / "plans"


def assert_golden(name: str, plan: Plan) -> None:
    """Compare a plan with its golden file."""
    golden, text = PLANS / f"{name}.txt", plan.text()
    if os.environ.get("UPDATE_PLANS"):
        golden.write_text(text)
    assert text == golden.read_text(), "if this is meant: UPDATE_PLANS=1 pytest tests/unit/flows, and read the diff"
