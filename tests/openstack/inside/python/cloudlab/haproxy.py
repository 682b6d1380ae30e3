"""A load balancer as an haproxy: its configuration from Octavia's data, what it says of its servers."""

import csv
import socket
from pathlib import Path
from typing import Any

from .members import run

RUN = Path("/run/octavia")
_BALANCE = {"ROUND_ROBIN": "roundrobin", "LEAST_CONNECTIONS": "leastconn", "SOURCE_IP": "source"}
_GOING = "PENDING_DELETE"


def live(things: list[Any]) -> list[Any]:
    """Returns what is not about to be deleted and not switched off, in a firm order."""
    return sorted((thing for thing in things if thing.provisioning_status != _GOING and thing.enabled), key=_id)


def _id(thing: Any) -> str:
    return str(thing.id)


def monitor(pool: Any) -> Any | None:
    """Returns a pool's health monitor, if it has one that stays."""
    found = pool.health_monitor
    return found if found and found.provisioning_status != _GOING and found.enabled else None


def configuration(balancer: Any) -> str:
    """Returns what haproxy runs with; an empty string if it has nothing to listen to."""
    listeners = live(balancer.listeners)
    if not listeners or not balancer.enabled:
        return ""
    folder = RUN / balancer.id
    lines = [
        "global",
        f"  stats socket {folder}/stats mode 600 level admin expose-fd listeners",
        f"  server-state-file {folder}/state",
        "  maxconn 1000",
        "  hard-stop-after 30s",
        "defaults",
        "  load-server-state-from-file global",
        # A connection that fails goes to another server, so that a member can go without a client's noticing.
        "  retries 3",
        "  option redispatch 1",
        "  timeout connect 3s",
        "  timeout client 30s",
        "  timeout server 30s",
    ]
    for listener in listeners:
        lines += _frontend(listener, balancer.vip.ip_address)
    for pool in live(balancer.pools):
        lines += _backend(pool)
    return "\n".join(lines) + "\n"


def _mode(protocol: str) -> str:
    return "http" if protocol == "HTTP" else "tcp"


def _frontend(listener: Any, address: str) -> list[str]:
    lines = [f"frontend {listener.id}", f"  mode {_mode(listener.protocol)}"]
    lines.append(f"  bind {address}:{listener.protocol_port}")
    pool = listener.default_pool
    return [*lines, f"  default_backend {pool.id}"] if pool and live([pool]) else lines


def _backend(pool: Any) -> list[str]:
    lines = [f"backend {pool.id}", f"  mode {_mode(pool.protocol)}"]
    lines.append(f"  balance {_BALANCE.get(pool.lb_algorithm, 'roundrobin')}")
    check = ""
    if found := monitor(pool):
        if found.type == "HTTP":
            lines.append(f"  option httpchk {found.http_method} {found.url_path}")
            lines.append(f"  http-check expect status {found.expected_codes}")
        lines.append(f"  timeout check {found.timeout}s")
        check = f" check inter {found.delay}s fall {found.fall_threshold} rise {found.rise_threshold}"
    for member in live(pool.members):
        address = f"{member.ip_address}:{member.protocol_port}"
        lines.append(f"  server {member.id} {address} weight {member.weight}{check}")
    return lines


def states(balancer: Any) -> str:
    """Returns the file from which a new haproxy takes what the one before it knew of its servers.

    A server that the one before did not have begins as down and has to pass its checks first. Without this, haproxy
    would send requests to it until they have failed.
    """
    known = {line.split()[3]: line for line in _ask(balancer.id, "show servers state").splitlines()[2:] if line}
    lines = ["1", _HEADER]
    for pool in live(balancer.pools):
        if monitor(pool):
            lines += [known.get(member.id) or _down(pool, member) for member in live(pool.members)]
    return "\n".join(lines) + "\n"


_HEADER = (
    "# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight "
    "srv_time_since_last_change srv_check_status srv_check_result srv_check_health srv_check_state srv_agent_state "
    "bk_f_forced_id srv_f_forced_id srv_fqdn srv_port srvrecord srv_use_ssl srv_check_port srv_check_addr "
    "srv_agent_addr srv_agent_port"
)


def _down(pool: Any, member: Any) -> str:
    weight = member.weight
    # Operation 0: stopped; no check has been made yet (1 0 0), checks are configured and on (6).
    return (
        f"0 {pool.id} 0 {member.id} {member.ip_address} 0 0 {weight} {weight} 0 1 0 0 6 0 0 0 - "
        f"{member.protocol_port} - 0 0 - - 0"
    )


def apply(balancer_id: str, text: str, state: str) -> None:
    """Makes haproxy run with a configuration; connections that are open stay with the process that has them."""
    folder = RUN / balancer_id
    unit = f"haproxy@{balancer_id}.service"
    if not text:
        run("systemctl", "stop", unit)
        (folder / "haproxy.cfg").unlink(missing_ok=True)
        return
    (folder / "state").write_text(state)
    (folder / "haproxy.cfg").write_text(text)
    run("systemctl", "reload-or-restart", unit)


def applied(balancer_id: str) -> str:
    """Returns the configuration that haproxy runs with."""
    path = RUN / balancer_id / "haproxy.cfg"
    return path.read_text() if path.exists() else ""


def operating(balancer_id: str) -> dict[str, str]:
    """Returns the operating status of each server, by its name, in Octavia's words."""
    rows = csv.DictReader(_ask(balancer_id, "show stat -1 4 -1").lstrip("# ").splitlines())
    return {row["svname"]: _word(row["status"], row["check_status"]) for row in rows}


def _word(status: str, check: str) -> str:
    if status == "no check":
        return "NO_MONITOR"
    if status.startswith("UP"):
        return "ONLINE"
    # INI: not checked yet. An asterisk marks a check that is on its way.
    return "OFFLINE" if check.lstrip("* ") in ("", "INI") else "ERROR"


def _ask(balancer_id: str, question: str) -> str:
    """Returns what haproxy answers; nothing if it is off."""
    path = RUN / balancer_id / "stats"
    try:
        with socket.socket(socket.AF_UNIX) as stats:
            stats.settimeout(5)
            stats.connect(str(path))
            stats.sendall(question.encode() + b"\n")
            return b"".join(iter(lambda: stats.recv(65536), b"")).decode()
    except (FileNotFoundError, ConnectionRefusedError):
        return ""
