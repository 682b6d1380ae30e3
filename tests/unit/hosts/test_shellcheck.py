"""shellcheck finds nothing wrong with the shell that the code holds."""

from __future__ import annotations

import json
import shlex
import subprocess
import sysconfig
from pathlib import Path

import pytest

from tests.unit.hosts.collect import made_commands
from tests.unit.hosts.programs import scripts

SHELLCHECK = Path(sysconfig.get_path("scripts")) / "shellcheck"
# What is right where it stands.
NOT_OURS = (
    "SC2013",  # a loop over the words of a file of numbers
    "SC2016",  # a script in a script has its own variables
)


def every_script() -> list[str]:
    """Every script that any runbook runs, once; one that starts another is looked at without it, and the other too."""
    return list({text: None for made in made_commands().commands for text in scripts(shlex.split(made.line))})


def findings(script: str, folder: Path) -> list[str]:
    file = folder / "script"
    file.write_text(script, encoding="utf-8")
    words = [str(SHELLCHECK), "--shell=bash", "--format=json", f"--exclude={','.join(NOT_OURS)}", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode in (0, 1), done.stderr
    return [f"SC{each['code']} line {each['line']}: {each['message']}" for each in json.loads(done.stdout)]


def test_there_is_nothing_wrong_with_any_script(tmp_path: Path) -> None:
    all_of_them = every_script()
    assert len(all_of_them) > 30
    wrong = {script: found for script in all_of_them if (found := findings(script, tmp_path))}
    assert wrong == {}


@pytest.mark.parametrize("script", ["rm -rf $1/*", 'for f in $(ls "$1"); do :; done', "if [ $x = 1; then :; fi"])
def test_what_is_wrong_would_be_found(tmp_path: Path, script: str) -> None:
    assert findings(script, tmp_path)
