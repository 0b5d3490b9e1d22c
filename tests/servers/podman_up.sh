#!/usr/bin/env bash
# Podman for tests: a store, locks and an image of its own, so that nobody else's containers are seen or touched. Root only; it
# installs nothing. BASE holds everything, and can be deleted after `down`.
#
#   eval "$(podman_up.sh up BASE)"       make the store and the image localhost/bb:1 (busybox); prints `export ...`
#   eval "$(podman_up.sh service BASE)"  the same, and the Docker-compatible API on a socket: DOCKER_HOST is in the exports then
#   podman_up.sh down BASE               remove all containers of the store, stop the API, unmount
set -euo pipefail
umask 022
PATH=$PATH:/usr/sbin:/sbin
VERB=$1 B=$2
export CONTAINERS_CONF=$B/containers.conf CONTAINERS_STORAGE_CONF=$B/storage.conf
SOCKET=unix://$B/podman.sock

running() { # PIDFILE: that process is ours, and no stranger under a recycled pid
    local pid
    pid=$(cat "$1" 2>/dev/null) && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q "$SOCKET"
}
wait_for() { # SECONDS COMMAND...: until it succeeds
    local left
    for ((left = $1 * 10; left > 0; left--)); do
        "${@:2}" >/dev/null 2>&1 && return
        sleep .1
    done
    echo "gave up after $1 s: ${*:2}" >&2
    tail -n 5 "$B"/log >&2 || true
    return 1
}
configure() {
    # runc: crun refuses control groups in hybrid mode. Limits of our own: podman's raise those of the caller, which takes
    # CAP_SYS_RESOURCE. File locks: those in shared memory are one set for all stores of a machine, and a new store frees them all.
    cat >"$CONTAINERS_CONF" <<CONF
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
netns = "host"
log_driver = "k8s-file"
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
lock_type = "file"
tmp_dir = "$B/tmp"
volume_path = "$B/volumes"
image_default_transport = "containers-storage:"
[network]
network_backend = "netavark"
network_config_dir = "$B/networks"
CONF
    cat >"$CONTAINERS_STORAGE_CONF" <<CONF
[storage]
driver = "overlay"
graphroot = "$B/storage"
runroot = "$B/run"
CONF
}
image() {
    podman image exists localhost/bb:1 && return
    mkdir -p "$B"/rootfs/{bin,etc,tmp,dev,proc,sys}
    chmod 1777 "$B/rootfs/tmp"
    cp "$(command -v busybox)" "$B/rootfs/bin/busybox"
    chroot "$B/rootfs" /bin/busybox --install -s /bin
    echo 'root:x:0:0:root:/:/bin/sh' >"$B/rootfs/etc/passwd"
    tar -C "$B/rootfs" -c . | podman import -q -c 'ENV PATH=/usr/local/bin:/usr/bin:/bin' -c 'CMD ["/bin/sh"]' - localhost/bb:1
    rm -rf "$B/rootfs"
}
up() {
    configure
    image
}
service() {
    up
    if ! running "$B/podman.pid"; then
        setsid podman system service --time=0 "$SOCKET" </dev/null >>"$B/log" 2>&1 9>&- &
        echo $! >"$B/podman.pid"
        disown
    fi
    wait_for 20 podman --remote --url "$SOCKET" info
}
down() {
    [ -e "$CONTAINERS_CONF" ] || return 0
    podman rm -fa -t 0 || true
    if running "$B/podman.pid"; then
        kill "$(cat "$B/podman.pid")" || true
        local left
        for ((left = 50; left > 0; left--)); do running "$B/podman.pid" && sleep .1 || break; done
        ! running "$B/podman.pid" || kill -KILL "$(cat "$B/podman.pid")"
    fi
    umount "$B/storage/overlay" 2>/dev/null || true
}
exports() {
    local name
    printf export
    for name; do printf ' %s=%q' "$name" "${!name}"; done
    echo
}

mkdir -p "$B"
exec 9>>"$B/starter.lock"
flock 9 # one at a time; no server inherits the lock, nor our output
case $VERB in
up)
    up </dev/null >&2
    exports CONTAINERS_CONF CONTAINERS_STORAGE_CONF
    ;;
service)
    service </dev/null >&2
    export DOCKER_HOST=$SOCKET
    exports CONTAINERS_CONF CONTAINERS_STORAGE_CONF DOCKER_HOST
    ;;
down) down </dev/null >&2 ;;
*) exit 2 ;;
esac
