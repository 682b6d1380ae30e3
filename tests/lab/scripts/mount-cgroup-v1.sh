#!/bin/bash
# mount-cgroup-v1.sh DIRECTORY : mounts what a host sees of control groups of version 1 at DIRECTORY.
set -euo pipefail
top=$1

mount -t tmpfs -o mode=755 tmpfs "$top"
for controller in cpu cpuacct cpuset memory devices freezer blkio pids; do
  mkdir "$top/$controller"
  mount -t cgroup -o "$controller" cgroup "$top/$controller"
done
# Not mounted on this machine, but podman warns at every start without them.
for controller in net_cls net_prio perf_event hugetlb; do
  mkdir "$top/$controller"
  mount -t tmpfs -o size=1m,mode=755 tmpfs "$top/$controller"
done
mkdir "$top/systemd" "$top/unified"
mount -t cgroup -o none,name=systemd cgroup "$top/systemd"
mount -t cgroup2 cgroup2 "$top/unified"
