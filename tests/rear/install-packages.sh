#!/bin/bash
# install-packages.sh ROOT PACKAGE... : installs Debian's packages into a root file system. To be run under `unshare --mount`.
set -euo pipefail
root=$1
shift
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
cp --remove-destination /etc/resolv.conf "$root/etc/resolv.conf"
# Nothing starts while it is installed.
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
chroot "$root" apt-get -q update
chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install "$@"
chroot "$root" apt-get clean
rm -rf "$root/var/lib/apt/lists/"* "$root/usr/sbin/policy-rc.d" "$root/etc/resolv.conf"
