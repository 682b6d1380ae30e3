"""The undercloud's database server, as it is found."""

from __future__ import annotations

from blocks.remote.shell import Shell
from blocks.site import UNDERCLOUD
from tasks.database.mariadb import Server
from tasks.database.throwaway_server import read_image
from tasks.engine.checks import Check
from tasks.engine.run import Run
from tasks.node import podman, versions
from tasks.runbooks.database_backup.backup import Backup
from tasks.runbooks.database_backup.preflight import look as look_at_backup
from tasks.runbooks.database_backup.preflight import open_store
from tasks.runbooks.database_backup.request import HieraPassword, Request, Source
from tasks.runbooks.node_images.imaging import ImageRequest
from tasks.runbooks.node_images.preflight import look as look_at_images
from tasks.runbooks.node_images.whole import Whole

DATABASE = "undercloud"


def look(run: Run, request: Request) -> Backup:
    """Look at the undercloud and at the store, and refuse with the complete list.

    Args:
        run: The run; its first host is the undercloud.
        request: What the operator asks for.

    Raises:
        Refused: With every reason.
    """
    settings = run.site.undercloud_database
    server = Server(settings.container, settings.data_directory, settings.client_options, request.runbook)
    host = run.shells[run.site.named(UNDERCLOUD).name]
    found = run.everywhere("container", lambda shell: _look_at_host(shell, server), [host])
    password = HieraPassword(settings.hiera_config, settings.password_key)
    source = None
    if host.name in found:
        checks, untried, image = found[host.name]
        run.checks += checks
        run.facts += [fact for fact in untried if fact not in run.facts]
        source = Source(DATABASE, host, server, image, galera=False, password=password) if image else None
    return look_at_backup(run, request, source)


def look_with_image(run: Run, request: Request, image: ImageRequest) -> Whole:
    """Look at the undercloud's database, and at the undercloud as a node that gets an image.

    Args:
        run: The run; its first host is the undercloud.
        request: What is asked for of the database.
        image: What is asked for of the node.

    Raises:
        Refused: With every reason.
    """
    imaging = look_at_images(run, image, open_store(run.site, run), None)
    return Whole(look(run, request), imaging)


def _look_at_host(shell: Shell, server: Server) -> tuple[list[Check], list[str], str]:
    """Checks, what nobody has tried, and the id of the image; empty where the container does not run."""
    container = server.container
    state = podman.status(shell, container) if container in podman.names(shell) else "missing"
    if state != "running":
        reason = f"container {container} is {state}"
        hint = (
            f"`systemctl start tripleo_{container}`; else correct `container` of [undercloud_database] in the site file"
        )
        return [Check("container", shell.name, "", reason, hint)], [], ""
    known = versions.check_versions(shell.name, versions.read_versions(shell, versions.UNDERCLOUD, container))
    checks = [Check("container", shell.name, f"{container} runs"), *known]
    return checks, versions.untried(known), read_image(shell, container)
