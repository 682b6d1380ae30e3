"""restore-node on a machine: QEMU emulates it, libvirt has its power, and sushy-tools speaks Redfish for it."""
