#!/bin/bash
# What kolla_start does of kolla's images (kolla, docker/base/start.sh and set_configs.py): copies each file that config.json
# names, whole or not at all, and becomes the command.
set -euo pipefail
config=/var/lib/kolla/config_files/config.json
sed -n 's/.*"source": "\([^"]*\)", "dest": "\([^"]*\)".*/\1 \2/p' $config > /run/copied
while read -r source target; do
  mkdir -p "$(dirname "$target")"
  cp "$source" "$target"
done < /run/copied
command=$(sed -n 's/.*"command": *"\([^"]*\)".*/\1/p' $config)
exec $command
