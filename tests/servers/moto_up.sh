#!/usr/bin/env bash
# A moto server, which stands for AWS, on the loopback; jobs of its Batch really run, in the containers of DOCKER_HOST.
#
#   moto_up.sh tools                  the virtual environment with moto and the aws command (made once, in the cache); prints its bin
#   eval "$(moto_up.sh up BASE)"      starts it on MOTO_PORT; prints `export ...`: address, credentials of no worth, region
#   moto_up.sh down BASE              ends it
set -euo pipefail
umask 022
CACHE=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/minionize-tests
VENV=$CACHE/moto-5.2-1
PYTHON=${PYTHON:-python3}
VERB=$1 B=${2:-}

tools() {
    mkdir -p "$CACHE"
    exec 8>>"$VENV.lock"
    flock 8 # one at a time
    if ! [ -e "$VENV/ready" ]; then
        rm -rf "$VENV"
        "$PYTHON" -m venv "$VENV" >&2
        "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check 'moto[server,batch]==5.2.*' awscli >&2
        : >"$VENV/ready"
    fi
    exec 8>&-
    echo "$VENV/bin"
}
running() {
    local pid
    pid=$(cat "$B/moto.pid" 2>/dev/null) && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q moto_server
}
up() {
    local bin left
    bin=$(tools)
    mkdir -p "$B"
    export MOTO_HOST=http://127.0.0.1 MOTO_PORT MOTO_DOCKER_NETWORK_MODE=host
    running || {
        setsid "$bin/python" "$bin/moto_server" -H 127.0.0.1 -p "$MOTO_PORT" </dev/null >>"$B/log" 2>&1 &
        echo $! >"$B/moto.pid"
        disown
    }
    for ((left = 600; left > 0; left--)); do
        "$bin/python" -c "import urllib.request as u; u.urlopen('http://127.0.0.1:$MOTO_PORT/moto-api/')" 2>/dev/null && break
        running || { tail -n 5 "$B/log" >&2; exit 1; }
        sleep .1
    done
    printf 'export AWS_ENDPOINT_URL=%q AWS_ACCESS_KEY_ID=x AWS_SECRET_ACCESS_KEY=x AWS_DEFAULT_REGION=eu-west-1\n' "http://127.0.0.1:$MOTO_PORT"
}
down() {
    running || return 0
    local pid left
    pid=$(cat "$B/moto.pid")
    kill "$pid" || true
    for ((left = 50; left > 0; left--)); do running || return 0; sleep .1; done
    kill -KILL "$pid" || true
}
"$VERB"
