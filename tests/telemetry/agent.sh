#!/bin/bash
# agent.sh FILE SEEN : stands for an agent of Ceilometer: reads its file once, at its start, and lives on. What it has read
# is in SEEN, whole or not at all. One interval it dies of, a while after it counts as started, as of a file that it can't use.
set -euo pipefail
trap 'exit 0' TERM
if grep -q 'interval: 13 ' "$1"; then
  sleep 2
  exit 1
fi
cp "$1" "$2.part"
mv "$2.part" "$2"
sleep infinity &
wait
