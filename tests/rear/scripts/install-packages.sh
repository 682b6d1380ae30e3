#!/bin/bash
# install-packages.sh ROOT PACKAGE... : installs Debian's packages into a root file system. To be run under `unshare --mount`.
set -euo pipefail
root=$1
shift
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"
install -m 644 /etc/resolv.conf "$root/etc/resolv.conf.lab"
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d"  # nothing starts while it is installed
chmod 755 "$root/usr/sbin/policy-rc.d"
mount --bind /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || cp /etc/resolv.conf "$root/etc/resolv.conf"
chroot "$root" apt-get -q update
chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get -qy --no-install-recommends install "$@"
chroot "$root" apt-get clean
rm -rf "$root/var/lib/apt/lists/"* "$root/usr/sbin/policy-rc.d" "$root/etc/resolv.conf.lab"
