#!/bin/bash
# boot-host.sh NAME DISK LOWER STORE NETNS MOUNT_CGROUPS GROUP... : starts one host and returns at once.
# Runs in the host's control groups already, which are the record of what belongs to it. GROUP... are those that the
# host's first process joins before it makes a cgroup namespace: what it is in at that moment is the top of what the host
# sees. The parent that waits for it stays where it is.
set -euo pipefail
name=$1 disk=$2 lower=$3 store=$4 netns=$5 mount_cgroups=$6
shift 6
here=$(dirname "$0")

setsid nsenter --net="/run/netns/$netns" unshare -m -u -i -p -f \
  sh "$here/join-cgroups.sh" "$@" -- unshare -C bash "$here/pid1.sh" "$name" "$disk" "$lower" "$store" "$mount_cgroups" \
  > "$disk/console.log" 2>&1 < /dev/null &
