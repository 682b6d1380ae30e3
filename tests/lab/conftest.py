"""The lab as a fixture. It stays up after the tests, since the next run then starts at once."""

from pathlib import Path

import pytest

from tests.lab import Lab


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks every test here as one that needs the lab, but for those that take it down."""
    for item in items:
        if Path(__file__).parent in item.path.parents and item.get_closest_marker("lab_teardown") is None:
            item.add_marker(pytest.mark.lab)


@pytest.fixture(scope="session")
def lab() -> Lab:
    lab = Lab()
    lab.up()
    return lab
