#!/bin/bash
# prepare.sh ROOT INSIDE GENERATED MEMBER_USER... : turns the root file system of a host into the cloud's controller.
# Runs with ROOT mounted, from outside. GENERATED has files that are made by Python, by the same paths.
set -euo pipefail
root=$1 inside=$2 generated=$3
shift 3
own=$root/usr/local/lib/cloudlab

copy() { cp --recursive --no-preserve=ownership,timestamps "$@"; }
copy "$inside/root/." "$generated/." "$root"
copy "$inside/patches" "$own/patches"
copy "$inside/member" "$own/member"
copy "$inside/python/." "$root/usr/local/lib/python3.11/dist-packages"
find "$root/usr/local/lib/python3.11" -name __pycache__ -prune -exec rm -rf {} +
# Nova loads drivers from its own package only.
ln -s /usr/local/lib/python3.11/dist-packages/cloudlab "$root/usr/lib/python3/dist-packages/nova/virt/cloudlab"
for file in "$root"/usr/local/sbin/* "$own/boot-member" "$own"/member/usr/local/*bin/*; do chmod 755 "$file"; done

# Debian's defects. `patch --reverse` brings one back.
for file in "$own"/patches/*; do patch --quiet --strip=1 --directory="$root/usr/lib/python3/dist-packages" < "$file"; done

# Units of the same names stand in /etc. Nothing starts by itself.
for unit in "$root"/etc/systemd/system/multi-user.target.wants/*; do
  [ "${unit##*/}" = ssh.service ] || rm -f "$unit"
done
rm -f "$root"/etc/systemd/system/sockets.target.wants/{epmd,mariadb}*
for unit in epmd.socket epmd.service systemd-resolved.service; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done

# A server's users. Their home directories are on its disk; their keys are where its sshd looks for them.
install -d "$own/member/etc/sudoers.d"
for file in passwd group shadow; do cp --archive "$root/etc/$file" "$own/member/etc/$file"; done
id=2000
for user in "$@"; do
  echo "$user:x:$id:$id::/home/$user:/bin/bash" >> "$own/member/etc/passwd"
  echo "$user:x:$id:" >> "$own/member/etc/group"
  echo "$user:*:19000:0:99999:7:::" >> "$own/member/etc/shadow"
  echo "$user ALL=(ALL) NOPASSWD: ALL" > "$own/member/etc/sudoers.d/$user"
  chmod 440 "$own/member/etc/sudoers.d/$user"
  install -d -o "$id" -g "$id" "$own/member/home/$user"
  id=$((id + 1))
done

# What a Cirros has: busybox without `timeout`, and sudo.
sed --in-place "s#^\(cirros:.*:\)/bin/bash#\1/usr/local/bin/cirros-shell#" "$own/member/etc/passwd"
mkdir -p "$own/member/usr/local/lib/cirros"
for applet in $("$root/bin/busybox" --list); do ln -s /bin/busybox "$own/member/usr/local/lib/cirros/$applet"; done
rm "$own/member/usr/local/lib/cirros/timeout"
ln -sf /usr/bin/sudo "$own/member/usr/local/lib/cirros/sudo"
