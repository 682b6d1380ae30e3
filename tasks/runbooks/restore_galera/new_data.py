"""Steps N1 to N10 of restore-galera from a backup: new data is made beside the old, on every node, before clients miss anything.

No document has it: BR 4.4 stops the databases first, and loads while nothing serves. Here the cluster goes on serving, if it still
does, until all nodes have the new data; then directories change places (steps 5 to 7), and the cluster forms without a state
transfer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from blocks.remote.command import command
from blocks.remote.shell import Shell
from tasks.database.data_directory import LABEL
from tasks.database.importing_server import ImportingServer
from tasks.database.new_directory import NewDirectory, Stream
from tasks.engine.change import Change
from tasks.engine.cleanup import Cleanup
from tasks.engine.steps import Steps
from tasks.runbooks.stored_database.database import StoredDatabase

# The steps' numbers, in their order.
NUMBERS = ("N1", "N2", "N3", "N4", "N5", "N6", "N7", "N8", "N9", "N10")
# In whose place the new data is made.
_DOCUMENTED = {
    "9": "Create the MySQL database",
    "10": "Start the database",
    "11": "Move the .my.cnf Galera configuration file",
    "12": "Reset the Galera root password",
    "13": "Restore the .my.cnf Galera configuration file",
    "14": "Copy the backup database files",
    "15": "Restore the MySQL database",
    "16": "Shut down the databases",
}
# Must bear being run where nothing is left.
_REMOVE = """
systemctl stop "$1" 2>/dev/null || :
systemctl reset-failed "$1" 2>/dev/null || :
for container in "$2" "$2-create" "$2-password" "$2-copy"; do podman rm --force "$container" >/dev/null 2>&1 || :; done
rm -rf --one-file-system -- "$3"
"""


@dataclass(frozen=True)
class NewData:
    """A backup of which a data directory is made beside the one in use.

    Attributes:
        backup: The backup.
        image: The id of the image of the first node's container: what it makes, the nodes' servers know.
        directory: Where the new data is made.
        stream: How it gets from the first node to the others.
        made: Where the nodes have it already, from an earlier attempt; those that do not are missing.
    """

    backup: StoredDatabase
    image: str
    directory: NewDirectory
    stream: Stream
    made: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Making:
    """How new data is made.

    Attributes:
        data: Of which backup.
        hosts: The nodes, the first one first.
        labelled: Those that label files for SELinux.
        runbook: The runbook's name.
        root_password_sql: Sets root's password.
        start_s: Seconds for a server to start or to shut down.
        within_s: Seconds for each of fetching, loading and copying.
    """

    data: NewData
    hosts: list[Shell]
    labelled: frozenset[str]
    runbook: str
    root_password_sql: str
    start_s: int
    within_s: int

    @property
    def server(self) -> ImportingServer:
        """The server into which the backup is loaded."""
        return ImportingServer(self.data.image, self.data.directory.data, self.runbook)

    @property
    def cleanup(self) -> Cleanup:
        """What removes all that was not finished, whatever happens."""
        units = f"openstack-runbooks-{self.runbook}-*.service"
        words = (units, self.server.container, self.data.directory.work)
        return Cleanup(
            key="new data",
            sentence="Remove what was not finished of the new data beside the old",
            words={host.name: ("bash", "-o", "errexit", "-c", _REMOVE, "remove", *words) for host in self.hosts},
        )


def make_new_data(steps: Steps, making: Making) -> None:
    """Make the new data on the first node, and copy it to the others.

    Args:
        steps: Who walks through them: the plan, or the run.
        making: How.
    """
    first, rest, data = making.hosts[0], making.hosts[1:], making.data
    with steps.cleanup(making.cleanup):
        made = data.made.get(first.name, "")
        if made:
            steps.skip("N1", "Make the new data beside the old", f"{first.name} has it already: {made}")
        else:
            _make(steps, making)
        source = made or data.directory.path

        def copy(host: Shell) -> Change:
            return data.directory.copy(first, source, data.stream, host.name in making.labelled, making.within_s)

        missing = [host for host in rest if host.name not in data.made]
        if missing:
            steps.step("N10", "Copy the new data to the other controllers", missing, copy)
        else:
            steps.skip("N10", "Copy the new data to the other controllers", "each of them has it already")


def _make(steps: Steps, making: Making) -> None:
    """Steps N1 to N9, on the first node."""
    data, server, on = making.data, making.server, making.hosts[:1]
    directory, labelled = data.directory, on[0].name in making.labelled
    begin = Change((*server.discard().commands, *directory.begin(making.runbook).commands))
    steps.step("N1", "Begin a new data directory beside the one in use", on, begin)
    fetch = data.backup.fetch(directory.work, making.within_s)
    steps.step("N2", f"Fetch {data.backup.shown_files} from the store", on, Change(fetch))
    if data.backup.method == "physical":
        words = (data.image, directory.data, directory.work, making.runbook, making.within_s)
        # The container that prepares it gives it a label of its own, with which the next container may not see it.
        relabel = (command("chcon", "-R", LABEL, directory.data, timeout_s=900),) if labelled else ()
        steps.step("N3", "Unpack the copy, and prepare it", on, Change((*data.backup.prepare(*words), *relabel)))
    else:
        create = Change((directory.make_empty(labelled), *server.create().commands))
        steps.step("N3", "Make the system tables", on, create)
        steps.step("N4", "Start a database on it, without a network", on, server.start(making.start_s))
        load = data.backup.load(server.server, directory.work, making.within_s)
        steps.step("N5", "Load the backup", on, Change(load))
        galera = server.restart_with_galera(making.start_s)
        steps.step("N6", "Restart it as a node of Galera, so that the data has a position in a history", on, galera)
        steps.step("N7", "Shut that database down", on, server.stop(making.start_s))
    steps.step("N8", "Set root's password to the site's", on, server.set_root_password(making.root_password_sql))
    steps.step("N9", f"Name the new data {directory.path}", on, directory.finish(labelled))


def skip_import(steps: Steps) -> None:
    """Note the documented steps in whose place the new data was made."""
    for number, sentence in _DOCUMENTED.items():
        steps.skip(number, sentence, "the new data was made beside the old, in N1 to N10")
