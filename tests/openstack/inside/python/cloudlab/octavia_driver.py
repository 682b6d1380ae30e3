"""Octavia's provider driver: takes every request; the agent does what it finds in Octavia's database."""

from typing import Any

from octavia_lib.api.drivers import provider_base  # type: ignore[import-not-found]


class HaproxyDriver(provider_base.ProviderDriver):  # type: ignore[misc]
    """Load balancers, listeners, pools, members and health monitors. No policies on layer 7, no availability zones."""

    def _take(self, *_: Any, **__: Any) -> None:
        """Lets the request pass. What it asks for is in the database as pending."""

    loadbalancer_create = loadbalancer_delete = loadbalancer_update = _take
    listener_create = listener_delete = listener_update = _take
    pool_create = pool_delete = pool_update = _take
    member_create = member_delete = member_update = member_batch_update = _take
    health_monitor_create = health_monitor_delete = health_monitor_update = _take
