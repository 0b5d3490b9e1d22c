#!/usr/bin/env bash
# One real shared file system, seen as two machines see it: two FUSE clients of one volume, each with a mount, a cache and
# a session of its own.
#
#   sharedfs_up.sh gluster|moosefs up BASE      start what does not run, and wait until both mounts show the same
#   sharedfs_up.sh gluster|moosefs down BASE    stop it; BASE can be deleted then
#
# The mounts are BASE/a and BASE/b; nearly all else that it writes is in BASE too. Root only; it installs nothing. The servers bind
# 0.0.0.0 and refuse 127.0.0.1 as their own address, so they live on the loopback of a network namespace of their own.
set -euo pipefail
umask 022
PATH=$PATH:/usr/sbin:/sbin
FS=$1 VERB=$2 B=$3
NS=minionize-$(printf %s "$B" | cksum | cut -d ' ' -f 1) IP=10.99.0.1
case $FS in gluster) CLIENT=glusterfs ;; moosefs) CLIENT=mfsmount ;; *) exit 2 ;; esac

inside() { nsenter --net="/run/netns/$NS" "$@"; }

running() { # PIDFILE, called [X.]COMMAND.pid: that process runs COMMAND, and is no stranger under a recycled pid
    local pid name=${1##*/}
    name=${name%.pid}
    pid=$(cat "$1" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "${name##*.}" ] && readlink "/proc/$pid/exe" >/dev/null
}
start() { # PIDFILE LOG COMMAND...: in the background and in a session of its own, unless it runs
    running "$1" && return
    setsid nsenter --net="/run/netns/$NS" "${@:3}" </dev/null >>"$2" 2>&1 &
    echo $! >"$1"
    disown
}
wait_for() { # SECONDS COMMAND...: until it succeeds
    local left
    for ((left = $1 * 10; left > 0; left--)); do
        "${@:2}" >/dev/null 2>&1 && return
        sleep .1
    done
    echo "gave up after $1 s: ${*:2}" >&2
    tail -n 5 "$B"/log/* >&2 || true
    return 1
}

gluster_cli() { inside gluster --mode=script --glusterd-sock="$B/run/glusterd.sock" --log-file="$B/log/cli" "$@"; }
gluster_servers() { # with its default options: as it comes
    cat >"$B/glusterd.vol" <<CONF
volume management
    type mgmt/glusterd
    option working-directory $B/data
    option run-directory $B/run
    option glusterd-sockfile $B/run/glusterd.sock
    option transport-type socket
    option transport.socket.listen-port 24007
    option ping-timeout 0
    option max-port 60999
end-volume
CONF
    start "$B/glusterd.pid" "$B/log/out" glusterd -N -f "$B/glusterd.vol" -l "$B/log/glusterd"
    wait_for 30 gluster_cli volume list
    gluster_cli volume info v1 >/dev/null 2>&1 || gluster_cli volume create v1 "$IP:$B/brick" force
    gluster_cli volume status v1 >/dev/null 2>&1 || gluster_cli volume start v1
}
moosefs_servers() {
    mkdir -p "$B"/data/{master,chunk} "$B/brick"
    printf '%s\n' WORKING_USER=root WORKING_GROUP=root SYSLOG_IDENT=mfsmaster \
        "DATA_PATH=$B/data/master" "EXPORTS_FILENAME=$B/exports" >"$B/master.cfg"
    printf '%s\n' WORKING_USER=root WORKING_GROUP=root \
        "DATA_PATH=$B/data/chunk" "HDD_CONF_FILENAME=$B/hdd" "MASTER_HOST=$IP" >"$B/chunk.cfg"
    echo '* / rw,alldirs,maproot=0' >"$B/exports"
    echo "$B/brick" >"$B/hdd"
    ls "$B"/data/master/metadata.mfs* >/dev/null 2>&1 || printf 'MFSM NEW' >"$B/data/master/metadata.mfs"
    start "$B/mfsmaster.pid" "$B/log/master" mfsmaster -c "$B/master.cfg" -a -d
    start "$B/mfschunkserver.pid" "$B/log/chunk" mfschunkserver -c "$B/chunk.cfg" -d
    wait_for 30 inside bash -c "exec 3<>/dev/tcp/$IP/9421" # mfsmount does not try twice
}
mount_at() { # NAME
    running "$B/$1.$CLIENT.pid" && mountpoint -q "$B/$1" && return
    umount -l "$B/$1" 2>/dev/null || true
    mkdir -p "$B/$1"
    case $FS in
        gluster) start "$B/$1.$CLIENT.pid" "$B/log/$1.out" glusterfs -N -s "$IP" --volfile-id=v1 -l "$B/log/$1" "$B/$1" ;;
        moosefs) start "$B/$1.$CLIENT.pid" "$B/log/$1.out" mfsmount -f -H "$IP" "$B/$1" ;;
    esac
    wait_for 30 mountpoint -q "$B/$1"
}
usable() { timeout 5 sh -c 'echo x >"$0/.up" && [ "$(cat "$1/.up")" = x ]' "$B/a" "$B/b"; }

up() {
    mkdir -p "$B"/{run,log,data}
    if [ ! -e "/run/netns/$NS" ]; then
        ip netns add "$NS"
        ip -n "$NS" link set lo up
        ip -n "$NS" addr add "$IP/32" dev lo
    fi
    "${FS}_servers"
    mount_at a
    mount_at b
    wait_for 60 usable
}

empty() { [ -z "$(ip netns pids "$NS")" ]; }
down() {
    local signal strays=
    umount -l "$B/a" 2>/dev/null || true
    umount -l "$B/b" 2>/dev/null || true
    [ -e "/run/netns/$NS" ] || return 0
    # What gluster has put elsewhere, whatever its options say: the sockets of its bricks, and their logs.
    strays=$(inside ss -xlH | grep -oE '/[^ ]*/gluster/[0-9a-f]+\.socket' || true)
    for signal in TERM KILL; do # to all that runs in our namespace: clients, servers and what these have started
        ip netns pids "$NS" | xargs -r kill -$signal 2>/dev/null || true
        wait_for 10 empty 2>/dev/null && break
    done
    ip netns del "$NS"
    rm -f "$B"/*.pid $strays "/var/log/glusterfs/bricks/$(printf %s "${B#/}/brick" | tr / -).log"
}

case $VERB in up | down) $VERB >&2 ;; *) exit 2 ;; esac
