"""The pipeline that writes a dump: each part's failure is its own, and a dump without its last line is none.

What the dump's script does with a server is shown by tests/database, on a real one.
"""

from __future__ import annotations

import gzip
import shlex
import subprocess
from pathlib import Path

import pytest

from tasks.database.dumping import (
    COMPRESSORS,
    Compressor,
    contents_file,
    dump_pipeline,
    dump_words,
    end_words,
    find_compressor,
    remove_words,
)
from tasks.database.mariadb import Server
from tests.unit.fakes import FakeShell

SERVER = Server("galera-bundle-podman-0", "/var/lib/mysql", "/root/.my.cnf", "backup-control-plane")
WHOLE = "CREATE DATABASE x;\n\n-- Dump completed on 2026-11-27  3:00:00\n"
GZIP = COMPRESSORS[-1]


def run(dump: str, compressor: Compressor | None = GZIP, behind: str = "") -> subprocess.CompletedProcess[bytes]:
    pipeline = dump_pipeline(("bash", "-c", dump), compressor)
    return subprocess.run(["bash", "-o", "pipefail", "-c", pipeline + behind], capture_output=True, timeout=30)


def test_a_whole_dump_is_written_compressed() -> None:
    done = run(f"printf %s {shlex.quote(WHOLE)}")
    assert (done.returncode, gzip.decompress(done.stdout).decode()) == (0, WHOLE)


def test_a_whole_dump_is_written_as_it_is() -> None:
    done = run(f"printf %s {shlex.quote(WHOLE)}", None)
    assert (done.returncode, done.stdout.decode()) == (0, WHOLE)


@pytest.mark.parametrize(
    "dump",
    [
        "exit 0",
        f"printf %s {shlex.quote(WHOLE)}; exit 3",
        f"printf %s {shlex.quote(WHOLE[:30])}",
        f"printf %s {shlex.quote(WHOLE + 'INSERT INTO')}",
        "kill -KILL $$",
    ],
)
def test_a_dump_that_is_none_fails(dump: str) -> None:
    assert run(dump).returncode != 0


def test_it_is_said_that_a_dump_is_cut_short() -> None:
    assert "the dump is cut short: its last line is not '-- Dump completed'" in run("echo x").stderr.decode()


def test_a_compressor_that_fails_fails_the_dump() -> None:
    assert run(f"printf %s {shlex.quote(WHOLE)}", Compressor(("false",), ".x")).returncode != 0


def test_a_store_that_is_gone_ends_the_dump() -> None:
    done = run("while :; do echo INSERT; done", behind=" | head -c 100 >/dev/null")
    assert done.returncode != 0


@pytest.mark.parametrize(
    ("there", "suffix"),
    [
        ("/usr/bin/zstd\n/usr/bin/gzip\n", ".zst"),
        ("/usr/bin/pigz\n/bin/gzip\n", ".gz"),
        ("/bin/gzip\n", ".gz"),
        ("", ".gz"),
    ],
)
def test_the_best_compressor_that_is_there_is_taken(there: str, suffix: str) -> None:
    found = find_compressor(FakeShell().on("command -v", say=there))
    assert found.suffix == suffix
    assert found.words[0] in (there or "gzip")


def test_the_command_has_no_password_and_says_what_it_leaves() -> None:
    words = dump_words(SERVER, 1024, 600)
    assert words[:3] == ("podman", "exec", "galera-bundle-podman-0")
    assert "/root/.my.cnf" in words
    assert contents_file(SERVER) in words
    assert {"--single-transaction", "--routines", "--events", "--triggers"} <= set(words)
    assert not [word for word in words if word.startswith(("-p", "--password"))]
    assert remove_words(SERVER)[-1] == contents_file(SERVER)


def test_ending_a_dump_ends_all_that_it_has_started(tmp_path: Path) -> None:
    script = end_words(SERVER)[-1].replace("/tmp/openstack-runbooks-dump", str(tmp_path / "dump"))
    with subprocess.Popen(["bash", "-c", "sleep 300 & wait"], start_new_session=True) as dump:
        (tmp_path / "dump.pid").write_text(str(dump.pid))
        assert subprocess.run(["bash", "-c", script]).returncode == 0
        assert dump.wait(10) != 0
    assert subprocess.run(["bash", "-c", script]).returncode != 0, "there is none any more"
