#!/bin/bash
# in-overlay.sh LOWER LAYER ROOT SCRIPT [ARGUMENT...] : runs SCRIPT ROOT ARGUMENT... with an overlay mounted at ROOT whose
# changes go to LAYER. To be run under `unshare --mount`, so that no mount stays behind whatever happens.
set -euo pipefail
lower=$1 layer=$2 root=$3 script=$4
shift 4
mkdir -p "$layer" "$layer.work" "$root"
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$layer,workdir=$layer.work" "$root"
bash "$script" "$root" "$@"
