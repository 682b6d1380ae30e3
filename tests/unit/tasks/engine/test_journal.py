"""What a journal is called."""

from datetime import datetime, timedelta, timezone

import pytest

from tests.unit.tasks.samples import journal


@pytest.mark.parametrize("hours", [-5, 0, 9])
def test_the_stamp_is_in_utc(hours: int) -> None:
    zone = timezone(timedelta(hours=hours))
    started = datetime(2026, 11, 21, 12, 34, 56, tzinfo=zone) + timedelta(hours=hours)
    assert journal(started=started).stamp == "20261121T123456Z"
