#!/bin/bash
# boot-host.sh NAME DISK LOWER STORE NETNS CGROUP PID1_SCRIPT : starts one host and returns at once.
# The host's first process joins the host's cgroups before anything else: they are the record of what belongs to it.
set -euo pipefail
name=$1 disk=$2 lower=$3 store=$4 netns=$5 cgroup=$6 pid1=$7

for controller in /sys/fs/cgroup/*/; do
  directory=$controller$cgroup/$name
  mkdir -p "$directory"
  if [ -e "${controller}cpuset.cpus" ]; then
    for file in cpuset.cpus cpuset.mems; do
      cat "$controller$file" > "$controller$cgroup/$file"
      cat "$controller$file" > "$directory/$file"
    done
    echo 1 > "$directory/cgroup.clone_children"
  fi
done
(
  for controller in /sys/fs/cgroup/*/; do echo "$BASHPID" > "$controller$cgroup/$name/cgroup.procs"; done
  exec setsid nsenter --net="/run/netns/$netns" unshare -m -u -i -C -p -f \
    bash "$pid1" "$name" "$disk" "$lower" "$store"
) > "$disk/console.log" 2>&1 < /dev/null &
