"""podman 1.6.4 lets through what it knows, and refuses the rest in its own words."""

from __future__ import annotations

import shlex

import pytest

from tests.lab.floor import podman
from tests.lab.floor.refusal import Refusal


def refused(line: str) -> str:
    with pytest.raises(Refusal) as caught:
        podman.check(shlex.split(line))
    assert caught.value.code == 125
    return str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "--version",
        "-v",
        "--help",
        "exec --help",
        "exec -h",
        "--log-level debug ps",
        "exec galera mysqld_safe --detach -d",
        "exec -it -uroot galera ls -d",
        "exec -i --user=root --env A=1 -e B=2 -- galera true",
        "ps --all --format '{{.Names}} {{.Status}}'",
        "ps -aq --filter=name=galera-bundle --filter status=paused",
        "ps -n -1 --sort created",
        "container ls --all --format {{.Names}}",
        "container stop --time 0 galera",
        "stop -t10 galera",
        "stop galera --timeout 5",
        "container inspect --format {{.State.StartedAt.Unix}} galera",
        "inspect --type=container --format {{.State.Pid}} galera",
        "run --rm --network none --entrypoint bash -v /a:/b:ro image -c 'podman --detach'",
        "run -dit --storage-opt size=1 --tty=false image",
        "kill -s HUP clustercheck",
        "cp --pause=false galera:/etc/my.cnf /tmp/my.cnf",
        "image exists image",
        "container cleanup --rm 0123",
        "pod ps --ns",
        "unpause --all",
    ],
)
def test_what_it_knows_goes_through(line: str) -> None:
    podman.check(shlex.split(line))


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("exec --detach galera mysqld_safe", "unknown flag: --detach"),
        ("exec -d galera mysqld_safe", "unknown shorthand flag: 'd' in -d"),
        ("exec -id galera mysqld_safe", "unknown shorthand flag: 'd' in -id"),
        ("exec --env-file f galera true", "unknown flag: --env-file"),
        ("container exec --detach=true galera true", "unknown flag: --detach"),
        ("rm --ignore galera", "unknown flag: --ignore"),
        ("stop galera --ignore", "unknown flag: --ignore"),
        ("run --replace image", "unknown flag: --replace"),
        ("run --umask 077 image", "unknown flag: --umask"),
        ("image prune --force", "unknown flag: --force"),
        ("container inspect --type container galera", "unknown flag: --type"),
        ("--noout ps", "unknown flag: --noout"),
        ("exec --user", "flag needs an argument: --user"),
        ("exec -u", "flag needs an argument: 'u' in -u"),
        ("ps ---all", "bad flag syntax: ---all"),
    ],
)
def test_a_newer_flag_is_unknown(line: str, words: str) -> None:
    assert refused(line) == words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (
            "stop --time 0.5 galera",
            'invalid argument "0.5" for "--time" flag: strconv.ParseUint: parsing "0.5": invalid syntax',
        ),
        ("stop -t -1 galera", '"-t, --timeout" flag: strconv.ParseUint: parsing "-1"'),
        ("logs --tail -1 galera", '"--tail" flag: strconv.ParseUint: parsing "-1"'),
        ("run --tty=maybe image", '"-t, --tty" flag: strconv.ParseBool: parsing "maybe"'),
        ("ps --last few", '"-n, --last" flag: strconv.ParseInt: parsing "few"'),
    ],
)
def test_a_value_of_another_kind_is_no_argument(line: str, words: str) -> None:
    assert words in refused(line)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("kube play f", "unrecognized command `podman kube`\nTry 'podman --help' for more information."),
        ("rename a b", "unrecognized command `podman rename`"),
        ("secret ls", "unrecognized command `podman secret`"),
        ("container rename a b", "unrecognized command `podman container rename`"),
        ("container", "missing command 'podman container COMMAND'"),
        ("", "missing command 'podman COMMAND'"),
        ("build .", "unrecognized command `podman build`"),
    ],
)
def test_a_newer_command_is_unrecognized(line: str, words: str) -> None:
    assert words in refused(line)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ps --filter network=a", "network is an invalid filter"),
        ("container ls --filter until=1h", "until is an invalid filter"),
        ("ps -f name", "filter input must be in the form of filter=value: name is invalid"),
        ("ps --filter status=removing", "removing is not a valid status"),
        ("ps --sort pid", "invalid option for --sort"),
        ("ps --format '{{.Names}} {{.Networks}}'", "can't evaluate field Networks in type shared.PsContainerOutput"),
        ("ps --format '{{json .RunningFor}}'", "can't evaluate field RunningFor"),
    ],
)
def test_newer_values_of_ps_are_refused(line: str, words: str) -> None:
    assert words in refused(line)


@pytest.mark.parametrize("line", ["cp galera:/etc/my.cnf -", "cp - galera:/tmp", "container cp --pause=false a:/b -"])
def test_a_stream_that_it_would_not_write_whole_is_refused(line: str) -> None:
    assert "no whole tar stream" in refused(line)


@pytest.mark.parametrize("line", ["cp galera:/a /b", "cp --pause /b galera:/a", "cp --extract=true /b galera:/a"])
def test_a_copy_that_would_pause_the_container_is_refused(line: str) -> None:
    assert "pauses the container" in refused(line)
