"""The script that runs in the container and feeds the client: what ends it, ends the client."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from blocks.remote.waiting import wait_until
from tasks.database import importing


class Container:
    """A folder that stands for the container: a client on the PATH, the script's number, a dump."""

    def __init__(self, folder: Path, client: str) -> None:
        self.folder, self.pid = folder, folder / "load.pid"
        (folder / "mysql").write_text(f"#!/bin/bash\n{client}\n")
        (folder / "mysql").chmod(0o755)
        (folder / "dump.sql").write_text("SELECT 1;\n")

    def import_dump(self) -> subprocess.Popen[bytes]:
        """Start the import, as `podman exec` does: in a session of its own."""
        text = importing._IMPORT_DUMP.replace(importing._PID, str(self.pid))
        words = ["bash", "-c", text, "load", "options", "socket", str(self.folder / "dump.sql")]
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        return subprocess.Popen(words, env=environment, start_new_session=True)

    def stop(self) -> None:
        """Run what systemd runs once the unit's process is gone, however it went."""
        subprocess.run(["bash", "-c", importing._END.replace(importing._PID, str(self.pid))], check=False)


def lives(number: int) -> bool:
    status = Path(f"/proc/{number}/status")
    return status.exists() and "State:\tZ" not in status.read_text()


def test_an_import_that_is_ended_takes_its_client_with_it(tmp_path: Path) -> None:
    """`podman exec` passes a signal on to the script alone."""
    container, mark = Container(tmp_path, 'echo $$ > "${0%/*}/number"; exec sleep 300'), tmp_path / "number"
    with container.import_dump() as script:
        wait_until("here", "client", "started", lambda: "started" if mark.exists() and mark.read_text() else "", 10)
        script.terminate()
    client = int(mark.read_text())
    assert lives(client), "the client went by itself, and this shows nothing"
    container.stop()
    wait_until("here", "client", "gone", lambda: "there" if lives(client) else "gone", 10)


def test_an_import_that_came_to_its_end_leaves_no_number_that_could_be_anothers(tmp_path: Path) -> None:
    container = Container(tmp_path, "cat > /dev/null")
    assert container.import_dump().wait(10) == 0
    assert not container.pid.exists()


def test_an_import_that_failed_is_told_so_and_leaves_nothing_running(tmp_path: Path) -> None:
    container = Container(tmp_path, "exit 1")
    assert container.import_dump().wait(10) == 1
    container.stop()
    assert not container.pid.exists()
