"""A real OpenStack for the runbooks: one controller with every service, and members that are hosts of their own."""

from tests.openstack.cloud import Cloud

__all__ = ["Cloud"]
