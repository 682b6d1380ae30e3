"""Pacemaker: what the cluster says of the Galera bundle, and who is in charge of it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

from blocks.remote.command import Command, question, script
from blocks.remote.errors import HostError
from blocks.remote.shell import Shell
from tasks.engine.change import Change, Wait

# Pacemaker 2.1 says Promoted where 1.1 and 2.0 said Master.
_PROMOTED = {"Promoted", "Master"}
# The agent's own default, and the path that the document starts MariaDB with (BR 4.4, steps 17 and 20).
_AGENT_PID = "/var/run/mysql/mysqld.pid"


@dataclass(frozen=True)
class Bundle:
    """A bundle as `crm_mon` sees it.

    Attributes:
        name: The resource's name.
        promoted: How many replicas are promoted, seen through a connection that stands: while Pacemaker connects to a
            container that was restarted behind its back, it shows what it knew of the one before.
        replicas: How many there are.
        blocked: Replicas that Pacemaker has given up on.
        connected: Replicas whose container Pacemaker can speak with.
        running: Names of the containers that Pacemaker believes to run.
    """

    name: str
    promoted: int
    replicas: int
    blocked: int
    connected: int
    running: frozenset[str]


def parse_bundle(host: str, xml: str, name: str) -> Bundle:
    """Find a bundle in the output of `crm_mon --as-xml` (Pacemaker 1.1 to 2.1).

    Raises:
        HostError: It is not there, or the text is no XML.
    """
    try:
        root = ElementTree.fromstring(xml)  # noqa: S314 - Pacemaker's own, over pinned SSH
    except ElementTree.ParseError as error:
        raise HostError(host, f"crm_mon wrote no XML: {error}", "is Pacemaker running? `pcs status`") from error
    for bundle in root.iter("bundle"):
        if bundle.get("id") == name:
            replicas = [_parse_replica(replica) for replica in bundle.iter("replica")]
            return Bundle(
                name=name,
                promoted=sum(one.promoted and one.connected for one in replicas),
                replicas=len(replicas),
                blocked=sum(one.blocked for one in replicas),
                connected=sum(one.connected for one in replicas),
                running=frozenset(one.container for one in replicas if one.running),
            )
    known = sorted(bundle.get("id", "?") for bundle in root.iter("bundle"))
    raise HostError(
        host,
        f"Pacemaker has no bundle {name!r}; its bundles are {', '.join(known) or 'none'}",
        "set database.resource in the site file",
    )


@dataclass(frozen=True)
class _Replica:
    container: str
    running: bool
    promoted: bool
    blocked: bool
    connected: bool


def _parse_replica(replica: ElementTree.Element) -> _Replica:
    resources = list(replica.iter("resource"))

    def of(*agents: str) -> list[ElementTree.Element]:
        return [one for one in resources if one.get("resource_agent", "").endswith(agents)]

    galera, remote, container = of(":galera"), of(":remote"), of(":podman", ":docker")
    return _Replica(
        container=next((one.get("id", "") for one in container), ""),
        running=any(_started(one) for one in container),
        promoted=any(one.get("role") in _PROMOTED and one.get("failed") != "true" for one in galera),
        blocked=any(one.get("blocked") == "true" for one in galera),
        connected=any(_started(one) for one in remote),
    )


def _started(resource: ElementTree.Element) -> bool:
    return resource.get("role") == "Started" and resource.get("failed") != "true"


def read_bundle(shell: Shell, name: str) -> Bundle:
    """Ask Pacemaker for a bundle.

    Raises:
        HostError: Pacemaker does not run, or has no such bundle.
    """
    return parse_bundle(shell.name, run_crm_mon(shell), name)


def run_crm_mon(shell: Shell) -> str:
    """Ask Pacemaker for its status, as XML.

    Raises:
        HostError: Pacemaker does not run.
    """
    answer = shell.run(question("crm_mon", "--as-xml", ok=tuple(range(256))))
    if answer.exit_code != 0:
        raise HostError(
            shell.name,
            f"Pacemaker does not answer (crm_mon: exit code {answer.exit_code})",
            "start the cluster first: `pcs cluster start --all`",
        )
    return answer.stdout


def parse_galera_pid(xml: str) -> str:
    """Find the pid file that the Galera resource is configured with; the agent's default where none is set."""
    if not xml.strip():
        return _AGENT_PID
    for pair in ElementTree.fromstring(xml).iter("nvpair"):  # noqa: S314 - Pacemaker's own, over pinned SSH
        if pair.get("name") == "pid" and pair.get("value"):
            return str(pair.get("value"))
    return _AGENT_PID


def read_galera_pid(shell: Shell) -> str:
    """Read the resource's pid file from the CIB."""
    ask = question("cibadmin", "--query", "--xpath", "//primitive[@type='galera']/instance_attributes", ok=(0, 105))
    return parse_galera_pid(shell.run(ask).stdout)


# What is waited for is what concerns the bundle: its own operations that are under way (in the CIB as pending) or that Pacemaker
# would begin next, a host that is to be fenced, a node that joins. Pacemaker's own wait (`crm_resource --wait`) is of no use
# where databases have just been lost: seen to last until its bound in a cluster that had been idle for two minutes. Nor is it
# waited for what other resources do, which may go on for ever: where only they keep Pacemaker busy, ten quiet looks will do.
# None of these questions may last: where nobody decides, they have no answer for half a minute each.
_SETTLE = r"""
bundle=$1 until=$((SECONDS + $2))
query() { timeout 5 cibadmin --query --xpath "$1" 2>/dev/null; }
database=$(query "//bundle[@id='$bundle']/primitive" | sed -nE 's/.*<primitive( [^>]*)? id="([^"]*)".*/\2/p') || database=
ids="^($bundle|${database:-$bundle})([:_-].*)?$"
under_way() {
  query "//lrm_rsc_op[@op-status='-1']" | sed -nE 's/.*<lrm_rsc_op( [^>]*)? id="([^"]*)".*/\2/p' | grep -E "$ids" >/dev/null
}
plans_nothing() {
  timeout 5 crm_simulate -L -S 2>/dev/null |
    awk -v ids="$ids" '/^Revised/ { whole = 1 } /^ *\* Fencing / { plans = 1 }
      /^ *\* (Resource|Pseudo|Cluster) action/ { sub(/^[^:]*: */, ""); if ($1 ~ ids) plans = 1 }
      END { exit !whole || plans }'
}
quiet=0
while [ "$SECONDS" -lt "$until" ]; do
  dc=$(timeout 2 crmadmin -D 2>/dev/null | grep -oE '[^ ]+$') || dc=
  state=$([ -z "$dc" ] || timeout 2 crmadmin -S "$dc" 2>&1) || :
  if ! under_way && plans_nothing; then
    quiet=$((quiet + 1))
    case $state in *S_IDLE*) exit 0;; *S_TRANSITION_ENGINE*) [ "$quiet" -lt 10 ] || exit 0;; esac
  else
    quiet=0
  fi
  sleep 0.2
done
echo "Pacemaker still works on $bundle"
"""


def unmanage(name: str, settle_s: float) -> Change:
    """Take the bundle out of Pacemaker's hands, and let it end what it has under way.

    A start or a promotion whose container is taken away blocks Pacemaker until that operation's time is over, and it would
    not see the new cluster before. Where it does not settle in time, the run goes on: that costs time, and nothing else.

    What `crm_mon` shows as pending is not enough: a controller that had lost power was still coming back, and Pacemaker
    started the new database anew. What is planned counts, too.
    """
    settle = script(_SETTLE, name, str(round(settle_s)), timeout_s=settle_s + 40, ok=tuple(range(256)), quiet=True)
    return Change(
        (Command(("pcs", "resource", "unmanage", name)), settle),
        already=lambda shell: _charge(shell, name) == _UNMANAGED,
        until=Wait("the bundle", _UNMANAGED, lambda shell: _charge(shell, name), 30),
    )


def see_container(name: str, container: str, within_s: float) -> Change:
    """Let Pacemaker look again at a container that it believes to be stopped.

    It goes on looking once a minute at what it does not manage. If it looked while the container was stopped, and gets the
    bundle back before it has looked again, it starts the container anew, and the database in it with it.

    Args:
        name: The bundle.
        container: The container, which Pacemaker's resource shares its name with.
        within_s: Seconds until Pacemaker must have seen that it runs.
    """

    def seen(shell: Shell) -> str:
        return _RUNNING if container in read_bundle(shell, name).running else "stopped"

    return Change(
        (Command(("crm_resource", "--refresh", "--resource", container), ok=(0, 1), quiet=True),),
        already=lambda shell: seen(shell) == _RUNNING,
        until=Wait(f"container {container}, as Pacemaker sees it,", _RUNNING, seen, within_s),
    )


_RUNNING = "running"


def manage(name: str, within_s: float) -> Change:
    """Give the bundle back to Pacemaker, and wait until it has promoted every replica."""
    return Change(
        (Command(("pcs", "resource", "manage", name)),),
        already=lambda shell: _charge(shell, name) == _MANAGED,
        until=all_promoted(name, within_s),
    )


def manage_again(name: str, within_s: float) -> Change:
    """Give the bundle back and wait until Pacemaker has found its way into every container.

    The containers were restarted behind its back, so their connections are lost; asked to refresh before they are back, it
    would wait a minute for replies that do not come.
    """
    connected = Wait(f"{name}'s connections", _CONNECTED, lambda shell: _connections(shell, name), within_s)
    return Change(
        (Command(("pcs", "resource", "manage", name)),),
        already=lambda shell: _charge(shell, name) == _MANAGED,
        until=connected,
    )


def adopt(name: str, within_s: float) -> Change:
    """Wait until Pacemaker, connected to the containers again, has found the cluster that was formed by hand.

    Args:
        name: The bundle.
        within_s: Seconds until every replica must be promoted.
    """
    return Change((), until=all_promoted(name, within_s))


def refresh(name: str, within_s: float) -> Change:
    """Make Pacemaker forget what it knows of the bundle and look again at what runs."""
    # Its exit code says whether all replies came in time; whether it was any use, the promotion says.
    again = Command(("pcs", "resource", "refresh", name), timeout_s=20, ok=(0, 1, 124), quiet=True)
    return Change((again,), already=lambda shell: _promotion(shell, name) == _ALL, until=all_promoted(name, within_s))


_CONNECTED = "all up"


def _connections(shell: Shell, name: str) -> str:
    bundle = read_bundle(shell, name)
    return _CONNECTED if bundle.connected == bundle.replicas else f"{bundle.connected} of {bundle.replicas} up"


_ALL = "all Promoted"


def all_promoted(name: str, within_s: float) -> Wait:
    """Every replica of the bundle is promoted."""
    return Wait(
        name,
        _ALL,
        lambda shell: _promotion(shell, name),
        within_s,
        "see `pcs status` and the container's /var/log/mysql/mysqld.log; `pcs resource cleanup` clears old failures",
    )


def _promotion(shell: Shell, name: str) -> str:
    bundle = read_bundle(shell, name)
    return _ALL if bundle.promoted == bundle.replicas else f"{bundle.promoted} of {bundle.replicas} Promoted"


def is_healthy(shell: Shell, name: str) -> bool:
    """Whether Pacemaker is in charge of the bundle and has promoted every replica."""
    return _health(shell, name) == _HEALTHY


def check_health(name: str, within_s: float) -> Change:
    """Look until Pacemaker is in charge of the bundle and has promoted every replica."""
    hint = "see `pcs status`; `pcs resource cleanup` clears old failures"
    return Change((), until=Wait(name, _HEALTHY, lambda shell: _health(shell, name), within_s, hint))


_HEALTHY = "managed and all Promoted"


def _health(shell: Shell, name: str) -> str:
    return f"{_charge(shell, name)} and {_promotion(shell, name)}"


_MANAGED, _UNMANAGED = "managed", "unmanaged"


def parse_charge(xml: str) -> str:
    """Whether a bundle's part of the CIB says that Pacemaker is in charge of it and of what runs in it.

    `crm_mon` can't tell: a replica that Pacemaker has given up on (on-fail=block) is "unmanaged" there, too.
    """
    pairs = ElementTree.fromstring(xml).iter("nvpair")  # noqa: S314 - Pacemaker's own, over pinned SSH
    given_up = any(pair.get("name") == "is-managed" and pair.get("value") == "false" for pair in pairs)
    return _UNMANAGED if given_up else _MANAGED


def parse_wanted_role(xml: str) -> str:
    """What role somebody has set for a bundle or for its database (`pcs resource disable` sets Stopped); empty for none."""
    pairs = ElementTree.fromstring(xml).iter("nvpair")  # noqa: S314 - Pacemaker's own, over pinned SSH
    return next((pair.get("value", "") for pair in pairs if pair.get("name") == "target-role"), "")


def read_in_cib(shell: Shell, name: str) -> str:
    """Ask for a bundle's part of the CIB, as XML."""
    return shell.run(question("cibadmin", "--query", "--xpath", f"//bundle[@id='{name}']")).stdout


def is_managed(shell: Shell, name: str) -> bool:
    """Whether Pacemaker is in charge of the bundle."""
    return _charge(shell, name) == _MANAGED


def _charge(shell: Shell, name: str) -> str:
    return parse_charge(read_in_cib(shell, name))
