"""Steps N1 and N2 of restore-galera with `method=documented`: a backup's dump and grants go to where the document has its files.

BR 4.4 finds them on the first controller. So they are fetched before anything is stopped: a store that does not answer, or a
file that was damaged there, costs no outage. From step 14 on they are restored as the documented files are.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from blocks.remote.command import command
from blocks.remote.shell import Shell
from tasks.database.dumps import dump_copy, grants_copy
from tasks.engine.change import Change
from tasks.engine.cleanup import Cleanup
from tasks.engine.steps import Steps
from tasks.runbooks.stored_database.database import StoredDatabase


@dataclass(frozen=True)
class FetchedBackup:
    """A backup whose dump and grants are loaded in the documented order.

    Attributes:
        backup: The backup, of which the dump is taken.
        folder: Where its files go on the first controller; beside the data directory, which is moved before they are loaded.
    """

    backup: StoredDatabase
    folder: str

    def copy_in(self, directory: str, within_s: float) -> Change:
        """Unpack dump and grants to where the container sees them, readable by root alone (step 14).

        Args:
            directory: The data directory.
            within_s: Seconds for each file.
        """
        return Change(self.backup.unpack(self.folder, (dump_copy(directory), grants_copy(directory)), within_s))

    @contextmanager
    def fetched(self, steps: Steps, first: Shell, within_s: float, always: bool) -> Iterator[None]:
        """Fetch them, and remove them at the end of the block, whatever happens in it.

        Args:
            steps: Who walks through them: the plan, or the run.
            first: The first controller.
            within_s: Seconds for each file.
            always: Fetch them also where an earlier attempt did, which has removed them at its end.
        """
        remove = Cleanup(
            key="fetched backup",
            sentence="Remove what was fetched of the backup",
            words={first.name: ("rm", "-rf", "--one-file-system", "--", self.folder)},
        )
        with steps.cleanup(remove):
            make = Change((command("install", "-d", "-m", "700", self.folder),))
            steps.step("N1", "Make a directory for the backup's files", [first], make, always=always)
            fetch = Change(self.backup.fetch(self.folder, within_s))
            steps.step("N2", f"Fetch {self.backup.shown_files} from the store", [first], fetch, always=always)
            yield
