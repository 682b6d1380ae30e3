"""The window of Prometheus's rate in the templates: a steady load is seen as steady, wherever polls, scrapes and windows begin."""

from __future__ import annotations

import pytest

from tasks.heat.templates import EXAMPLES, Era, Example, read_template

POLLING_S, SCRAPE_S = 60, 30


def rate_percent(window_s: int, polled_at: int, scraped_at: int, now: int) -> float:
    """What `rate` makes of a load of 50 % of one vCPU.

    Prometheus (promql/functions.go, extrapolatedRate) takes the difference between the last and the first sample in the window, and
    where these are about as far from its ends as samples are apart, divides by the time between them.

    Args:
        window_s: Of the rate.
        polled_at: Second within each polling interval at which Ceilometer polls.
        scraped_at: Second within each scrape interval at which Prometheus scrapes.
        now: When it is asked.
    """
    scrapes = [at for at in range(now - window_s + 1, now + 1) if at % SCRAPE_S == scraped_at]
    counter = {at: 0.5 * ((at - polled_at) // POLLING_S * POLLING_S + polled_at) for at in scrapes}
    return 100 * (counter[scrapes[-1]] - counter[scrapes[0]]) / (scrapes[-1] - scrapes[0])


def seen(window_s: int) -> set[float]:
    phases = [(polled, scraped) for polled in range(0, POLLING_S, 7) for scraped in range(0, SCRAPE_S, 3)]
    return {rate_percent(window_s, *phase, now) for phase in phases for now in range(1000, 1000 + POLLING_S)}


@pytest.mark.parametrize("example", list(Example))
def test_the_default_window_holds_as_many_polls_at_every_moment(example: Example) -> None:
    template = read_template(EXAMPLES / Era.PROMETHEUS / f"{example}.yaml").template
    window_s = template["parameters"]["rate_window"]["default"]
    assert window_s == 2 * POLLING_S + SCRAPE_S
    assert seen(window_s) == {50}


@pytest.mark.parametrize("window_s", [120, 180])
def test_other_windows_show_a_steady_load_as_one_that_goes_up_and_down(window_s: int) -> None:
    assert min(seen(window_s)) < 50 < max(seen(window_s))
