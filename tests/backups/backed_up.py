"""The lab with a backup store on its backup host, and backups of its cluster in it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
from _pytest.mark.structures import ParameterSet

from blocks.remote.command import command, script
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE, Site
from blocks.site_file import read_site
from deployments.project import PROJECT
from tasks.backup.backup_set import SetName, parse_received
from tasks.backup.manifest import DatabaseBackup, Manifest
from tasks.backup.store import Store
from tasks.backup.writing import begin, fetch, receive, seal, tell
from tasks.database.contents_reading import read_contents_file
from tasks.database.dumping import COMPRESSORS, contents_file, dump_pipeline, dump_words, remove_words
from tasks.database.grants_dumping import read_grants_text
from tasks.database.mariadb import Server
from tasks.database.throwaway_server import read_image
from tasks.node.podman import find_container, names
from tests.lab import Lab
from tests.restore_galera.cloud import Cloud, Ended
from tests.server.fixtures import PrefectServer

PATH = "/srv/backups"
_SOURCE = "controller-2"
# Whatever a drill can leave on a host.
_LEFT = """
podman ps --all --format '{{.Names}}' | grep drill || :
ls -d /var/tmp/openstack-runbooks-drill* 2>/dev/null || :
systemctl list-units --all --plain --no-legend 'openstack-runbooks-*' || :
"""


def exhaustive(kill: str) -> ParameterSet:
    """A point at which a run is killed in `make test-exhaustive` alone."""
    return pytest.param(kill, marks=pytest.mark.exhaustive)


@dataclass
class BackedUp:
    """The lab, a Prefect server that knows it with a store, and the runbook on both.

    Attributes:
        lab: The lab.
        server: The server.
        site_file: Its site file, with a store.
    """

    lab: Lab
    server: PrefectServer
    site_file: Path

    @property
    def site(self) -> Site:
        """The site."""
        return read_site(self.site_file)

    def apply(self, cleanup_after_s: int = 600, **settings: str) -> None:
        """Make the server know the site with these settings of the store besides."""
        lines = [
            f'{key} = "{value}"'
            for key, value in {"kind": "sftp", "host": "192.168.24.20", "path": PATH, **settings}.items()
        ]
        self.site_file.write_text(
            "\n".join([f"cleanup_after_s = {cleanup_after_s}", self.lab.site.read_text(), "[store]", *lines, ""])
        )
        applied = self.server.run("-m", "deployments", "apply", "--site", str(self.site_file))
        assert applied.returncode == 0, applied.stdout + applied.stderr

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The store."""
        site = self.site
        assert site.store is not None
        shell = site.shell(site.named(BACKUP_NODE))
        try:
            yield Store(shell, site.store, site.site)
        finally:
            shell.close()

    def back_up(self, image: str = "") -> SetName:
        """Make a set of the cluster, by the tasks of a backup.

        Args:
            image: What the manifest says of the image; the container's own, if empty.
        """
        source = self.site.shell(self.site.host(_SOURCE))
        try:
            with self.store() as store:
                return self._back_up(store, source, image)
        finally:
            source.close()

    def _back_up(self, store: Store, source: Shell, image: str) -> SetName:
        settings = self.site.database
        container = find_container(source, names(source), settings.container_pattern)
        server = Server(container, settings.data_directory, settings.client_options, "backup-control-plane")
        started, run_id = datetime.now(UTC).replace(microsecond=0), uuid4()
        name = SetName.of("backup-control-plane", "database", started, run_id)
        begin(store, name, run_id, started)
        dump, grants = "overcloud.sql.gz", "overcloud-grants.sql"
        writing = script(dump_pipeline(dump_words(server, 2**40, 600), COMPRESSORS[-1]), timeout_s=600, quiet=True)
        try:
            dumped = fetch(store, name, dump, source, writing)
            contents = read_contents_file(source, contents_file(server))
        finally:
            source.run(command(*remove_words(server)))
        text = read_grants_text(source, server)
        received = parse_received(store.shell.run(receive(store, name, grants, stdin=text)).stdout)
        database = DatabaseBackup(
            name="overcloud",
            host=_SOURCE,
            server_version=contents.version,
            image=image or read_image(source, container),
            contents=contents.model_dump(mode="json"),
        )
        manifest = Manifest(
            site="lab",
            runbook="backup-control-plane",
            content="database",
            run_id=run_id,
            started=started,
            sealed=started,
            hosts=(_SOURCE,),
            databases=(database,),
            files=(
                tell(store, dump, dumped, "logical dump", "overcloud", "gzip"),
                tell(store, grants, received, "grants", "overcloud"),
            ),
        )
        return seal(store, manifest, started)

    def verify(self, *kill: str, backup: str = "latest") -> Ended:
        """Run verify-backup in a process of its own.

        Args:
            kill: `--kill-after STEP` or `--kill-during STEP`.
            backup: The runbook's parameter.
        """
        return self.run("verify-backup", *kill, backup=backup)

    def start(self, runbook: str, *kill: str, **parameters: object) -> subprocess.Popen[str]:
        """Start a runbook in a process of its own.

        Args:
            runbook: Its name.
            kill: `--kill-after STEP` or `--kill-during STEP`.
            parameters: The runbook's, but the site.
        """
        return subprocess.Popen(
            [sys.executable, "-m", "tests.backups.run", runbook, json.dumps({"site": "lab"} | parameters), *kill],
            cwd=PROJECT,
            env=self.server.env(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def end(self, process: subprocess.Popen[str]) -> Ended:
        """Wait for the end of what `start` has started."""
        output, _ = process.communicate(timeout=900)
        ended = Ended(process.returncode, output, 0)
        if ended.killed:
            Cloud(self.lab, self.server).mark_crashed()
        return ended

    def run(self, runbook: str, *kill: str, **parameters: object) -> Ended:
        """Run a runbook in a process of its own; see `start`."""
        return self.end(self.start(runbook, *kill, **parameters))

    def left(self, host: str) -> str:
        """What a drill has left on a host."""
        return self.lab.exec(host, _LEFT).stdout
