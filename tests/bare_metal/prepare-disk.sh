#!/bin/bash
# prepare-disk.sh DISK ROOT_TAR FOLDER: a bootable disk with a node on it. To be run under `unshare --mount`.
# FOLDER has what the node is given: host key, authorized_keys, hosts.
# Partitions are reached by their offsets: not every kernel makes devices for those of a loop.
set -euo pipefail
disk=$1 tar=$2 given=$3
config_start=2048 config_sectors=16384 root_start=18432
name=metal-0 address=192.168.24.30

truncate --size=0 "$disk"
truncate --size=3G "$disk"
sfdisk --quiet "$disk" <<EOF
label: dos
start=$config_start, size=$config_sectors, type=83
start=$root_start, type=83, bootable
EOF
loops=()
trap 'for each in "${loops[@]}"; do losetup --detach "$each"; done' EXIT
attach() {
  local device
  device=$(losetup --find --show "$@" "$disk")
  loops=("$device" "${loops[@]}")
  attached=$device
}
attach --offset $((config_start * 512)) --sizelimit $((config_sectors * 512))
drive=$attached
attach --offset $((root_start * 512))
partition=$attached
attach
whole=$attached

work=$(mktemp --directory --tmpdir="$(dirname "$disk")")
# What Ironic's deployment leaves on a node: its metadata, on a partition with this label.
mkdir -p "$work/drive/openstack/latest"
printf '{"hostname": "%s", "uuid": "6f9c0000-0000-4000-8000-000000000030"}\n' "$name" > "$work/drive/openstack/latest/meta_data.json"
xorriso -as mkisofs -quiet -V config-2 -J -R -o "$work/drive.iso" "$work/drive" 2>/dev/null
dd if="$work/drive.iso" of="$drive" bs=1M conv=fsync status=none

mkfs.xfs -q -f -L img-rootfs "$partition"
uuid=$(blkid -p -s UUID -o value "$partition")
root=$work/root
mkdir "$root"
mount "$partition" "$root"
tar --extract --numeric-owner --xattrs --xattrs-include='*' --file="$tar" --directory="$root"

printf 'UUID=%s / xfs defaults 0 0\n' "$uuid" > "$root/etc/fstab"
echo "$name" > "$root/etc/hostname"
install -m 644 "$given/hosts" "$root/etc/hosts"
cat > "$root/etc/network/interfaces" <<EOF
auto lo ens3
iface lo inet loopback
iface ens3 inet static
  address $address/24
EOF
rm -f "$root"/etc/ssh/ssh_host_*
install -m 600 "$given/ssh_host_ed25519_key" "$given/ssh_host_ed25519_key.pub" "$root/etc/ssh/"
printf 'HostKey /etc/ssh/ssh_host_ed25519_key\nUseDNS no\n' > "$root/etc/ssh/sshd_config.d/lab.conf"
chroot "$root" useradd --create-home --shell /bin/bash heat-admin
install -d -m 700 "$root/home/heat-admin/.ssh"
install -m 600 "$given/authorized_keys" "$root/home/heat-admin/.ssh/authorized_keys"
chroot "$root" chown -R heat-admin: /home/heat-admin/.ssh
echo 'heat-admin ALL=(ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/heat-admin"
chmod 440 "$root/etc/sudoers.d/heat-admin"
# What the vendor's role asks each node, and the shell that it has on RHEL.
ln -sf bash "$root/usr/bin/sh"
mkdir -p "$root/etc/puppet/hieradata"
printf '%s\n' --- ':backends:' '  - yaml' ':yaml:' '  :datadir: /etc/puppet/hieradata' ':hierarchy:' '  - node' > "$root/etc/puppet/hiera.yaml"
printf -- '---\nmysql_short_bootstrap_node_name: %s\n' "$name" > "$root/etc/puppet/hieradata/node.yaml"
# A colocated Ceph monitor's data, with what a copy by tar alone would lose.
install -d "$root/var/lib/ceph/mon/ceph-$name"
head --bytes=100000 /dev/urandom > "$root/var/lib/ceph/mon/ceph-$name/store.db"
chroot "$root" setfattr -n user.ceph -v monitor "/var/lib/ceph/mon/ceph-$name/store.db"
chroot "$root" setfacl -m u:heat-admin:r "/var/lib/ceph/mon/ceph-$name/store.db"
head --bytes=20000000 /dev/urandom > "$root/srv/marker"

# An emulated processor takes ten minutes for what these leave out: ReaR runs `ldd` on all that it has copied, takes all
# firmware along, and compresses hard.
rm -f "$root"/usr/share/rear/build/default/990_verify_rootfs.sh
cat > "$root/etc/rear/site.conf" <<'EOF'
FIRMWARE_FILES=( 'no' )
REAR_INITRD_COMPRESSION=fast
EOF
echo MODULES=list > "$root/etc/initramfs-tools/conf.d/lab"
printf '%s\n' virtio_pci virtio_blk virtio_net xfs crc32c_generic >> "$root/etc/initramfs-tools/modules"
for unit in e2scrub_reap.service fstrim.timer apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer podman-auto-update.timer; do
  ln -sf /dev/null "$root/etc/systemd/system/$unit"
done

cat > "$root/etc/default/grub" <<'EOF'
GRUB_TIMEOUT=0
GRUB_CMDLINE_LINUX="console=tty0 console=ttyS0,115200"
GRUB_TERMINAL=serial
GRUB_DISABLE_OS_PROBER=true
EOF
kernel=$(basename "$root"/boot/vmlinuz-*)
mkdir -p "$root/boot/grub"
cat > "$root/boot/grub/grub.cfg" <<EOF
set timeout=0
menuentry node {
  search --set=root --fs-uuid $uuid
  linux /boot/$kernel root=UUID=$uuid ro console=tty0 console=ttyS0,115200
  initrd /boot/${kernel/vmlinuz/initrd.img}
}
EOF
for each in dev proc sys; do mount --rbind "/$each" "$root/$each"; done
chroot "$root" update-initramfs -u -k all
modules=(biosdisk part_msdos xfs search search_fs_uuid normal configfile linux)
printf 'search.fs_uuid %s root\nset prefix=($root)/boot/grub\n' "$uuid" > "$root/tmp/early.cfg"
mkdir -p "$root/boot/grub/i386-pc"
cp "$root"/usr/lib/grub/i386-pc/{boot.img,*.mod,*.lst} "$root/boot/grub/i386-pc/"
chroot "$root" grub-mkimage -O i386-pc -c /tmp/early.cfg -p /boot/grub -o /boot/grub/i386-pc/core.img "${modules[@]}"
echo "(hd0) $whole" > "$root/boot/grub/device.map"
chroot "$root" grub-bios-setup --skip-fs-probe --device-map=/boot/grub/device.map --directory=/boot/grub/i386-pc "$whole"
rm -f "$root/boot/grub/device.map" "$root/tmp/early.cfg"
for each in dev proc sys; do umount --lazy "$root/$each"; done
umount "$root"
rm -rf "$work"
