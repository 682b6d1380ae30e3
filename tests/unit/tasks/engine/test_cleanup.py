"""What must be undone is undone by somebody: by the run, or by the host's own timer."""

import pytest

from blocks.remote.errors import CommandFailed
from tasks.engine.cleanup import GUARD_S, guard_unit, perform_undo, set_guard
from tests.unit.fakes import FakeShell
from tests.unit.tasks.samples import UNDO


def test_the_hosts_own_timer_runs_the_same_words() -> None:
    words = set_guard(UNDO).words
    assert words[-len(UNDO.words) :] == UNDO.words
    assert f"--on-active={GUARD_S}" in " ".join(words)
    assert guard_unit(UNDO) in " ".join(words)


def test_setting_it_again_sets_it_back_to_its_full_time() -> None:
    script = " ".join(set_guard(UNDO).words)
    assert script.index(f"systemctl stop {guard_unit(UNDO)}.timer") < script.index("systemd-run")


def test_another_undo_has_another_timer() -> None:
    assert guard_unit(UNDO) != guard_unit(UNDO.model_copy(update={"words": ("true",)}))


def test_the_timer_is_taken_away_after_the_undoing() -> None:
    shell = FakeShell(otherwise="")
    perform_undo(shell, UNDO)
    assert shell.ran[0].words == UNDO.words
    assert "systemctl stop" in shell.ran[1].shown


def test_the_timer_stays_where_the_undoing_fails() -> None:
    shell = FakeShell(otherwise="").on("rm", say=1)
    with pytest.raises(CommandFailed):
        perform_undo(shell, UNDO)
    assert shell.lines("systemctl") == []
