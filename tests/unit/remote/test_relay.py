"""A stream between commands, run for real on this machine."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import cast

import pytest

import blocks.remote.relay
from blocks.remote.command import Command, script
from blocks.remote.errors import CommandFailed, ConnectionLost
from blocks.remote.relay import relay
from tests.unit.fakes import FakeChannel, FakeShell, LocalShell

MEGABYTES = script("head -c 3000000 /dev/zero")


def counted(path: Path) -> Command:
    return script('cat > "$1"; stat -c %s "$1"', str(path))


def test_what_is_written_here_is_read_there(tmp_path: Path) -> None:
    got = relay(LocalShell(), MEGABYTES, LocalShell(), counted(tmp_path / "a"))
    assert (tmp_path / "a").read_bytes() == bytes(3_000_000)
    assert (got.size_bytes, got.answer) == (3_000_000, "3000000\n")
    assert got.sha256 == hashlib.sha256(bytes(3_000_000)).hexdigest()


def test_how_far_it_is_is_told_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    relay(LocalShell(), MEGABYTES, LocalShell(), counted(tmp_path / "a"), on_progress=told.append)
    assert told == [], "it was soon over"
    monkeypatch.setattr(blocks.remote.relay, "_PROGRESS_EVERY_S", 0.0)
    relay(LocalShell(), MEGABYTES, LocalShell(), counted(tmp_path / "a"), on_progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 3_000_000


def test_a_writer_that_fails_is_told_with_what_it_said(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="exit code 3"):
        relay(
            LocalShell(), script("echo half; echo why >&2; exit 3", quiet=True), LocalShell(), counted(tmp_path / "a")
        )


def test_a_reader_that_fails_stops_the_writer() -> None:
    began = time.monotonic()
    with pytest.raises(CommandFailed, match="disk full"):
        relay(LocalShell(), script("cat /dev/zero"), LocalShell(), script("head -c 9 >&2; echo disk full >&2; exit 1"))
    assert time.monotonic() - began < 10


def test_complaints_do_not_get_into_the_stream(tmp_path: Path) -> None:
    got = relay(LocalShell(), script("echo warning >&2; echo data"), LocalShell(), counted(tmp_path / "a"))
    assert (tmp_path / "a").read_text() == "data\n"
    assert got.complaints == "warning\n"


def test_a_writer_that_complains_all_the_time_does_not_stand_still(tmp_path: Path) -> None:
    noisy = script('for i in $(seq 60); do printf "%5000s" x >&2; head -c 5000 /dev/zero; done')
    got = relay(LocalShell(), noisy, LocalShell(), counted(tmp_path / "a"))
    assert got.size_bytes == 300_000
    assert len(got.complaints) <= 8192


def test_no_more_is_sent_in_a_second_than_is_wanted(tmp_path: Path) -> None:
    began = time.monotonic()
    relay(LocalShell(), MEGABYTES, LocalShell(), counted(tmp_path / "a"), bytes_per_s=6_000_000)
    assert time.monotonic() - began > 0.45


def test_a_connection_that_breaks_is_told_by_its_host() -> None:
    class Broken(FakeChannel):
        def recv_stderr_ready(self) -> bool:
            return False

    source = FakeShell("controller-0")
    source.channel = Broken()
    source.channel.says = [b"some", OSError("gone")]
    with pytest.raises(ConnectionLost, match="controller-0: OSError: gone"):
        relay(source, MEGABYTES, LocalShell(), script("cat"))
    assert source.channel.closed


def test_a_channel_that_ends_without_an_exit_code_is_a_broken_connection() -> None:
    class Cut(FakeChannel):
        code = -1

        def recv_stderr_ready(self) -> bool:
            return False

        def recv_exit_status(self) -> int:
            return -1

    source = FakeShell("controller-0")
    source.channel = cast("FakeChannel", Cut())
    source.channel.says = [b"half a dump"]
    with pytest.raises(ConnectionLost, match="ended before the command did"):
        relay(source, MEGABYTES, LocalShell(), script("cat"))
