#!/bin/sh
# What sshd of a simulated ESXi runs instead of any command (ForceCommand): hands the command to the
# model at the unix socket, and gives back what it says. Nothing else can be run here. The answer
# begins with a line `CODE BYTES END`: exit code, length of stdout, and how it ends: `well`, `cut` for
# a connection that is gone after this output, `killed` for a program that is; stdout follows, then stderr.
printf '%s\n' "$SSH_ORIGINAL_COMMAND" | nc -N -U "/run/peers/$(cat /proc/sys/kernel/hostname)/esxi.sock" | {
  read -r code bytes end || exit 255
  head -c "$bytes"
  if [ "$end" != well ]; then
    sleep 0.1
    victim=$$
    until [ "$end" = killed ] || [ "$(ps -o comm= -p "$victim")" = sshd ]; do
      victim=$(ps -o ppid= -p "$victim" | tr -d ' ')
    done
    kill -KILL "$victim"
    exit 255
  fi
  cat >&2
  exit "$code"
}
