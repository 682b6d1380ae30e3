#!/bin/bash
# prepare-host.sh ROOT PUBLIC_KEY KNOWN_HOSTS HOSTS_FILE
# Turns a plain Debian root filesystem into what all hosts of the lab share. Runs with ROOT mounted, from outside.
set -euo pipefail
root=$1 public_key=$2 known_hosts=$3 hosts_file=$4

: > "$root/etc/machine-id"
rm -f "$root/var/lib/dbus/machine-id" "$root"/etc/ssh/ssh_host_*
for account in stack:1000 heat-admin:1001; do
  name=${account%:*} id=${account#*:}
  chroot "$root" useradd -m -u "$id" -s /bin/bash "$name"
  install -d -m 700 -o "$id" -g "$id" "$root/home/$name/.ssh"
  install -m 600 -o "$id" -g "$id" "$public_key" "$root/home/$name/.ssh/authorized_keys"
  echo "$name ALL=(ALL) NOPASSWD: ALL" > "$root/etc/sudoers.d/$name"
  chmod 440 "$root/etc/sudoers.d/$name"
done
install -m 644 "$known_hosts" "$root/etc/ssh/ssh_known_hosts"
install -m 644 "$hosts_file" "$root/etc/hosts"
# One host key kind only: it is the one that known_hosts pins.
echo 'HostKey /etc/ssh/ssh_host_ed25519_key' > "$root/etc/ssh/sshd_config.d/lab.conf"

# No CAP_SYS_RESOURCE may be available, so no limit can be raised above what this machine allows; crun cannot
# handle a mixture of cgroup versions, runc can. A container for which podman has noted a limit of processes, as it does
# unless told not to, does not start where the controller for that is missing, and the disks have to work there too.
install -d "$root/etc/containers"
cat > "$root/etc/containers/containers.conf" <<'EOF'
[containers]
default_ulimits = ["nofile=16384:16384", "nproc=4096:4096"]
pids_limit = 0
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
EOF
cat > "$root/etc/containers/storage.conf" <<'EOF'
[storage]
driver = "overlay"
runroot = "/run/containers/storage"
graphroot = "/var/lib/containers/storage"
[storage.options]
additionalimagestores = ["/var/lib/lab-images"]
EOF
echo '{"default":[{"type":"insecureAcceptAnything"}]}' > "$root/etc/containers/policy.json"

# Units that need hardware, a seat or the internet. Without logind, nothing waits for a session bus at every login.
for unit in systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket getty@tty1.service \
  console-getty.service systemd-logind.service e2scrub_reap.service fstrim.timer apt-daily.timer \
  apt-daily-upgrade.timer systemd-modules-load.service kmod-static-nodes.service systemd-firstboot.service \
  dev-hugepages.mount systemd-networkd.service systemd-timesyncd.service; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
for unit in corosync pacemaker pcsd pcsd-ruby; do
  rm -f "$root/etc/systemd/system/multi-user.target.wants/$unit.service"
done
rm -f "$root"/etc/systemd/system/multi-user.target.wants/podman*.service \
  "$root"/etc/systemd/system/default.target.wants/podman*.service \
  "$root"/etc/systemd/system/sockets.target.wants/podman.socket \
  "$root"/etc/systemd/system/timers.target.wants/*
install -d "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=32M\n' > "$root/etc/systemd/journald.conf.d/lab.conf"
# Debian ships an example that would start as a cluster of its own.
rm -f "$root/etc/corosync/corosync.conf"

# As a deployment sets it: haproxy binds to the VIP on nodes that do not have it.
echo 'net.ipv4.ip_nonlocal_bind = 1' > "$root/etc/sysctl.d/90-lab.conf"

# SELinux is not in this kernel. A fresh directory has no label, and chcon -t/-r/-u refuses a file without one
# ("can't apply partial context to unlabeled file"), so it first gets the label that the policy would have given it.
# The real chcon then writes the security.selinux attribute, and ls -Z shows it.
cat > "$root/usr/local/bin/chcon" <<'EOF'
#!/bin/bash
for file in "$@"; do
  if [ -e "$file" ] && [ "$(stat -c %C "$file" 2>/dev/null)" = '?' ]; then
    /usr/bin/chcon system_u:object_r:var_lib_t:s0 "$file"
  fi
done
exec /usr/bin/chcon "$@"
EOF
printf '#!/bin/bash\necho Permissive\n' > "$root/usr/local/sbin/getenforce"
printf '#!/bin/bash\nexit 0\n' > "$root/usr/local/sbin/selinuxenabled"
chmod 755 "$root/usr/local/bin/chcon" "$root/usr/local/sbin/getenforce" "$root/usr/local/sbin/selinuxenabled"
install -d "$root/var/lib/lab-images" "$root/var/lib/containers"
