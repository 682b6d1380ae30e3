"""Changes that Pacemaker makes: who is in charge of a bundle, what has been begun with it, what is looked at again."""

from __future__ import annotations

from blocks.remote.command import Command, script
from blocks.remote.shell import Shell
from tasks.engine.change import Change, Wait
from tasks.node.bundle import ALL_PROMOTED, HEALTHY, MANAGED, UNMANAGED, health, managed_state, promotion, read_bundle

_CLEANUP_HINT = "see `pcs status`; `pcs resource cleanup` clears old failures"


def unmanage(name: str) -> Change:
    """Take the bundle out of Pacemaker's hands. What it has begun with it goes on."""
    return Change(
        (Command(("pcs", "resource", "unmanage", name)),),
        already=lambda shell: managed_state(shell, name) == UNMANAGED,
        until=Wait("the bundle", UNMANAGED, lambda shell: managed_state(shell, name), 30),
    )


# What is waited for is what concerns the bundle: its own operations that are under way (in the CIB as pending) or that Pacemaker
# would begin next, a host that is to be fenced, a node that joins. Pacemaker's own wait (`crm_resource --wait`) is of no use
# where databases have just been lost: seen to last until its bound in a cluster that had been idle for two minutes. Nor is it
# waited for what other resources do, which may go on for ever: where only they keep Pacemaker busy, ten quiet looks will do.
# The end of a monitor may stay planned in a cluster that is idle, where the monitor's failure came in after the end of it.
# None of these questions may last: where nobody decides, they have no answer for half a minute each.
# The resource agent runs in the container, where this host sees its process; a container that does not run has the number 0.
_SETTLE = r"""
bundle=$1 container=$2 patience=$3 until=$((SECONDS + $4))
init=$(podman inspect --type=container --format '{{.State.Pid}}' "$container")
query() { timeout 5 cibadmin --query --xpath "$1" 2>/dev/null; }
database=$(query "//bundle[@id='$bundle']/primitive" | sed -nE 's/.*<primitive( [^>]*)? id="([^"]*)".*/\2/p') || database=
ids="^($bundle|${database:-$bundle})([:_-].*)?$"
under_way() {
  query "//lrm_rsc_op[@op-status='-1']" | sed -nE 's/.*<lrm_rsc_op( [^>]*)? id="([^"]*)".*/\2/p' | grep -E "$ids" >/dev/null
}
plans_nothing() {
  timeout 5 crm_simulate -L -S 2>/dev/null |
    awk -v ids="$ids" '/^Revised/ { whole = 1 } /^ *\* Fencing / { plans = 1 }
      /^ *\* (Resource|Pseudo|Cluster) action/ { sub(/^[^:]*: */, ""); if ($1 ~ ids && $2 !~ /^cancel=/) plans = 1 }
      END { exit !whole || plans }'
}
starts() { [ "$init" = 0 ] || pgrep --ns "$init" --nslist pid --full '/heartbeat/galera (start|promote)$'; }
quiet=0 since=
while [ "$SECONDS" -lt "$until" ]; do
  dc=$(timeout 2 crmadmin -D 2>/dev/null | grep -oE '[^ ]+$') || dc=
  state=$([ -z "$dc" ] || timeout 2 crmadmin -S "$dc" 2>&1) || :
  if ! under_way && plans_nothing; then
    quiet=$((quiet + 1))
    case $state in *S_IDLE*) exit 0;; *S_TRANSITION_ENGINE*) [ "$quiet" -lt 10 ] || exit 0;; esac
  else
    quiet=0
    mapfile -t agents < <(starts)
    if [ "${#agents[@]}" = 0 ]; then since=; else since=${since:-$SECONDS}; fi
    if [ -n "$since" ] && [ "$((SECONDS - since))" -ge "$patience" ]; then kill -TERM "${agents[@]}" || :; fi
  fi
  sleep 0.2
done
echo "Pacemaker still works on $bundle"
"""


def settle(name: str, container: str, patience_s: int, within_s: int) -> Change:
    """Wait until Pacemaker has ended what it has under way with the bundle and plans nothing; end what would last.

    A start or a promotion whose container is taken away blocks Pacemaker until that operation's time is over, two to five
    minutes, and it would not see the new cluster before. Nor do they all end by themselves: a database that was lost a moment
    before the others is started as a member of their cluster, and waits for them.

    What `crm_mon` shows as pending is not enough: a controller that had lost power was still coming back, and Pacemaker
    started the new database anew. What is planned counts, too. Where it does not settle in time, the run goes on: that costs
    time, and nothing else.

    Args:
        name: The bundle.
        container: The bundle's container on this host.
        patience_s: Seconds that a start or a promotion in it may take before it is ended.
        within_s: Seconds until the run goes on.
    """
    words = (name, container, str(patience_s), str(within_s))
    return Change((script(_SETTLE, *words, timeout_s=within_s + 40, quiet=True),))


def refresh_container(name: str, container: str, within_s: float) -> Change:
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


def manage_until_promoted(name: str, within_s: float) -> Change:
    """Give the bundle back to Pacemaker, and wait until it has promoted every replica."""
    return Change(
        (Command(("pcs", "resource", "manage", name)),),
        already=lambda shell: managed_state(shell, name) == MANAGED,
        until=all_promoted(name, within_s),
    )


def manage_until_connected(name: str, within_s: float) -> Change:
    """Give the bundle back and wait until Pacemaker has found its way into every container.

    The containers were restarted behind its back, so their connections are lost; asked to refresh before they are back, it
    would wait a minute for replies that do not come.
    """
    connected = Wait(f"{name}'s connections", _CONNECTED, lambda shell: _connections(shell, name), within_s)
    return Change(
        (Command(("pcs", "resource", "manage", name)),),
        already=lambda shell: managed_state(shell, name) == MANAGED,
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
    ask = Command(("pcs", "resource", "refresh", name), timeout_s=20, ok=(0, 1, 124), quiet=True)
    promoted = all_promoted(name, within_s)
    return Change((ask,), already=lambda shell: promoted.look(shell) == promoted.wanted, until=promoted)


_CONNECTED = "all up"


def _connections(shell: Shell, name: str) -> str:
    bundle = read_bundle(shell, name)
    return _CONNECTED if bundle.connected == bundle.replicas else f"{bundle.connected} of {bundle.replicas} up"


def all_promoted(name: str, within_s: float) -> Wait:
    """Every replica of the bundle is promoted."""
    return Wait(
        name,
        ALL_PROMOTED,
        lambda shell: promotion(read_bundle(shell, name)),
        within_s,
        "see `pcs status` and the container's /var/log/mysql/mysqld.log; `pcs resource cleanup` clears old failures",
    )


def check_health(name: str, within_s: float) -> Change:
    """Look until Pacemaker is in charge of the bundle and has promoted every replica."""
    return Change((), until=Wait(name, HEALTHY, lambda shell: health(shell, name), within_s, _CLEANUP_HINT))
