#!/bin/bash
# hypervisor.sh FOLDER: libvirtd with all of its files below FOLDER. To be run under `unshare --mount`.
set -euo pipefail
folder=$1
for directory in /etc/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt /run/libvirt; do
  mkdir -p "$directory" "$folder$directory"
  mount --bind "$folder$directory" "$directory"
done
# Accounts that a package makes which would start libvirt as a service, too.
for file in /etc/passwd /etc/group; do
  cp "$file" "$folder${file#/etc}"
  mount --bind "$folder${file#/etc}" "$file"
done
echo libvirt-qemu:x:64055:64055::/nonexistent:/usr/sbin/nologin >> /etc/passwd
echo libvirt-qemu:x:64055: >> /etc/group
# Without /dev/kvm: where it is there and can't be used, libvirt probes QEMU anew for each question.
devices=$folder/dev
mkdir "$devices"
mount -t tmpfs tmpfs "$devices"
for device in null zero full random urandom tty net/tun; do
  mkdir -p "$devices/$(dirname "$device")"
  touch "$devices/$device"
  mount --bind "/dev/$device" "$devices/$device"
done
mkdir "$devices/pts" "$devices/shm"
mount --bind /dev/pts "$devices/pts"
ln -s pts/ptmx "$devices/ptmx"
ln -s /proc/self/fd "$devices/fd"
mount --rbind "$devices" /dev
cat > /etc/libvirt/qemu.conf <<'EOF'
stdio_handler = "file"
user = "root"
group = "root"
security_driver = "none"
dynamic_ownership = 0
namespaces = []
EOF
cat > "$folder/libvirtd.conf" <<EOF
unix_sock_dir = "$folder"
auth_unix_ro = "none"
auth_unix_rw = "none"
EOF
exec libvirtd --config "$folder/libvirtd.conf" --pid-file "$folder/pid"
