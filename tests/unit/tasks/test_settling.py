"""The script that lets Pacemaker end what it has under way."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tasks.pacemaker import unmanage

NODE = '<node name="controller-0" online="true" pending="{0}" resources_running="3"/>\n'
REPLICA = '<resource id="galera" role="Unpromoted" managed="false" {0}/>\n'
IDLE = NODE.format("false") + REPLICA.format("")
BUSY, JOINING = IDLE + REPLICA.format('pending="Promoting" '), NODE.format("true") + IDLE


class Controller:
    """A folder that stands for a controller: one picture of the cluster after the other, and then the last one again."""

    def __init__(self, folder: Path, *pictures: str) -> None:
        self.folder = folder
        for number, picture in enumerate(pictures, 1):
            (folder / str(number)).write_text(picture * 5000)  # more than a pipe holds
        self._program("crm_mon", f"echo >> looks; n=$(wc -l < looks); [ -e $n ] || n={len(pictures)}; cat $n")
        self._program("crm_resource", 'echo "$*" >> waited')

    def _program(self, name: str, text: str) -> None:
        (self.folder / name).write_text(f"#!/bin/bash\ncd {self.folder}\n{text}\n")
        (self.folder / name).chmod(0o755)

    def settle(self) -> str:
        """Run it; returns how `crm_resource` was called, an empty text where it was not."""
        _, settle = unmanage("galera-bundle", 130).commands
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}"}
        subprocess.run(settle.words, env=environment, check=True, timeout=20)  # type: ignore[union-attr]
        waited = self.folder / "waited"
        return waited.read_text() if waited.exists() else ""


def test_where_nothing_is_under_way_nothing_is_waited_for(tmp_path: Path) -> None:
    controller = Controller(tmp_path, IDLE)
    assert controller.settle() == ""
    assert len((tmp_path / "looks").read_text().splitlines()) == 2


@pytest.mark.parametrize("pictures", [(BUSY,), (IDLE, BUSY), (IDLE + BUSY + IDLE,), (JOINING,)])
def test_what_is_under_way_is_waited_for(tmp_path: Path, pictures: tuple[str, ...]) -> None:
    assert Controller(tmp_path, *pictures).settle() == "--wait --timeout=130\n"
