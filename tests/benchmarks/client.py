"""A client of the cloud's database: it asks at the virtual IP ten times a second, and knows how long nobody answered."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

from tests.lab import Lab, LabError

_HOST = "undercloud"
_UNIT, _OPTIONS, _ANSWERS = "benchmark-client", "/run/benchmark-client.cnf", "/run/benchmark-client.answers"
_ASK = f"timeout 2 mysql --defaults-file={_OPTIONS} -NBe 'SELECT 1' > /dev/null 2>&1 && date +%s.%N >> {_ANSWERS}"

_NEXT_ANSWER = f"""
seen=$(wc -l < {_ANSWERS})
for _ in $(seq 600); do
  [ "$(wc -l < {_ANSWERS})" -gt "$seen" ] && exit
  sleep 0.1
done
exit 1
"""


class Client:
    """A client at work.

    Attributes:
        outage_s: The longest time between two answers; known when it has ended.
    """

    outage_s = 0.0


@contextmanager
def client_at_the_vip(lab: Lab) -> Iterator[Client]:
    """A service that asks all the time, as keystone.

    Raises:
        LabError: It got no answer at all.
    """
    options = f"[client]\nhost={lab.vip}\nuser=keystone\npassword={lab.passwords['keystone']}\nconnect-timeout=1\n"
    lab.exec(_HOST, f"umask 077; cat > {_OPTIONS}; rm -f {_ANSWERS}", input=options)
    asking = f"while :; do {_ASK}; sleep 0.1; done"
    lab.exec(_HOST, ["systemd-run", "--quiet", "--collect", f"--unit={_UNIT}", "bash", "-c", asking])
    client = Client()
    try:
        yield client
        # The first answer after the switch may be yet to come.
        lab.exec(_HOST, _NEXT_ANSWER)
        client.outage_s = _longest_gap(lab.exec(_HOST, ["cat", _ANSWERS]).stdout)
    finally:
        lab.exec(_HOST, f"systemctl stop {_UNIT}; rm -f {_OPTIONS} {_ANSWERS}")


def _longest_gap(answers: str) -> float:
    times = [float(line) for line in answers.split()]
    if len(times) < 2:
        raise LabError("no database has answered at the virtual IP")
    return max(after - before for before, after in pairwise(times))
