"""What is compared after a restore of the control plane (BR 4.3, after step 8), and where."""

from __future__ import annotations

from collections.abc import Sequence

from blocks.remote.shell import Shell
from blocks.site import Site
from tasks.node.consistency import Agreement
from tasks.node.neutron_ovn import neutron_and_ovn
from tasks.node.nova_manage import ALLOCATIONS, ORPHANED_ALLOCATIONS, cells
from tasks.node.tripleo_services import unit_of
from tasks.rear.stored_images import StoredImage

# TripleO's group of the hosts that run nova-compute, whatever their roles are called.
_NOVA_COMPUTE = "nova_compute"


def agreements(site: Site) -> tuple[Agreement, ...]:
    """What must agree, in the order in which it is compared.

    Args:
        site: The site.
    """
    return neutron_and_ovn(), ALLOCATIONS, ORPHANED_ALLOCATIONS, cells(site.roles.get(_NOVA_COMPUTE, ()))


def host_of(container: str, nodes: Sequence[tuple[Shell, StoredImage]], otherwise: Shell) -> Shell:
    """Choose the restored node on which a container is asked: the first where it ran when the image was made.

    Args:
        container: Its name.
        nodes: The restored nodes, each with what it is restored from.
        otherwise: Who is asked where no image says that it ran.
    """
    return next((shell for shell, image in nodes if unit_of(container) in image.units), otherwise)
