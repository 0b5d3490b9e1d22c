#!/bin/sh
# Starts COUNT spot machines, each with one minion:  sh launch.sh COUNT IMAGE [OPTION...]     options are gcloud's own
set -eu
[ $# -ge 2 ] || { echo "usage: sh launch.sh COUNT IMAGE [--zone=ZONE ...]" >&2; exit 2; }
count=$1 image=$2
shift 2
cd "$(dirname "$0")"
# DELETE, when it is preempted; MAX_RUN is the last resort against a bill nobody expected.
exec gcloud compute instances bulk create --name-pattern="minion-$(date +%y%m%d-%H%M%S)-###" --count="$count" \
    --machine-type="${MACHINE:-e2-standard-4}" --image-family=cos-stable --image-project=cos-cloud \
    --provisioning-model=SPOT --instance-termination-action=DELETE --max-run-duration="${MAX_RUN:-12h}" \
    --scopes=cloud-platform --labels=minions=1 --metadata="minion-image=$image" \
    --metadata-from-file=startup-script=startup.sh,shutdown-script=shutdown.sh,minion-environment=minion.env "$@"
