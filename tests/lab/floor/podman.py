"""What podman 1.6.4 knows: its commands, their flags, and some of their values. RHEL 8.2 has this version.

Read in the sources of v1.6.4, `cmd/podman/*.go`. Of `build`, which takes its flags from buildah, nothing is let through.
"""

from __future__ import annotations

from .flags import Flags
from .refusal import Refusal
from .tables import words

_GLOBAL = """
    cgroup-manager= cpu-profile= config= conmon= network-cmd-path= cni-config-dir= default-mounts-file= events-backend=
    help hooks-dir= log-level= max-workers~ namespace= root= runroot= runtime= storage-driver= storage-opt= syslog tmpdir=
    trace
"""
_CREATE = """
    add-host= annotation= attach=/a authfile= blkio-weight= blkio-weight-device= cap-add= cap-drop= cgroupns= cgroups=
    cgroup-parent= cidfile= conmon-pidfile= cpu-period# cpu-quota~ cpu-rt-period# cpu-rt-runtime~ cpu-shares# cpus=
    cpuset-cpus= cpuset-mems= detach/d detach-keys= device= device-read-bps= device-read-iops= device-write-bps=
    device-write-iops= dns= dns-opt= dns-search= entrypoint= env=/e env-host env-file= expose= gidmap= group-add=
    health-cmd= health-interval= health-retries# health-start-period= health-timeout= hostname=/h http-proxy image-volume=
    init init-path= interactive/i ip= ipc= kernel-memory= label=/l label-file= log-driver= log-opt= mac-address= memory=/m
    memory-reservation= memory-swap= memory-swappiness~ mount= name= net= network= no-hosts oom-kill-disable oom-score-adj~
    override-arch= override-os= pid= pids-limit~ pod= privileged publish=/p publish-all/P pull= quiet/q read-only
    read-only-tmpfs restart= rm rootfs security-opt= shm-size= stop-signal= stop-timeout# storage-opt= subgidname=
    subuidname= sysctl= systemd= tmpfs= tty/t uidmap= ulimit= user=/u userns= uts= volume=/v volumes-from= workdir=/w
"""
_REGISTRY = "authfile= cert-dir= signature-policy= tls-verify"
_ALL_OR_LATEST = "all/a latest/l"
_IMAGES = "all/a digests filter=/f format= noheading/n no-trunc quiet/q sort="
_PS = """
    all/a filter=/f format= last~/n latest/l namespace ns no-trunc pod/p quiet/q size/s sort= sync watch#/w
"""
_POD_PS = """
    ctr-names ctr-ids ctr-status filter=/f format= latest/l namespace ns no-trunc quiet/q sort=
"""
# Commands that are the same at the top and below `container`.
_OF_CONTAINERS = {
    "attach": "detach-keys= no-stdin sig-proxy latest/l",
    "commit": "change=/c format=/f message=/m author=/a pause/p quiet/q include-volumes",
    "cp": "extract pause",
    "create": _CREATE,
    "diff": "archive format= latest/l",
    "exec": "detach-keys= env=/e interactive/i latest/l privileged tty/t user=/u preserve-fds~ workdir=/w",
    "export": "output=/o",
    "init": _ALL_OR_LATEST,
    "kill": f"signal=/s {_ALL_OR_LATEST}",
    "logs": "details follow/f latest/l since= tail# timestamps/t",
    "mount": f"format= notruncate {_ALL_OR_LATEST}",
    "pause": "all/a",
    "port": _ALL_OR_LATEST,
    "refresh": "",
    "restart": f"running timeout#/t time# {_ALL_OR_LATEST}",
    "rm": f"force/f storage volumes/v {_ALL_OR_LATEST}",
    "run": f"sig-proxy {_CREATE}",
    "start": "attach/a detach-keys= interactive/i latest/l sig-proxy",
    "stats": f"format= no-reset no-stream {_ALL_OR_LATEST}",
    "stop": f"time# timeout#/t {_ALL_OR_LATEST}",
    "top": "list-descriptors latest/l",
    "umount": f"force/f {_ALL_OR_LATEST}",
    "unmount": f"force/f {_ALL_OR_LATEST}",
    "unpause": "all/a",
    "wait": "interval#/i latest/l",
}
# Commands that are the same at the top and below `image`.
_OF_IMAGES = {
    "history": "format= human/H no-trunc quiet/q",
    "import": "change=/c message=/m quiet/q",
    "load": "input=/i quiet/q signature-policy=",
    "pull": f"all-tags creds= quiet/q override-arch= override-os= {_REGISTRY}",
    "push": f"creds= digestfile= format=/f quiet/q remove-signatures sign-by= compress {_REGISTRY}",
    "save": "compress format= output=/o quiet/q",
    "sign": "directory=/d sign-by= cert-dir=",
    "tag": "",
}
_COMMANDS = {
    **_OF_CONTAINERS,
    **{name: flags for name, flags in _OF_IMAGES.items() if name != "sign"},
    "events": "filter= format= stream since= until=",
    "help": "",
    "images": _IMAGES,
    "info": "debug/D format=/f",
    "inspect": "format=/f type=/t latest/l size/s",
    "login": "get-login password=/p username=/u password-stdin authfile= cert-dir= tls-verify",
    "logout": "all/a authfile=",
    "ps": _PS,
    "rmi": "all/a force/f",
    "search": "filter=/f format= limit~ no-trunc authfile= tls-verify",
    "unshare": "",
    "varlink": "timeout~/t",
    "version": "format=/f",
}
_GROUPS = {
    "container": {
        **_OF_CONTAINERS,
        "checkpoint": f"keep/k leave-running/R tcp-established export=/e ignore-rootfs {_ALL_OR_LATEST}",
        "cleanup": f"rm {_ALL_OR_LATEST}",
        "exists": "",
        "inspect": "format=/f latest/l size/s",
        "list": _PS,
        "ls": _PS,
        "prune": "force/f",
        "restore": "keep/k tcp-established import=/i name=/n ignore-rootfs ignore-static-ip " + _ALL_OR_LATEST,
        "runlabel": f"creds= display replace name= opt1= opt2= opt3= pull/p quiet/q {_REGISTRY}",
    },
    "generate": {
        "kube": "service/s filename=/f",
        "systemd": "name/n files/f timeout~/t restart-policy=",
    },
    "healthcheck": {"run": ""},
    "image": {
        **_OF_IMAGES,
        "exists": "",
        "inspect": "format=/f",
        "list": _IMAGES,
        "ls": _IMAGES,
        "prune": "all/a",
        "rm": "all/a force/f",
        "tree": "whatrequires",
    },
    "network": {
        "create": "driver=/d gateway= internal ip-range= subnet= disable-dns",
        "inspect": "",
        "ls": "quiet/q",
        "rm": "force/f",
    },
    "play": {"kube": f"creds= quiet/q {_REGISTRY}"},
    "pod": {
        "create": """
            cgroup-parent= infra infra-image= infra-command= label-file= label=/l name=/n hostname= pod-id-file=
            publish=/p share=
        """,
        "exists": "",
        "inspect": "latest/l",
        "kill": f"signal=/s {_ALL_OR_LATEST}",
        "list": _POD_PS,
        "ls": _POD_PS,
        "pause": _ALL_OR_LATEST,
        "prune": "force/f",
        "ps": _POD_PS,
        "restart": _ALL_OR_LATEST,
        "rm": f"force/f {_ALL_OR_LATEST}",
        "start": _ALL_OR_LATEST,
        "stats": f"format= no-stream no-reset {_ALL_OR_LATEST}",
        "stop": f"timeout#/t {_ALL_OR_LATEST}",
        "top": "latest/l list-descriptors",
        "unpause": _ALL_OR_LATEST,
    },
    "system": {
        "df": "verbose/v format=",
        "info": "debug/D format=/f",
        "migrate": "new-runtime=",
        "prune": "all/a force/f volumes",
        "renumber": "",
    },
    "volume": {
        "create": "driver= label=/l opt=/o",
        "inspect": "all/a format=/f",
        "list": "filter=/f format= quiet/q",
        "ls": "filter=/f format= quiet/q",
        "prune": "force/f",
        "remove": "all/a force/f",
        "rm": "all/a force/f",
    },
}
_NOT_INTERSPERSED = ("create", "exec", "logs", "run", "top", "unshare", "pod create", "container create")
_PS_COMMANDS = ("ps", "container list", "container ls")
_PS_FILTERS = ("id", "label", "name", "exited", "status", "ancestor", "before", "since", "volume", "health")
_PS_STATES = ("created", "running", "paused", "stopped", "exited", "unknown")
_PS_SORTS = ("command", "created", "id", "image", "names", "pod", "runningfor", "size", "status")
_PS_FIELDS = words("""
    ID Image Command Created Ports Names IsInfra Status State Pid Size Pod CreatedAt ExitedAt StartedAt Labels PID Cgroup
    IPC MNT NET PIDNS User UTS Mounts
""")


def check(line: list[str]) -> None:
    """Raises Refusal for what podman 1.6.4 would have refused, or have done to somebody's harm."""
    rest, given = Flags(f"{_GLOBAL} version/v", interspersed=False).read(_without_help(line))
    if "version" in given or "help" in given or "-h" in line[:1]:
        return
    if not rest:
        raise _misspelt("podman", "")
    name, rest = rest[0], rest[1:]
    if name in _GROUPS:
        _check_group(name, rest)
    elif name in _COMMANDS:
        _check_command(name, _COMMANDS[name], rest)
    else:
        raise _misspelt("podman", name)


def _check_group(group: str, line: list[str]) -> None:
    rest, given = Flags(_GLOBAL, interspersed=False).read(_without_help(line))
    if "help" in given or "-h" in line[:1]:
        return
    name = rest[0] if rest else ""
    if name not in _GROUPS[group]:
        raise _misspelt(f"podman {group}", name)
    _check_command(f"{group} {name}", _GROUPS[group][name], rest[1:])


def _check_command(name: str, table: str, line: list[str]) -> None:
    own = {word.split("/")[0].rstrip("=#~") for word in table.split()}
    inherited = [word for word in _GLOBAL.split() if word.rstrip("=#~") not in own]
    interspersed = name.removeprefix("container ") not in _NOT_INTERSPERSED
    plain, given = Flags(f"{table} {' '.join(inherited)}", interspersed).read(_without_help(line))
    if name in _PS_COMMANDS:
        _check_ps(given)
    if name.removeprefix("container ") == "cp":
        _check_cp(plain, given)


def _without_help(line: list[str]) -> list[str]:
    """Leaves out a leading -h, which every command knows though it is in no table."""
    return line[1:] if line[:1] == ["-h"] else line


def _check_ps(given: dict[str, list[str]]) -> None:
    for wanted in given.get("filter", []):
        key, sign, value = wanted.partition("=")
        if not sign:
            raise Refusal(f"filter input must be in the form of filter=value: {wanted} is invalid", 125)
        if key not in _PS_FILTERS:
            raise Refusal(f"{key} is an invalid filter", 125)
        if key == "status" and value not in _PS_STATES:
            raise Refusal(f"{value} is not a valid status", 125)
    for wanted in given.get("sort", []):
        if wanted not in _PS_SORTS:
            options = "command, created, id, image, names, runningfor, size, or status"
            raise Refusal(f"invalid option for --sort, options are: {options}", 125)
    for template in given.get("format", []):
        for field in _fields(template):
            if field not in _PS_FIELDS:
                where = f'template: data:1:2: executing "data" at <.{field}>: can\'t evaluate field {field}'
                raise Refusal(f"{where} in type shared.PsContainerOutput", 125)


def _fields(template: str) -> list[str]:
    """Returns the names of the fields at the top that a Go template asks for."""
    inside = [part.split("}}")[0] for part in template.split("{{")[1:]]
    found = [word for part in inside for word in part.replace("(", " ").replace(")", " ").split()]
    return [word[1:].split(".")[0] for word in found if word.startswith(".") and len(word) > 1]


def _check_cp(plain: list[str], given: dict[str, list[str]]) -> None:
    """Refuses what that version does otherwise, and not as anybody would want it."""
    if "-" in plain:
        raise Refusal("the lab: podman 1.6.4 writes no whole tar stream (no padding, no end), nor reads one here", 125)
    if not given.get("pause", [""])[-1].lower().startswith(("f", "0")):
        raise Refusal("the lab: podman 1.6.4 pauses the container while it copies, but with --pause=false", 125)


def _misspelt(command: str, name: str) -> Refusal:
    hint = f"\nTry '{command} --help' for more information."
    if not name:
        return Refusal(f"missing command '{command} COMMAND'{hint}", 125)
    return Refusal(f"unrecognized command `{command} {name}`{hint}", 125)
