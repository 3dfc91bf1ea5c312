#!/bin/busybox sh
# What udhcpc runs with a lease.
case $1 in
  bound | renew) busybox ifconfig "$interface" "$ip" netmask "$subnet" ;;
esac
