#!/bin/sh
# Runs when a virtual machine starts: one minion in a container, and at its end the machine is switched off.
# What to run are attributes of the machine: minion-image, and minion-environment, a NAME=value on each line.
set -eu
attribute() {
    curl -fsS -H 'Metadata-Flavor: Google' "http://metadata.google.internal/computeMetadata/v1/instance/attributes/$1"
}
finish() {
    code=$?
    echo "minion: the end, with exit code $code; switching off"
    poweroff
}
trap finish EXIT

# On Container-Optimized OS little else can be written to, and docker looks for logins in HOME.
export HOME="${MINION_HOME:-/var/lib/minion}"
mkdir -p "$HOME"
umask 077
image=$(attribute minion-image)
attribute minion-environment >"$HOME/environment"
registry=${image%%/*}
case $registry in
*.pkg.dev | *gcr.io) docker-credential-gcr configure-docker --registries="$registry" ;;
esac

docker rm --force minion >/dev/null 2>&1 || true # of a life before, where the machine was started again
# Events and output go to the log of the machine: its disk ends with it.
docker run --name minion --hostname "$(hostname)" --env MINION_PREEMPTIBLE=1 --env MINION_GRACE=15s --env MINION_REPORTER=stdout \
    --env-file "$HOME/environment" "$image"
