"""The fixtures of watching a group."""

from tests.unit.tasks.autoscaling.fixtures import farm, said, watch

__all__ = ["farm", "said", "watch"]
