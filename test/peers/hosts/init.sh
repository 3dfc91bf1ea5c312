#!/bin/sh
# What a namespace host does when it gets power (see standby.py). Arguments: the folder of the peers,
# its name, its address with prefix. sshd comes up once there is no file `hold` for it.
set -eu
folder=$1
name=$2
address=$3

hostname "$name"
mount --bind "$folder/$name/boot_id" /proc/sys/kernel/random/boot_id
ip link set lo up
ip addr replace "$address" dev eth0
ip link set eth0 up
while [ -e "$folder/$name/hold" ]; do sleep 0.1; done
exec /usr/sbin/sshd -D -e -f "$folder/$name/sshd_config"
