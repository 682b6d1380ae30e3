"""Make an image of the nodes with a role, as backup-control-plane does of nodes that are of no cluster.

    python -m tests.bare_metal.image_node '{"site": "lab"}'

The machine has no Galera: the runbook would refuse it. Its own preflight of nodes, and its own steps, are what is carried out.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

from blocks.site import BACKUP_NODE, UNDERCLOUD
from tasks.backup.store import Store
from tasks.engine.run import Run
from tasks.engine.runbook import Work, runbook
from tasks.engine.steps import Steps
from tasks.rear.images import check_images, close_images
from tasks.runbooks.database_backup.preflight import open_store
from tasks.runbooks.node_images.imaging import ImageRequest, Imaging
from tasks.runbooks.node_images.making import create_images, paused, save_first
from tasks.runbooks.node_images.preflight import look
from tests.restore_galera.run import main

NAME = "backup-control-plane"
_ROLE = "Controller"
_REQUEST = ImageRequest(NAME, (_ROLE,), image_s=3600, start_s=300)


class _Node(NamedTuple):
    imaging: Imaging
    store: Store


@runbook(NAME, hosts=lambda *_: [UNDERCLOUD, _ROLE, BACKUP_NODE], timeout_s=7200)
def image_node(site: str, dry_run: bool = False) -> Work[_Node]:
    """Make the image.

    Args:
        site: Name of the site.
        dry_run: Show the plan.
    """
    return Work(look=_look, procedure=_procedure, summary=lambda node: node.imaging.summary)


def _look(run: Run) -> _Node:
    store = open_store(run.site, run)
    imaging = look(run, _REQUEST, store, None)
    run.refuse_if_any()
    return _Node(imaging, store)


def _procedure(steps: Steps, node: _Node) -> None:
    imaging, store = node.imaging, [node.store.shell]
    save_first(steps, imaging)
    with paused(steps, imaging):
        create_images(steps, imaging)
    arguments = (imaging.key, imaging.root, imaging.known, _REQUEST.image_s)
    steps.step("3q", "See that every image is whole", store, check_images(*arguments))
    steps.step("3r", "Write down the sums of the images' files", store, close_images(*arguments))


if __name__ == "__main__":
    sys.exit(main(image_node))
