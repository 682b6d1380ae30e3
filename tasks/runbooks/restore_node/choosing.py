"""Which nodes are restored, and from which images."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE, UNDERCLOUD, UnknownTarget
from tasks.engine.checks import Check
from tasks.engine.questions import Questions
from tasks.engine.run import Run
from tasks.rear.stored_images import StoredImage, choose, of_one_backup, read_images
from tasks.runbooks.restore_node.job import Request, is_undercloud

_IMAGE, _NODES = "image", "nodes"


def choose_nodes(run: Run, request: Request) -> tuple[list[str], int]:
    """Choose the nodes; what can't be meant is added to the run's checks.

    Args:
        run: The run.
        request: What was asked for.

    Returns:
        Their names, and how many nodes the control plane has.
    """
    site = run.site
    if is_undercloud(site, request.nodes):
        name = site.named(UNDERCLOUD).name
        if name == site.named(BACKUP_NODE).name:
            said = "its images, and the journal, are on the undercloud itself"
            run.checks.append(Check(_NODES, name, "", said, "move the store to a host of its own first"))
        if request.repair:
            said = f"`repair` names {', '.join(request.repair)}, and nothing of the overcloud is restored"
            run.checks.append(Check(_NODES, name, "", said, "leave it out"))
        return [name], 1
    try:
        control_plane = [host.name for host in site.select(request.roles)]
    except UnknownTarget as unknown:
        run.checks.append(Check(_NODES, "", "", str(unknown), "see the site's inventory, and `roles`"))
        return [], 0
    run.checks += _check_nodes(request, control_plane)
    return [name for name in dict.fromkeys(request.nodes or control_plane) if name in control_plane], len(control_plane)


def _check_nodes(request: Request, control_plane: Sequence[str]) -> list[Check]:
    roles, found = ", ".join(request.roles), []
    names = list(request.nodes or control_plane)
    if not names:
        found.append((f"no host has role {roles}", "see the site's inventory, and `roles`"))
    if unknown := [name for name in names if name not in control_plane]:
        hint = "see the inventory, `nodes` and `roles`; the undercloud is restored alone"
        found.append((f"{', '.join(unknown)} are no hosts with role {roles}", hint))
    left_out = [name for name in control_plane if name not in names]
    if left_out and not request.reason.strip():
        said = f"{', '.join(left_out)} would not be restored, and the control plane would not be of one state"
        found.append((said, "restore all nodes as documented, or say in `reason` why not"))
    if strangers := [name for name in request.disks or {} if name not in names]:
        found.append((f"`disks` names {', '.join(strangers)}, which is not restored", "correct it"))
    return [Check(_NODES, "", "", reason, hint) for reason, hint in found]


def choose_images(run: Run, request: Request, store: Shell, root: str, names: Sequence[str]) -> dict[str, StoredImage]:
    """Choose an image of each node; where there is none, or they don't belong together, that is a check.

    Args:
        run: The run.
        request: What was asked for.
        store: The store's host.
        root: The directory of images there.
        names: The nodes.
    """
    with Questions(run.checks) as questions:
        asked = {name: questions.ask(_IMAGE, partial(read_images, store, root, name)) for name in names}
    chosen: dict[str, StoredImage] = {}
    for name, answer in asked.items():
        if answer.known is None:
            continue
        image, why = choose(answer.known, request.image)
        if image is None:
            hint = "make images with `backup-control-plane -p images=true`, or choose another `image`"
            run.checks.append(Check(_IMAGE, name, "", why, hint))
        else:
            chosen[name] = image
            run.checks.append(Check(_IMAGE, name, str(image)))
    if not of_one_backup(list(chosen.values())):
        told = ", ".join(image.run for image in chosen.values())
        run.checks.append(
            Check(_IMAGE, "", "", f"these are of different backups: {told}", "say in `image` of which time")
        )
    return chosen
