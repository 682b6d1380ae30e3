"""A physical copy of a server that is written to becomes a server that holds the same; and the documented files load."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.database.contents_comparison import compare
from tasks.database.contents_reading import read_contents
from tasks.database.documented_dump import documented_dump, schemas_words, whole_server_words
from tasks.database.dumping import COMPRESSORS
from tasks.database.login import accepts_options, accepts_password
from tasks.database.physical_copy import copy_pipeline, copy_words
from tests.database.backups import LARGEST, copy
from tests.database.local_server import LocalServer
from tests.database.sample import SAMPLE


@pytest.fixture
def filled(origin: LocalServer) -> LocalServer:
    """The server with the sample in it."""
    origin.empty()
    origin.sql(SAMPLE)
    return origin


def test_a_server_made_of_a_copy_holds_the_same(filled: LocalServer, tmp_path: Path) -> None:
    before = read_contents(filled.shell, filled.server, LARGEST, 600)
    done = copy(filled)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert "completed OK!" in done.stderr.decode()
    made = LocalServer(tmp_path / "made")
    made.data.mkdir()
    unpack = f"zstd -dqc | mbstream -x -C {made.data} && mariadb-backup --prepare --target-dir={made.data}"
    subprocess.run(["bash", "-o", "pipefail", "-c", unpack], input=done.stdout, check=True, capture_output=True)
    made.start()
    try:
        after = read_contents(made.shell, made.server, LARGEST, 600)
    finally:
        made.stop()
    assert compare(before, after).same


def test_a_copy_of_a_server_that_does_not_answer_fails(filled: LocalServer) -> None:
    words = copy_words(replace(filled.server, directory="/nonexistent"), "mariadb-backup", galera=False)
    done = filled.shell.call(["bash", "-o", "pipefail", "-c", copy_pipeline(COMPRESSORS[0]), "copy", *words])
    assert done.returncode != 0


@pytest.mark.parametrize("whole", [True, False], ids=["undercloud", "role"])
def test_a_documented_file_loads_and_holds_the_same(
    whole: bool, filled: LocalServer, target: LocalServer, tmp_path: Path
) -> None:
    words = whole_server_words(filled.server) if whole else schemas_words(filled.server)
    long = documented_dump(filled.server, words, str(tmp_path / "all.sql"), 60)
    done = filled.shell.call(long.words)
    assert done.returncode == 0, done.stderr.decode()
    before = read_contents(filled.shell, filled.server, LARGEST, 600)
    target.empty()
    text = (tmp_path / "all.sql").read_bytes()
    loaded = target.try_sql(text + b"FLUSH PRIVILEGES;\n")
    assert loaded.returncode == 0, loaded.stderr.decode()
    after = read_contents(target.shell, target.server, LARGEST, 600)
    if not whole:  # the accounts are in a file of their own
        before, after = (each.model_copy(update={"accounts": {}}) for each in (before, after))
    assert [str(each) for each in compare(before, after).differences] == []


def test_a_password_is_accepted_if_it_is_the_servers(filled: LocalServer) -> None:
    filled.sql("ALTER USER root@localhost IDENTIFIED BY 'q\"uo\\\\te'")
    filled.options.write_text('[client]\npassword="q\\"uo\\\\te"\n')
    try:
        assert accepts_password(filled.shell, filled.server, 'q"uo\\te')
        assert not accepts_password(filled.shell, filled.server, "another")
        assert accepts_options(filled.shell, filled.server)
    finally:
        filled.sql("ALTER USER root@localhost IDENTIFIED BY ''")
        filled.options.write_text("[client]\n")
