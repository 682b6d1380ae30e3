#!/bin/bash
# agent.sh FILE SEEN : stands for an agent of Ceilometer: reads its file once, at its start, and lives on. What it has read
# is in SEEN, whole or not at all.
set -euo pipefail
trap 'exit 0' TERM
cp "$1" "$2.part"
mv "$2.part" "$2"
sleep infinity &
wait
