"""The meter that ceilometer-polling reads members with."""

from typing import Any

from ceilometer.compute.virt import inspector  # type: ignore[import-not-found]

from . import clock, members


class MemberInspector(inspector.Inspector):  # type: ignore[misc]
    """Reads the CPU time of a server from its control group."""

    def inspect_instance(self, instance: Any, duration: float | None = None) -> Any:
        """Returns a server's CPU time in nanoseconds of its vCPUs."""
        clock.wait_to_measure()
        seconds = members.cpu_seconds(instance.id)
        if seconds is None:
            raise inspector.InstanceShutOffException(f"server {instance.id} is off")
        return inspector.InstanceStats(cpu_number=1, cpu_time=int(seconds * 1e9))
