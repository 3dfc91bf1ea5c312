#!/bin/busybox sh
# The first and only program of the `dom` guest: Debian's cloud kernel with busybox.
busybox mount -t proc proc /proc
busybox mount -t sysfs sysfs /sys
busybox mount -t devtmpfs devtmpfs /dev
while read -r module; do
  busybox insmod "/modules/$module.ko"
done < /modules/order

busybox ip link set lo up
busybox ip link set eth0 up
busybox udhcpc -b -q -i eth0 -s /dhcp > /dev/null 2>&1 &

# Only the power button can send input events here. The devices are opened before the ready line, so
# that a press right after it is not lost.
for device in /dev/input/event*; do
  (
    exec 3< "$device"
    busybox touch "/opened.${device##*/}"
    busybox head -c 1 <&3 > /dev/null
    echo "argo-guest: power button" > /dev/console
    exec busybox poweroff -f
  ) &
  until [ -e "/opened.${device##*/}" ]; do busybox usleep 10000; done
done

echo "argo-guest: ready" > /dev/console
while :; do busybox sleep 3600; done
