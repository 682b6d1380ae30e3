"""A command is a list of words that reaches the host as it is, as root, with a deadline, and shows no secret."""

import shlex
import subprocess

import pytest

from blocks.remote.command import Command, command, question, script

HOSTILE = [
    "two words",
    "'; rm -rf / #",
    '"$(reboot)" `reboot`',
    "$HOME ~ * ? [a-z] {1,2} !!",
    "a\nb\tc",
    "",
    "-n",
    "\\",
    "é ✓ \u2028",
]


@pytest.mark.parametrize("word", HOSTILE)
def test_a_word_arrives_as_it_was_written(word: str) -> None:
    line = command("printf", "%s\\0", word, "end", root=False).line
    seen = subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout
    assert seen == f"{word}\0end\0".encode()


@pytest.mark.parametrize("word", HOSTILE)
def test_the_argument_of_a_script_arrives_as_it_was_written(word: str) -> None:
    line = script('printf "%s\\0" "$1"', word, root=False).line
    seen = subprocess.run(["bash", "-c", line], capture_output=True, check=True).stdout
    assert seen == f"{word}\0".encode()


def test_a_command_runs_as_root_without_ever_asking_for_a_password() -> None:
    assert shlex.split(command("id").line)[:2] == ["sudo", "-n"]
    assert "sudo" not in command("id", root=False).line


@pytest.mark.parametrize(("seconds", "limit"), [(60, "60"), (0.2, "1"), (90.4, "90"), (14400, "14400")])
def test_the_host_itself_ends_a_command_that_takes_too_long(seconds: float, limit: str) -> None:
    words = shlex.split(command("sleep", "1d", timeout_s=seconds).line)
    assert words[words.index("timeout") : words.index("env")] == ["timeout", "-k", "5", limit]
    assert words[-2:] == ["sleep", "1d"]


def test_a_host_without_a_timeout_is_not_asked_for_one() -> None:
    assert shlex.split(command("uptime", root=False, limited=False).line) == ["env", "LC_ALL=C", "uptime"]


def test_within_gives_another_deadline_and_leaves_the_rest() -> None:
    one = command("true", timeout_s=5, ok=(0, 3))
    assert one.within(7) == command("true", timeout_s=7, ok=(0, 3))
    assert one.timeout_s == 5


def test_messages_are_in_english() -> None:
    line = command("locale", root=False).line
    assert "LC_ALL=C" in subprocess.run(["bash", "-c", line], capture_output=True, text=True).stdout


def test_an_operator_sees_what_they_would_type() -> None:
    assert command("pcs", "resource", "unmanage", "a b").shown == "sudo pcs resource unmanage 'a b'"
    assert command("hiera", "x", root=False).shown == "hiera x"


def test_standard_input_is_never_shown() -> None:
    one = command("mysql", stdin="SET PASSWORD = 'secret'", stdin_is="SQL: set root's password")
    assert one.shown == "sudo mysql < (SQL: set root's password)"
    assert all("secret" not in text for text in (one.shown, one.line, repr(one), str(one)))


def test_a_question_is_quiet_and_a_command_is_not() -> None:
    assert question("true").quiet
    assert not command("true").quiet


def test_a_question_changes_nothing_and_a_command_does_unless_it_says_otherwise() -> None:
    assert not question("true").changes
    assert command("true").changes
    assert script("true").changes
    assert not script("true", changes=False).changes


@pytest.mark.parametrize("text", ["false | true", "false; true"])
def test_a_script_fails_where_one_of_its_commands_fails(text: str) -> None:
    assert subprocess.run(script(text).words, capture_output=True).returncode == 1


def test_the_same_words_are_the_same_command() -> None:
    assert command("a", "b") == Command(("a", "b"))
    assert command("a", "b") != command("a b")
