"""The database and the nodes together, as they are looked at."""

from __future__ import annotations

from tasks.engine.run import Run
from tasks.runbooks.backup_control_plane.preflight import look
from tasks.runbooks.database_backup.preflight import open_store
from tasks.runbooks.database_backup.request import Request
from tasks.runbooks.node_images.imaging import ImageRequest
from tasks.runbooks.node_images.preflight import look as look_at_images
from tasks.runbooks.node_images.whole import Whole


def look_at_all(run: Run, request: Request, images: ImageRequest) -> Whole:
    """Look at the nodes and at the database.

    Args:
        run: The run.
        request: What is asked for of the database.
        images: What is asked for of the nodes.

    Raises:
        Refused: With every reason.
    """
    imaging = look_at_images(run, images, open_store(run.site, run), run.site.database)
    return Whole(look(run, request), imaging)
