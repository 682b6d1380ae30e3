"""The block of a cloud names it, and opens a client of it."""

import pytest
from pydantic import ValidationError

from blocks.cloud import CloudAccess


def test_opens_a_client_by_name_and_region_without_connecting() -> None:
    cloud = CloudAccess(name="overcloud", region="regionTwo").client()
    assert (cloud.name, cloud.region, cloud.calls.total) == ("overcloud", "regionTwo", 0)


def test_the_region_is_the_files_own_unless_said() -> None:
    assert CloudAccess(name="overcloud").client().region is None


@pytest.mark.parametrize("name", ["", "-o", "a b", "a/b", "a" * 129])
def test_refuses_a_name_that_is_none(name: str) -> None:
    with pytest.raises(ValidationError):
        CloudAccess(name=name)
