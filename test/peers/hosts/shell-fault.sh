#!/bin/sh
# Login shell of the accounts that stand for a fault; the account's name says which.
[ "$1" = -c ] || exit 64
session=$(ps -o ppid= -p $$ | tr -d ' ')
case "$(id -un)" in
  argo-cut) # the command is carried out, and the connection is gone before it can say so
    kill -STOP "$session"
    sh -c "$2"
    kill -KILL "$session"
    ;;
  argo-lost) # the connection goes before the command begins
    kill -KILL "$session"
    ;;
  argo-flood) # a megabyte in front of everything
    head -c 1048576 /dev/zero | tr '\0' x
    exec sh -c "$2"
    ;;
  argo-hang)
    exec sleep 3600
    ;;
esac
