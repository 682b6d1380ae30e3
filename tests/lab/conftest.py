"""Which tests need the lab."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test here as one that needs the lab, but for those that take it down."""
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("lab_teardown") is None:
            item.add_marker(pytest.mark.lab)
