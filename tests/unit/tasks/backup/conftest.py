"""A store in a folder; and how Hypothesis works here: the same examples each time, on machines of any speed."""

from pathlib import Path

import pytest
from hypothesis import settings

from tasks.backup.store import Store
from tests.unit.tasks.backup.samples import make_store

settings.register_profile("unit", deadline=None, derandomize=True, database=None, max_examples=30)
settings.load_profile("unit")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    root = tmp_path / "store"
    root.mkdir()
    return make_store(root)
