"""Nova's hypervisor: every server is a host in namespaces of the controller, with an sshd and a share of a processor."""

from typing import Any

from nova import exception  # type: ignore[import-not-found]
from nova.compute import power_state  # type: ignore[import-not-found]
from nova.virt import fake, hardware  # type: ignore[import-not-found]

from . import members


class NamespaceDriver(fake.MediumFakeDriver):  # type: ignore[misc]
    """Takes from Nova's own fake driver what it reports of its resources, and makes servers that are real."""

    vcpus = 16

    def spawn(
        self,
        context: Any,
        instance: Any,
        image_meta: Any,
        injected_files: Any,
        admin_password: Any,
        allocations: Any,
        network_info: Any = None,
        block_device_info: Any = None,
        power_on: bool = True,
        accel_info: Any = None,
    ) -> None:
        """Makes a server and boots it."""
        if (members.FAULTS / "boot").exists():
            raise exception.InternalError("the hypervisor cannot boot it: fault 'boot' is on")
        super().spawn(context, instance, image_meta, injected_files, admin_password, allocations, network_info)
        vcpus = instance.flavor.vcpus
        members.write_disk(instance.uuid, instance.hostname, vcpus, instance.key_data or "", instance.user_data)
        members.plug(instance.uuid, network_info or [])
        if power_on:
            members.power_on(instance.uuid, vcpus)

    def destroy(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        block_device_info: Any = None,
        destroy_disks: bool = True,
        destroy_secrets: bool = True,
    ) -> None:
        """Ends a server and removes it."""
        super().destroy(context, instance, network_info)
        members.power_off(instance.uuid)
        members.unplug(instance.uuid, network_info or [])
        members.remove(instance.uuid)

    def power_off(self, instance: Any, timeout: int = 0, retry_interval: int = 0) -> None:
        """Cuts a server's power."""
        members.power_off(instance.uuid)

    def power_on(
        self, context: Any, instance: Any, network_info: Any, block_device_info: Any = None, accel_info: Any = None
    ) -> None:
        """Boots a server with the ports that it has; its disk is as new."""
        members.power_on(instance.uuid, instance.flavor.vcpus)

    def reboot(
        self,
        context: Any,
        instance: Any,
        network_info: Any,
        reboot_type: str,
        block_device_info: Any = None,
        bad_volumes_callback: Any = None,
        accel_info: Any = None,
    ) -> None:
        """Cuts a server's power and boots it again."""
        members.power_off(instance.uuid)
        members.power_on(instance.uuid, instance.flavor.vcpus)

    def get_info(self, instance: Any, use_cache: bool = True) -> Any:
        """Returns whether a server runs, as systemd sees it."""
        if not members.exists(instance.uuid):
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        on = members.is_on(instance.uuid)
        return hardware.InstanceInfo(state=power_state.RUNNING if on else power_state.SHUTDOWN)

    def get_console_output(self, context: Any, instance: Any) -> str:
        """Returns what a server has said since it was made."""
        return members.console(instance.uuid)
