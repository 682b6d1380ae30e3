"""An error says what happened, where, and what to do next."""

from blocks.remote.errors import CommandFailed, HostError, Refused, RunbookError


def test_a_hint_follows_the_message() -> None:
    assert str(RunbookError("it broke", "mend it")) == "it broke\nHINT: mend it"
    assert str(RunbookError("it broke")) == "it broke"


def test_a_host_error_names_the_host() -> None:
    assert str(HostError("controller-2", "it broke")) == "controller-2: it broke"


def test_a_refusal_lists_every_reason_and_says_that_nothing_was_changed() -> None:
    said = str(Refused("restore-galera", ["the dump is empty", "controller-1 is down"]))
    assert said == (
        "restore-galera refuses to begin; nothing was changed:\n  - the dump is empty\n  - controller-1 is down"
    )


def test_a_failed_command_shows_the_end_of_its_output() -> None:
    said = str(CommandFailed("controller-0", "sudo mysql", 1, "\n".join(f"line {number}" for number in range(100))))
    assert said.startswith("controller-0: exit code 1 from `sudo mysql`\n")
    assert said.endswith("line 98\nline 99")
    assert "line 79" not in said
