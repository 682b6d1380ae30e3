"""What systemd 239 of RHEL 8.2 knows: systemd-run with the properties of transient units, and systemctl.

Read in the sources of its package, with the patches that Red Hat took over (`Type=exec` is among them): options in
`src/run/run.c` and `src/systemctl/systemctl.c`, properties in `src/shared/bus-unit-util.c`, their values in `src/core`.
"""

from __future__ import annotations

from .options import Options
from .refusal import Refusal
from .tables import words

_RUN = """
    help/h version user system scope unit= description= slice= remain-after-exit/r send-sighup host=/H machine=/M
    service-type= wait uid= gid= nice= setenv=/E property=/p tty/t pty/t pipe/P quiet/q on-active= on-boot= on-startup=
    on-unit-active= on-unit-inactive= on-calendar= timer-property= path-property= socket-property= no-block
    no-ask-password collect/G
"""
_CTL = """
    help/h version type=/t property=/p all/a reverse after before show-types failed full/l job-mode= fail irreversible
    ignore-dependencies ignore-inhibitors/i value user system global wait no-block no-legend no-pager no-wall dry-run
    quiet/q root= force/f no-reload kill-who= signal=/s no-ask-password host=/H machine=/M runtime lines=/n output=/o
    plain state= recursive/r preset-mode= firmware-setup now message=
"""
_VERBS = words("""
    list-units list-unit-files list-sockets list-timers list-jobs list-machines clear-jobs cancel start stop condstop
    reload restart try-restart reload-or-restart reload-or-try-restart try-reload-or-restart force-reload condreload
    condrestart isolate kill is-active check is-failed show cat status help daemon-reload daemon-reexec
    show-environment set-environment unset-environment import-environment halt poweroff reboot kexec suspend hibernate
    hybrid-sleep suspend-then-hibernate default rescue emergency exit reset-failed enable disable is-enabled reenable
    preset preset-all mask unmask link revert switch-root list-dependencies set-default get-default set-property
    is-system-running add-wants add-requires edit
""")
_CGROUP = words("""
    DevicePolicy Slice CPUAccounting MemoryAccounting IOAccounting BlockIOAccounting TasksAccounting IPAccounting CPUWeight
    StartupCPUWeight IOWeight StartupIOWeight CPUShares StartupCPUShares AllowedCPUs AllowedMemoryNodes BlockIOWeight
    StartupBlockIOWeight Delegate MemoryLow MemoryHigh MemoryMax MemorySwapMax MemoryLimit TasksMax CPUQuota DeviceAllow
    IOReadBandwidthMax IOWriteBandwidthMax IOReadIOPSMax IOWriteIOPSMax BlockIOReadBandwidth BlockIOWriteBandwidth
    IODeviceWeight BlockIODeviceWeight IPAddressAllow IPAddressDeny
""")
# Without LockPersonality and RestrictSUIDSGID: a comma between them is missing in this version's source.
_EXECUTE = words("""
    User Group UtmpIdentifier UtmpMode PAMName TTYPath WorkingDirectory RootDirectory SyslogIdentifier ProtectSystem
    ProtectHome SELinuxContext RootImage RuntimeDirectoryPreserve Personality KeyringMode IgnoreSIGPIPE TTYVHangup TTYReset
    TTYVTDisallocate PrivateTmp PrivateDevices PrivateNetwork PrivateUsers PrivateMounts NoNewPrivileges SyslogLevelPrefix
    MemoryDenyWriteExecute RestrictRealtime DynamicUser RemoveIPC ProtectKernelTunables ProtectKernelModules
    ProtectControlGroups MountAPIVFS CPUSchedulingResetOnFork ReadWriteDirectories ReadOnlyDirectories
    InaccessibleDirectories ReadWritePaths ReadOnlyPaths InaccessiblePaths RuntimeDirectory StateDirectory CacheDirectory
    LogsDirectory ConfigurationDirectory SupplementaryGroups SystemCallArchitectures SyslogLevel LogLevelMax SyslogFacility
    SecureBits CPUSchedulingPolicy CPUSchedulingPriority OOMScoreAdjust Nice SystemCallErrorNumber IOSchedulingClass
    IOSchedulingPriority RuntimeDirectoryMode StateDirectoryMode CacheDirectoryMode LogsDirectoryMode
    ConfigurationDirectoryMode UMask TimerSlackNSec LogRateLimitIntervalSec LogRateLimitBurst MountFlags Environment
    UnsetEnvironment PassEnvironment EnvironmentFile LogExtraFields StandardInput StandardOutput StandardError
    StandardInputText StandardInputData AppArmorProfile SmackProcessLabel CapabilityBoundingSet AmbientCapabilities
    CPUAffinity NUMAPolicy NUMAMask RestrictAddressFamilies SystemCallFilter RestrictNamespaces BindPaths BindReadOnlyPaths
    TemporaryFileSystem LimitAS LimitCORE LimitCPU LimitDATA LimitFSIZE LimitLOCKS LimitMEMLOCK LimitMSGQUEUE LimitNICE
    LimitNOFILE LimitNPROC LimitRSS LimitRTPRIO LimitRTTIME LimitSIGPENDING LimitSTACK
""")
_KILL = ["KillMode", "SendSIGHUP", "SendSIGKILL", "KillSignal"]
_COMMANDS = ["ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecStop", "ExecStopPost"]
_SERVICE = words("""
    PIDFile Type Restart BusName NotifyAccess USBFunctionDescriptors USBFunctionStrings PermissionsStartOnly
    RootDirectoryStartOnly RemainAfterExit GuessMainPID RestartSec TimeoutStartSec TimeoutStopSec RuntimeMaxSec WatchdogSec
    TimeoutSec FileDescriptorStoreMax RestartPreventExitStatus RestartForceExitStatus SuccessExitStatus
""")
_SOCKET = words("""
    Accept Writable KeepAlive NoDelay FreeBind Transparent Broadcast PassCredentials PassSecurity ReusePort RemoveOnStop
    SELinuxContextFromNet Priority IPTTL Mark IPTOS Backlog MaxConnections MaxConnectionsPerSource KeepAliveProbes
    TriggerLimitBurst SocketMode DirectoryMode MessageQueueMaxMessages MessageQueueMessageSize TimeoutSec KeepAliveTimeSec
    KeepAliveIntervalSec DeferAcceptSec TriggerLimitIntervalSec ReceiveBuffer SendBuffer PipeSize ExecStartPre
    ExecStartPost ExecReload ExecStopPost SmackLabel SmackLabelIPIn SmackLabelIPOut TCPCongestion BindToDevice BindIPv6Only
    FileDescriptorName SocketUser SocketGroup Symlinks SocketProtocol ListenStream ListenDatagram ListenSequentialPacket
    ListenNetlink ListenSpecial ListenMessageQueue ListenFIFO ListenUSBFunction
""")
_TIMER = words("""
    WakeSystem RemainAfterElapse Persistent AccuracySec RandomizedDelaySec OnActiveSec OnBootSec OnStartupSec
    OnUnitActiveSec OnUnitInactiveSec OnCalendar
""")
_PATH = words("""
    MakeDirectory DirectoryMode PathExists PathExistsGlob PathChanged PathModified DirectoryNotEmpty
""")
_LOOKED_AT = words("""
    Architecture Virtualization Host KernelCommandLine KernelVersion Security Capability ACPower NeedsUpdate FirstBoot
    PathExists PathExistsGlob PathIsDirectory PathIsSymbolicLink PathIsMountPoint PathIsReadWrite DirectoryNotEmpty
    FileNotEmpty FileIsExecutable User Group ControlGroupController Null
""")
_UNIT = words("""
    Description SourcePath OnFailureJobMode JobTimeoutAction JobTimeoutRebootArgument StartLimitAction FailureAction
    SuccessAction RebootArgument CollectMode StopWhenUnneeded RefuseManualStart RefuseManualStop AllowIsolate
    IgnoreOnIsolate DefaultDependencies JobTimeoutSec JobRunningTimeoutSec StartLimitIntervalSec StartLimitBurst
    Documentation RequiresMountsFor Requires Requisite Wants BindsTo PartOf RequiredBy RequisiteOf WantedBy BoundBy
    ConsistsOf Conflicts ConflictedBy Before After OnFailure Triggers TriggeredBy PropagatesReloadTo ReloadPropagatedFrom
    JoinsNamespaceOf References ReferencedBy
""") + [kind + what for kind in ("Condition", "Assert") for what in _LOOKED_AT]
_OF_UNITS = {
    "service": {*_CGROUP, *_EXECUTE, *_KILL, *_COMMANDS, *_SERVICE, *_UNIT},
    "scope": {*_CGROUP, *_KILL, "TimeoutStopSec", *_UNIT},
    "socket": {*_CGROUP, *_EXECUTE, *_KILL, *_SOCKET, *_UNIT},
    "timer": {*_TIMER, *_UNIT},
    "path": {*_PATH, *_UNIT},
}
_OUTPUTS = words("""
    inherit null tty syslog syslog+console kmsg kmsg+console journal journal+console socket fd file
""")
_VALUES = {
    "KillMode": ["control-group", "process", "mixed", "none"],
    "Restart": ["no", "on-success", "on-failure", "on-abnormal", "on-watchdog", "on-abort", "always"],
    "StandardError": _OUTPUTS,
    "StandardInput": ["null", "tty", "tty-force", "tty-fail", "socket", "fd", "data", "file"],
    "StandardOutput": _OUTPUTS,
    "Type": ["simple", "forking", "oneshot", "dbus", "notify", "idle", "exec"],
}


def check_run(line: list[str]) -> None:
    """Raises Refusal for what systemd-run 239 would have refused, or its systemd."""
    _, given = Options("systemd-run", _RUN).read(line)
    unit = "scope" if ("scope", "") in given else "service"
    for name, value in given:
        if name == "property":
            _check_property(unit, value)
        elif name in ("timer-property", "path-property", "socket-property"):
            _check_property(name.split("-")[0], value)
        elif name == "service-type":
            _check_property("service", f"Type={value}")
        elif name == "setenv" and "=" not in value:
            raise _not_started(unit, "Invalid environment block.")


def check_ctl(line: list[str]) -> None:
    """Raises Refusal for what systemctl 239 would have refused."""
    plain, _ = Options("systemctl", _CTL, interspersed=True).read(line)
    if plain and plain[0] not in _VERBS:
        raise Refusal(f"Unknown operation {plain[0]}.", 1)


def _check_property(unit: str, assignment: str) -> None:
    name, sign, value = assignment.partition("=")
    if not sign:
        raise Refusal(f"Not an assignment: {assignment}", 1)
    if name not in _OF_UNITS[unit]:
        raise Refusal(f"Unknown assignment: {assignment}", 1)
    if name in _COMMANDS:
        _check_command(unit, value)
    if name in _VALUES and not _takes(name, value):
        raise _not_started(unit, f"Invalid {name} setting: {value}")


def _takes(name: str, value: str) -> bool:
    if value in _VALUES[name]:
        return True
    return name.startswith("Standard") and value.startswith(("fd:", "file:/"))


def _check_command(unit: str, command: str) -> None:
    """Refuses a command whose program is not named by its whole path."""
    rest, seen = command, ""
    while rest[:1] in ("-", "@") and rest[0] not in seen:
        seen += rest[0]
        rest = rest[1:]
    if rest[:1] in ("+", "!"):
        raise Refusal("Sorry, but +, ! and !! are currently not supported for transient services.", 1)
    program = rest.split()[0].strip("\"'") if rest.split() else ""
    if program and not program.startswith("/"):
        raise _not_started(unit, f"Path {program} is not absolute.")


def _not_started(unit: str, why: str) -> Refusal:
    return Refusal(f"Failed to start transient {unit} unit: {why}", 1)
