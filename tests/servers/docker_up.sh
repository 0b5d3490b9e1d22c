#!/usr/bin/env bash
# A Docker daemon for tests, with a store, a socket and a containerd of its own, and no network. Root only; it installs nothing.
#
#   eval "$(docker_up.sh up BASE)"    start it, with the image localhost/bb:1 (busybox); prints `export DOCKER_HOST=...`
#   docker_up.sh down BASE            remove its containers, stop it, unmount; BASE can be deleted then
set -euo pipefail
umask 022
PATH=$PATH:/usr/sbin:/sbin
VERB=$1 B=$2
export DOCKER_HOST=unix://$B/docker.sock HOME=$B

running() { # the process in the pid file is our dockerd, and no stranger under a recycled pid
    local pid
    pid=$(cat "$B/starter.pid" 2>/dev/null) && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q "$DOCKER_HOST"
}
wait_for() { # SECONDS COMMAND...: until it succeeds
    local left
    for ((left = $1 * 10; left > 0; left--)); do
        "${@:2}" >/dev/null 2>&1 && return
        sleep .1
    done
    echo "gave up after $1 s: ${*:2}" >&2
    tail -n 5 "$B/log" >&2 || true
    return 1
}
up() {
    if ! running; then
        echo '{}' >"$B/daemon.json" # not that of the machine
        setsid dockerd --config-file="$B/daemon.json" --data-root="$B/data" --exec-root="$B/exec" --pidfile="$B/docker.pid" \
            --host="$DOCKER_HOST" --bridge=none --iptables=false --ip-forward=false --ip-masq=false --cgroup-parent=/minionize-test \
            </dev/null >>"$B/log" 2>&1 9>&- &
        echo $! >"$B/starter.pid"
        disown
    fi
    wait_for 60 docker version
    docker image inspect localhost/bb:1 >/dev/null 2>&1 && return
    mkdir -p "$B"/rootfs/{bin,etc,tmp,dev,proc,sys}
    chmod 1777 "$B/rootfs/tmp"
    cp "$(command -v busybox)" "$B/rootfs/bin/busybox"
    chroot "$B/rootfs" /bin/busybox --install -s /bin
    echo 'root:x:0:0:root:/:/bin/sh' >"$B/rootfs/etc/passwd"
    tar -C "$B/rootfs" -c . | docker import -c 'ENV PATH=/usr/local/bin:/usr/bin:/bin' -c 'CMD ["/bin/sh"]' - localhost/bb:1 >/dev/null
    rm -rf "$B/rootfs"
}
down() {
    running || return 0
    local left ids
    ids=$(docker ps -aq) && [ -z "$ids" ] || docker rm -f $ids >/dev/null || true
    kill "$(cat "$B/starter.pid")"
    for ((left = 150; left > 0; left--)); do running && sleep .1 || break; done
    ! running || kill -KILL "$(cat "$B/starter.pid")"
    umount "$B"/exec/netns/* 2>/dev/null || true
    rmdir /sys/fs/cgroup/*/minionize-test /sys/fs/cgroup/minionize-test 2>/dev/null || true
}

mkdir -p "$B"
exec 9>>"$B/starter.lock"
flock 9 # one at a time; no server inherits the lock, nor our output
case $VERB in
up)
    up </dev/null >&2
    printf 'export DOCKER_HOST=%q\n' "$DOCKER_HOST"
    ;;
down) down </dev/null >&2 ;;
*) exit 2 ;;
esac
