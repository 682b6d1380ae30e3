"""What `make bench` runs: enough rounds that a ratio near 1 means something."""

from tests.benchmarks.__main__ import CONTENDERS, Part, parts


def test_everybody_runs() -> None:
    assert {name for part in parts(None, None, None) for name in part.names} == set(CONTENDERS)


def test_the_flow_meets_the_bare_script_in_five_rounds_of_the_small_database_and_three_of_the_large() -> None:
    rounds = {part.size_mb: part.rounds for part in parts(None, None, None) if "bare" in part.names}
    assert rounds == {20: 5, 1024: 3}


def test_one_contender_runs_as_often_as_is_said() -> None:
    assert parts(["bare"], None, None) == [Part(("bare",), 1024, 1)]
    assert parts(["bare", "adopt"], 20, 7) == [Part(("bare", "adopt"), 20, 7)]


def test_a_size_holds_for_all_that_would_run() -> None:
    assert {part.size_mb for part in parts(None, 20, None)} == {20}
