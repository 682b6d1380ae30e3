#!/bin/bash
# import-image.sh ROOT PREPARE HOST STORE IMAGE TAG... : prepares ROOT and imports it into an image store for all hosts.
# HOST is the root filesystem of the hosts.
set -euo pipefail
root=$1 prepare=$2 host=$3 store=$4 image=$5
shift 5
bash "$prepare" "$root" "$host"
mkdir -p "$store"
# podman allows a run directory 50 characters. This runs in a mount namespace of its own, where /mnt is free.
mount -t tmpfs tmpfs /mnt
podman() { command podman --root "$store" --runroot /mnt/run --storage-driver overlay --runtime runc "$@"; }
tar -C "$root" --numeric-owner -cf - . |
  podman import --quiet --change 'CMD ["/bin/bash", "/usr/local/bin/kolla_start"]' --change 'USER mysql' - "$image"
for tag in "$@"; do podman tag "$image" "$tag"; done
