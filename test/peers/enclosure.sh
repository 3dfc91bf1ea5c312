#!/bin/sh
# The first process of an enclosure (see enclosure.ts): it runs in new mount, network and process
# namespaces. Arguments: the scratch folder, then `folder=target` pairs that are bound over the
# machine's own. It lives as long as its stdin does; when it ends, the kernel ends everything inside.
set -eu
scratch=$1
name=$(basename "$scratch")
shift

if [ "${ENCLOSURE_STAGE:-1}" = 1 ]; then
  # Version 1 cgroups: a branch of our own for each controller, entered before the cgroup namespace
  # is made, so that two enclosures at a time never meet in the same group.
  grep ' cgroup ' /proc/mounts | while read -r _ folder _; do
    mkdir -p "$folder/$name"
    for file in cpuset.cpus cpuset.mems; do
      [ ! -e "$folder/$name/$file" ] || cat "$folder/$file" > "$folder/$name/$file"
    done
  done
  for group in $(grep ' cgroup ' /proc/mounts | cut -d ' ' -f 2); do
    echo 0 > "$group/$name/cgroup.procs"
  done
  export ENCLOSURE_STAGE=2
  exec unshare --cgroup sh "$0" "$scratch" "$@"
fi

groups=$(grep ' cgroup ' /proc/mounts | cut -d ' ' -f 2)
for group in $groups; do
  mount --bind "$group/$name" "$group"
done
# Beside version 1 controllers, an empty version 2 tree makes libvirt-lxc refuse to start.
[ -z "$groups" ] || umount /sys/fs/cgroup/unified 2>/dev/null || true

for pair in "$@"; do
  mount --bind "${pair%%=*}" "${pair#*=}"
done
ip link set lo up
echo enclosed

# In the foreground, so that the shell reaps orphans meanwhile.
cat > /dev/null
exit 0
