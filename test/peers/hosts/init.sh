#!/bin/sh
# What a namespace host does when it gets power (see standby.py). Arguments: the folder of the peers,
# its name, its address with prefix, seconds until sshd is up.
set -eu
folder=$1
name=$2
address=$3
delay=$4

hostname "$name"
mount --bind "$folder/$name/boot_id" /proc/sys/kernel/random/boot_id
ip link set lo up
ip addr replace "$address" dev eth0
ip link set eth0 up
[ "$delay" = 0 ] || sleep "$delay"
exec /usr/sbin/sshd -D -e -f "$folder/$name/sshd_config"
