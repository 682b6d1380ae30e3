"""A store on this machine, and a host of a drill whose container is a server of the tests: only podman is another's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from blocks.remote.command import Command, question
from blocks.remote.connection import Watch
from blocks.remote.shell import Shell
from blocks.remote.units import LongCommand
from blocks.store import BackupStore
from flows.verify_backup import procedure
from tasks.backup.backup_set import SetName
from tasks.backup.manifest import BackupFile, Compression, DatabaseBackup, Manifest, Role
from tasks.backup.store import Store
from tasks.backup.writing import begin, fetch, seal, tell
from tasks.engine.run import Run, TakeUp
from tasks.runbooks.verify_backup.preflight import Verification, look
from tests.database.backups import Backup
from tests.database.local_server import LocalServer
from tests.unit.fakes import LocalShell
from tests.unit.tasks.backup.samples import START, run_id
from tests.unit.tasks.samples import SITE, journal

# The container is there from `run` to `rm`; what is executed in it finds the data of the tests' server under its own path.
_PODMAN = """#!/bin/bash
here={here}
echo "$*" >>"$here/podman.log"
case $1 in
  run) : >"$here/container" ;;
  rm) rm -f "$here/container" ;;
  inspect) [ "$2" = --type=image ] || [ -e "$here/container" ] ;;
  exec)
    [ -e "$here/container" ] || exit 125
    shift
    [ "$1" != -i ] || shift
    shift
    exec "${{@//\\/var\\/lib\\/mysql/{data}}}" ;;
esac
"""

# The same with what the container would run, as this machine's root: system tables are created, or a copy is prepared, and a server
# is started, each time.
OWN_SERVER = r"""#!/bin/bash
here={here}
echo "$*" >>"$here/podman.log"
case $1 in
  run)
    for word; do case $word in --volume=*) data=${{word#--volume=}} data=${{data%:/var/lib/mysql:Z}} ;; esac; done
    echo "$data" >"$here/data"
    detached=
    [[ $* != *--detach* ]] || detached=yes
    while [ "$1" != bash ]; do shift; done
    words=("${{@//\/var\/lib\/mysql/$data}}")
    words=("${{words[@]//mysql:mysql/root:root}}")
    [ -n "$detached" ] || exec "${{words[@]}}"
    setsid "${{words[@]//--user=mysql/--user=root}}" </dev/null >"$here/server.log" 2>&1 &
    echo $! >"$here/container" ;;
  rm)
    [ -e "$here/container" ] || exit 1
    kill -KILL -- "-$(cat "$here/container")" || :
    rm "$here/container" ;;
  inspect) [ "$2" = --type=image ] || [ -e "$here/container" ] ;;
  exec)
    [ -e "$here/container" ] && kill -0 "$(cat "$here/container")" 2>/dev/null || exit 125
    shift
    [ "$1" != -i ] || shift
    shift
    data=$(cat "$here/data")
    exec "${{@//\/var\/lib\/mysql/$data}}" ;;
esac
"""


def run_at_once() -> dict[str, object]:
    """What stands in for the attributes of a long command where there is no systemd: it is run and waited for."""

    def perform(long: LongCommand, shell: Shell, watch: Watch) -> str:
        shell.run(Command(long.words, timeout_s=long.timeout_s, says=long.named))
        return "done"

    return {
        "perform": perform,
        "has_unread_result": lambda long, shell: False,
        "forget": lambda long, shell: None,
    }


@dataclass(frozen=True)
class DrillSite:
    """A site whose backup node is this machine.

    Attributes:
        folder: For all of it.
        target: The server that is thrown away.
    """

    folder: Path
    target: LocalServer

    @property
    def store(self) -> Store:
        """The store."""
        settings = BackupStore.model_validate({"kind": "sftp", "host": "192.0.2.9", "path": "/backups"})
        paths = {"path": str(self.folder / "store"), "drill_directory": str(self.folder / "drills")}
        return Store(self.shell, settings.model_copy(update=paths), "lab")

    @property
    def shell(self) -> LocalShell:
        """The backup node."""
        shell = LocalShell(self.folder / "bin")
        shell.name = "backup-node"
        return shell

    def prepare(self, podman: str = _PODMAN) -> None:
        """Make the folders, and the programs that stand for podman and systemd.

        Args:
            podman: What stands for podman.
        """
        for name in ("store", "drills", "bin"):
            (self.folder / name).mkdir()
        data = str(self.target.data).replace("/", "\\/")
        programs = {
            "podman": podman.format(here=self.folder, data=data),
            "systemctl": "#!/bin/bash\n",
            "systemd-run": "#!/bin/bash\n",
        }
        for name, text in programs.items():
            program = self.folder / "bin" / name
            program.write_text(text)
            program.chmod(0o755)

    def keep(self, backup: Backup, number: int = 0, image: str = "sha256:0a1b") -> SetName:
        """Put a backup into the store, as the runbook that took it would."""
        store = self.store
        started = START + timedelta(days=number)
        name = SetName.of("backup-control-plane", "database", started, run_id(number))
        begin(store, name, run_id(number), started)
        sent: list[tuple[str, Role, bytes, Compression]] = [
            ("overcloud.sql.zst", "logical dump", backup.dump, "zstd"),
            ("overcloud-grants.sql", "grants", backup.grants.encode(), "none"),
        ]
        if backup.after is not None:  # the copy alone: its drill is another
            sent = [("overcloud.mbstream.zst", "physical copy", backup.copy, "zstd")]
        files = tuple(self._receive(name, *each) for each in sent)
        database = DatabaseBackup(
            name="overcloud",
            host="controller-0",
            server_version=backup.contents.version,
            image=image,
            contents=backup.contents.model_dump(mode="json"),
            contents_after_copy=backup.after.model_dump(mode="json") if backup.after else {},
        )
        manifest = Manifest(
            site="lab",
            runbook="backup-control-plane",
            content="database",
            run_id=run_id(number),
            started=started,
            sealed=started,
            hosts=("controller-0",),
            databases=(database,),
            files=files,
        )
        return seal(store, manifest, started)

    def _receive(self, name: SetName, file: str, role: Role, data: bytes, compression: Compression) -> BackupFile:
        sent = self.folder / "sent"
        sent.write_bytes(data)
        got = fetch(self.store, name, file, self.shell, question("cat", str(sent)))
        return tell(self.store, file, got, role, "overcloud", compression)

    def open_run(self, number: int = 99) -> Run:
        """A run on it, with the id of this number."""
        store = self.store
        site = SITE.model_copy(
            update={
                "store": store.settings,
                "hosts": SITE.hosts | {"backup-node": "192.0.2.10"},
                "backup_node": "backup-node",
            }
        )
        return Run(
            "verify-backup",
            site,
            {"backup-node": self.shell},
            False,
            journal(runbook="verify-backup", run_id=str(run_id(number))),
        )

    def verify(self, backup: str = "latest", number: int = 99) -> tuple[Run, Verification]:
        """Take the runbook's own steps."""
        self.target.empty()
        run = self.open_run(number)
        job = look(run, backup)
        run.begin(TakeUp(run.journal), run.journal.run_id)
        procedure(run, job)
        run.finish()
        return run, job

    @property
    def left(self) -> list[str]:
        """What a drill has left of itself."""
        return [*(path.name for path in (self.folder / "drills").iterdir()), *self._container]

    @property
    def _container(self) -> list[str]:
        return ["container"] if (self.folder / "container").exists() else []
