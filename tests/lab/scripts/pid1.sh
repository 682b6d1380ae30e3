#!/bin/bash
# pid1.sh NAME DISK LOWER STORE MOUNT_CGROUPS : runs in fresh mount, pid, uts, ipc and cgroup namespaces, builds the
# host's root file system there and becomes its systemd.
set -euo pipefail
name=$1 disk=$2 lower=$3 store=$4 mount_cgroups=$5
root=$disk/merged

mount --make-rprivate /
hostname "$name"
mkdir -p "$disk"/{upper,work,merged,containers}
mount -t overlay overlay -o "lowerdir=$lower,upperdir=$disk/upper,workdir=$disk/work" "$root"
# Overlay on overlay does not work, so the containers' storage is a plain directory.
mount --bind "$disk/containers" "$root/var/lib/containers"
mount --bind "$store" "$root/var/lib/lab-images"
mount -o remount,bind,ro "$root/var/lib/lab-images"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t tmpfs -o mode=755,size=64m tmpfs "$root/dev"
for device in null:1:3 zero:1:5 full:1:7 random:1:8 urandom:1:9 tty:5:0 fuse:10:229; do
  IFS=: read -r file major minor <<< "$device"
  mknod -m 666 "$root/dev/$file" c "$major" "$minor"
done
mkdir -p "$root/dev/pts" "$root/dev/shm" "$root/dev/mqueue" "$root/dev/net"
mknod -m 666 "$root/dev/net/tun" c 10 200
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"
ln -s fd/1 "$root/dev/stdout"
ln -s fd/2 "$root/dev/stderr"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t mqueue mqueue "$root/dev/mqueue"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
bash "$mount_cgroups" "$root/sys/fs/cgroup"
echo "$name" > "$root/etc/hostname"
cd "$root"
mkdir -p .old
pivot_root . .old
umount -l /.old
rmdir /.old
exec env -i container=lab PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 \
  /lib/systemd/systemd --system --log-target=console --show-status=1
