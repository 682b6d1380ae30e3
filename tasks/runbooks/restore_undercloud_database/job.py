"""What one restore of the undercloud's database is made from: the host, what preflight found, and how long each wait may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from blocks.database import UndercloudDatabase
from blocks.remote.errors import RunbookError
from blocks.remote.shell import Shell
from blocks.site import BACKUP_NODE, UNDERCLOUD, Site
from tasks.backup.choice import LATEST_VERIFIED
from tasks.database.importing_server import ImportingServer
from tasks.database.losses import Loss
from tasks.database.mariadb import Server, Version
from tasks.engine.steps import Fence
from tasks.node.tripleo_services import Services
from tasks.runbooks.restore_undercloud_database.resume import Resume, nothing_known
from tasks.runbooks.stored_database.database import StoredDatabase

NAME = "restore-undercloud-database"
# Which of a backup's files are restored: those that come back soonest, or the dump, by all documented steps.
Method = Literal["quickest", "documented"]
# Where the document has it (1.5).
_DUMP = "/root/undercloud-all-databases.sql"


def hosts_of_restore(site: Site, parameters: Mapping[str, Any]) -> list[str]:
    """The hosts of a restore's run: the undercloud, and the store's where a backup is wanted.

    Args:
        site: The site.
        parameters: The flow's.
    """
    from_store = bool(parameters.get("backup")) or not parameters.get("dump")
    return [UNDERCLOUD, *([BACKUP_NODE] if from_store and site.store else [])]


@dataclass(frozen=True)
class Request:
    """What the operator asks for.

    Attributes:
        dump: Path of the dump on the undercloud; empty where none is named.
        stop_s: Seconds for the services to stop, or to start again.
        start_s: Seconds for a database to start or to shut down.
        copy_s: Seconds to copy the old data, where it can't be moved.
        load_s: Seconds for the import; of a backup, for each of fetching and loading.
        backup: Which backup of the store is restored; empty where none is named.
        unverified: Whether that may be one that nobody has verified.
        method: Which of the backup's files are restored.
    """

    dump: str
    stop_s: int
    start_s: int
    copy_s: int
    load_s: int
    backup: str = ""
    unverified: bool = False
    method: Method = "quickest"

    def on(self, site: Site) -> Request:
        """What that means on a site: where nothing is named, its newest verified backup, or without a store the documented file.

        Raises:
            RunbookError: A backup and a file are named.
        """
        if self.backup and self.dump:
            raise RunbookError("`backup` is given, and `dump` as well", "give one of them")
        if self.backup or (site.store and not self.dump):
            return replace(self, backup=self.backup or LATEST_VERIFIED)
        return replace(self, dump=self.dump or _DUMP)


@dataclass(frozen=True)
class Facts:
    """What preflight found; the plan and every command are made from it alone.

    Attributes:
        password: Root's password.
        version: The server's version.
        image: The id of its container's image.
        labelled: Whether the host labels files for SELinux.
        mount_point: Whether the data directory is one.
        dump_key: What tells the dump from another one, in a word.
        losses: What will be missing afterwards.
        backup: The backup that is restored; None for a dump on the undercloud.
    """

    password: str = field(repr=False)
    version: Version
    image: str
    labelled: bool = False
    mount_point: bool = False
    dump_key: str = ""
    losses: tuple[Loss, ...] = ()
    backup: StoredDatabase | None = None


@dataclass(frozen=True)
class Job:
    """What is restored, from what, and how: all that the steps are made from.

    Attributes:
        host: The undercloud.
        database: The site's settings.
        request: What the operator asks for.
        facts: What preflight found.
        resume: Where an earlier attempt's work is taken up.
    """

    host: Shell
    database: UndercloudDatabase
    request: Request
    facts: Facts
    resume: Resume

    @property
    def old_data(self) -> str:
        """Where the old data is, or goes."""
        return self.resume.kept

    @property
    def services(self) -> Services:
        """What ran before the first attempt, and is to run again."""
        return self.resume.state.services

    @property
    def importing(self) -> ImportingServer:
        """The server into which the dump is loaded."""
        return ImportingServer(self.facts.image, self.database.data_directory, NAME)

    @property
    def loaded(self) -> bool:
        """Whether an earlier attempt has loaded the dump already."""
        return "10.1" in self.resume.settled

    @property
    def stopped(self) -> Fence:
        """In force from step 2 to step 11a."""
        return Fence(
            "services",
            f"the services of {self.host.name} are stopped (`systemctl start multi-user.target` starts them; not before the "
            "database is restored)",
        )

    @property
    def summary(self) -> str:
        """What is replaced with what, what will be missing, and where an earlier attempt's work is taken up."""
        what = (
            f"the database of {self.host.name} is replaced with {self.facts.backup or self.request.dump}, and the undercloud's "
            f"services are stopped meanwhile; the old data is kept as {self.old_data}; afterwards the same {self.services.counted} "
            "run again"
        )
        lost = "".join(f"\n- not restored: {loss.shown()}" for loss in self.facts.losses)
        return (f"{what}. {self.resume.why}" if self.resume.why else what) + lost


def service_server(database: UndercloudDatabase) -> Server:
    """The MariaDB of the undercloud's own container."""
    return Server(database.container, database.data_directory, database.client_options, NAME)


def unknown_job(host: Shell, database: UndercloudDatabase, request: Request) -> Job:
    """A job of which nothing is known yet: its steps have their numbers and their order, and no more."""
    return Job(host, database, request, Facts("", Version(10, 3), ""), nothing_known())
