#!/bin/bash
# mount-cgroup-v2.sh DIRECTORY : mounts what a host sees of control groups of version 2 at DIRECTORY.
set -euo pipefail
mount -t cgroup2 cgroup2 "$1"
