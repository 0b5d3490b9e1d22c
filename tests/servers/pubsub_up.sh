#!/usr/bin/env bash
# Google's own Pub/Sub emulator on 127.0.0.1, one process, everything in memory (a restart starts empty).
#   eval "$(pubsub_up.sh up [DIR])"   start if needed, wait until ready; stdout = two export lines, the rest goes to stderr
#   pubsub_up.sh down                 stop exactly what `up` started (by pid, with children)
#   pubsub_up.sh restart              TERM and start again: topics, subscriptions and messages are gone
#   pubsub_up.sh kill9                SIGKILL and leave it dead: connection refused
#   pubsub_up.sh freeze | thaw        SIGSTOP / SIGCONT: accepts connections, answers nothing
#   pubsub_up.sh status               exit 0 running, 3 stopped, 4 frozen
#   pubsub_up.sh jar                  print where the emulator is, or say what to install
# Every verb takes DIR (pid, log); default PUBSUB_BASE or $TMPDIR/pubsub-PORT, so servers on several ports live side by side.
# Env: PUBSUB_PORT=8538  PUBSUB_BASE  PUBSUB_EMULATOR_JAR (else looked for beside gcloud)  PUBSUB_XMX=512m  JAVA
set -euo pipefail
PORT=${PUBSUB_PORT:-8538}; VERB=${1:-up}
B=${2:-${PUBSUB_BASE:-${TMPDIR:-/tmp}/pubsub-$PORT}}
JAVA=${JAVA:-java}
say() { echo "pubsub_up.sh: $*" >&2; }
die() { say "$@"; exit 1; }

# pid file = "PID START": the start time (clock ticks, /proc/PID/stat field 22) tells our process from a later one with its number
born()  { local s; s=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; s=${s##*) }; set -- $s; echo "${20}"; }
pid()   { local p t; { read -r p t <"$B/pid"; } 2>/dev/null && [ "$(born "$p")" = "$t" ] && echo "$p"; }
state() { local s; s=$(cat "/proc/$1/stat" 2>/dev/null) || return 1; s=${s##*) }; echo "${s%% *}"; }
gone()  { case "$(state "$1")" in ''|Z|X) return 0;; esac; return 1; }
signal() { kill "-$1" -- "-$2" 2>/dev/null || true; }     # the whole group: setsid made the server its leader

jar() {
  if [ -n "${PUBSUB_EMULATOR_JAR:-}" ]; then
    [ -r "$PUBSUB_EMULATOR_JAR" ] || die "PUBSUB_EMULATOR_JAR=$PUBSUB_EMULATOR_JAR: no such file"
    echo "$PUBSUB_EMULATOR_JAR"; return
  fi
  local root j= gcloud
  gcloud=$(readlink -f "$(command -v gcloud || true)" || true)
  for root in ${gcloud:+"${gcloud%/bin/*}"} /usr/lib/google-cloud-sdk "${HOME:-/root}/google-cloud-sdk"; do
    j=$(ls "$root"/platform/pubsub-emulator/lib/cloud-pubsub-emulator-*.jar 2>/dev/null | sort -V | tail -1 || true)
    [ -z "$j" ] || break
  done
  [ -n "$j" ] || die "no Pub/Sub emulator: gcloud components install pubsub-emulator" \
    "(or Google's package google-cloud-cli-pubsub-emulator), or set PUBSUB_EMULATOR_JAR"
  command -v "$JAVA" >/dev/null || die "no java: apt-get install default-jre-headless, or set JAVA"
  echo "$j"
}
ready() { # the emulator answers GET / with "Ok"
  local l; { exec 4<>"/dev/tcp/127.0.0.1/$PORT"; } 2>/dev/null || return 1
  printf 'GET / HTTP/1.0\r\n\r\n' >&4; l=; read -r -t 2 l <&4 || true; exec 4>&-
  [[ $l == HTTP/*200* ]]
}
loopback() { # what pid $1 listens on beyond loopback, if anything
  command -v ss >/dev/null || return 0
  ss -Hltnp | grep "pid=$1," | awk '{print $4}' | grep -vE '^(127\.[0-9.]+|\[::1\]|\[::ffff:127\.[0-9.]+\]):' || true
}
start() {
  local p j l
  if p=$(pid); then
    [ "$(state "$p")" != T ] || { say "thawing $p"; signal CONT "$p"; }
  else
    j=$(jar)
    if (exec 4<>"/dev/tcp/127.0.0.1/$PORT") 2>/dev/null; then die "port $PORT is taken by another process; set PUBSUB_PORT"; fi
    setsid "$JAVA" "-Xmx${PUBSUB_XMX:-512m}" "-Djava.io.tmpdir=$B" -jar "$j" --host=127.0.0.1 --port="$PORT" \
      </dev/null >"$B/log" 2>&1 9>&- & p=$!
    disown; echo "$p $(born "$p")" >"$B/pid"
  fi
  for _ in $(seq 300); do
    if ready; then break; fi
    gone "$p" && { tail -5 "$B/log" >&2; rm -f "$B/pid"; die "the emulator did not start (log: $B/log)"; }
    sleep .1
  done
  ready || die "not ready after 30 s (log: $B/log)"
  l=$(loopback "$p"); [ -z "$l" ] || { stop; die "listened beyond loopback: $l"; }
}
stop() {
  local p; p=$(pid) || { rm -f "$B/pid"; return 0; }
  signal CONT "$p"; signal TERM "$p"
  for _ in $(seq 50); do gone "$p" && break; sleep .1; done
  signal KILL "$p"; rm -f "$B/pid"
}
p=$(pid || true)
need() { [ -n "$p" ] || { say "not running ($B)"; exit 3; }; }
case $VERB in up|down|restart|kill9)                         # one at a time: several test processes may call `up`
  command -v flock >/dev/null || die "no flock: install util-linux"
  [ "$VERB" = down ] && [ ! -d "$B" ] && exit 0
  mkdir -p "$B"; exec 9>"$B/lock"; flock -w 60 9 || die "another pubsub_up.sh holds $B/lock";;
esac
case $VERB in
  up|restart)
    [ "$VERB" = up ] || stop
    start
    echo "export PUBSUB_EMULATOR_HOST=127.0.0.1:$PORT"
    echo "export GOOGLE_PROJECT_ID=minionize-test";;
  down) stop;;
  kill9) need; signal KILL "$p"; for _ in $(seq 50); do gone "$p" && break; sleep .1; done; rm -f "$B/pid";;
  freeze) need; signal STOP "$p";;
  thaw) need; signal CONT "$p";;
  jar) jar;;
  status) need
    case "$(state "$p")" in T) echo "frozen: pid $p, 127.0.0.1:$PORT, $B"; exit 4;; esac
    echo "running: pid $p, 127.0.0.1:$PORT, $(awk '/VmRSS/{print int($2/1024)}' "/proc/$p/status") MiB, $B";;
  *) sed -n 2,12p "$0" >&2; exit 2;;
esac
