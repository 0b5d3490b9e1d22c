#!/usr/bin/env bash
# A throw-away OAR (2.5, Debian's) on one machine: PostgreSQL, sshd and Almighty, all of them in a mount and a network namespace of
# their own. So several live side by side, and nothing outside of DIR is changed: configuration, state, and the user who submits
# (OAR refuses root) are private copies, mounted over the machine's.
#   oar_up.sh up DIR                start what does not run, wait until all resources are alive
#   oar_up.sh run DIR CWD COMMAND   run COMMAND in that directory as the user, where OAR is: oarsub, oarstat, ...
#   oar_up.sh down DIR              delete all jobs, stop what `up` started; DIR stays
#   oar_up.sh status DIR            exit 0 if it runs
# Root only; needs the Debian packages in PACKAGES below. DIR and those above it have to be open to all.
# It has 4 nodes (node1 ... node4, all of them this machine) of 3 cores each, with the properties host, cpu and core.
set -euo pipefail; umask 022
PATH=$PATH:/usr/sbin:/sbin
PACKAGES="libjson-perl oar-server oar-server-pgsql oar-node oar-user oar-user-pgsql postgresql openssh-server openssh-client iproute2 util-linux"
VERB=${1:-}; B=${2:-}; JOB_USER=minion; NODES="node1 node2 node3 node4"; CORES=3
say() { echo "oar_up.sh: $*" >&2; }
die() { say "$@"; exit 1; }
[ -n "$B" ] || { sed -n 2,10p "$0" >&2; exit 2; }
[ "$(id -u)" = 0 ] || die "it has to be root"
mkdir -p "$B"; B=$(cd "$B" && pwd); chmod 0755 "$B"
PG=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -1)

running() { # COMMAND.pid: that process runs COMMAND; a zombie or a stranger under a recycled pid does not count
  local p n=${1##*/}; p=$(head -n1 "$1" 2>/dev/null) && [ -n "$p" ] && readlink "/proc/$p/exe" >/dev/null &&
    [ "$(cat "/proc/$p/comm")" = "${n%.pid}" ]; }
stop() { # PIDFILE: SIGTERM, SIGKILL after 10 s
  local n p
  if running "$1"; then
    p=$(head -n1 "$1"); kill -TERM "$p" || true
    for ((n = 100; n > 0; n--)); do running "$1" || break; sleep .1; done
    ! running "$1" || kill -KILL "$p"
  fi
  rm -f "$1"; }
wait_for() { # SECONDS COMMAND...: until it succeeds
  local n; for ((n = $1 * 20; n > 0; n--)); do "${@:2}" >/dev/null 2>&1 && return; sleep .05; done
  tail -n 5 "$B"/log/* >&2 || true; die "waited $1 s in vain: ${*:2}"; }
inside() { nsenter --target "$(cat "$B/run/sleep.pid")" --mount --net -- "$@"; } # COMMAND...: as root, where OAR is
pg() { inside runuser -u postgres -- "$PG/$1" "${@:2}"; }
sql() { inside psql -h 127.0.0.1 -tAX "$@"; }

setting() { # KEY VALUE: in the private oar.conf
  if grep -qE "^#? ?$1=" "$B/etc/oar/oar.conf"; then sed -i -E "0,/^#? ?$1=.*/s||$1=\"$2\"|" "$B/etc/oar/oar.conf"
  else echo "$1=\"$2\"" >>"$B/etc/oar/oar.conf"; fi; }
private() { # copies of the directories where something differs here: a mounted file would go when somebody replaces what is below
  local n
  [ -d "$B/etc" ] || cp -a /etc "$B/etc"
  [ -d "$B/lib" ] || cp -a /usr/lib/oar "$B/lib"
  [ -d "$B/state" ] || cp -a /var/lib/oar "$B/state"
  setting DB_TYPE Pg; setting DB_HOSTNAME 127.0.0.1; setting DB_PORT 5432; setting DB_BASE_NAME oar
  setting DB_BASE_LOGIN oar; setting DB_BASE_PASSWD oar; setting DB_BASE_LOGIN_RO oar_ro; setting DB_BASE_PASSWD_RO oar_ro
  setting SERVER_HOSTNAME localhost; setting SERVER_PORT 6666; setting LOG_LEVEL 3; setting LOG_FILE "$B/log/oar.log"
  setting SCHEDULER_MIN_TIME_BETWEEN_2_CALLS 1; setting SCHEDULER_JOB_SECURITY_TIME 1
  setting SCHEDULER_GANTT_HOLE_MINIMUM_TIME 1; setting SCHEDULER_FAIRSHARING_MAX_JOB_PER_USER 1000
  setting FINAUD_FREQUENCY 0; setting PINGCHECKER_GENERIC_COMMAND /bin/true # its one node is here
  sed -i -E 's|^(PINGCHECKER_SENTINELLE_SCRIPT_COMMAND=.*)|#\1|; s|^(JOB_RESOURCE_MANAGER_PROPERTY_DB_FIELD=.*)|#\1|; s|^(CPUSET_PATH=.*)|#\1|' "$B/etc/oar/oar.conf"
  # Almighty looks at ended jobs every 10 s and at checkpointed ones every 60 s: here 1 s and 5 s.
  sed -e 's/read_commands_timeout = [0-9]*;/read_commands_timeout = 1;/' -e 's/schedulertimeout = [0-9]*;/schedulertimeout = 5;/' \
    /usr/lib/oar/Almighty >"$B/lib/Almighty"
  { grep -v "^$JOB_USER:" /etc/passwd; echo "$JOB_USER:*:60123:60123::$B/home:/bin/bash"; } >"$B/etc/passwd"
  { grep -v "^$JOB_USER:" /etc/group; echo "$JOB_USER:x:60123:"; } >"$B/etc/group"
  { cat /etc/hosts; for n in $NODES; do echo "127.0.0.1 $n"; done; } >"$B/etc/hosts"
  mkdir -p "$B/home"; mkdir -p -m 1777 "$B/tmp"
  echo "export TMPDIR=$B/tmp" >"$B/home/.bashrc" # what killed jobs leave goes with us
  chown 60123:60123 "$B/home" "$B/home/.bashrc"
  touch "$B/log/oar.log"; chown oar "$B/log/oar.log"
}
namespaces() { # a process that holds them
  running "$B/run/sleep.pid" && return
  private
  setsid unshare --mount --net sh -ec '
    ip link set lo up
    mount --bind "$1/etc" /etc; mount --bind "$1/lib" /usr/lib/oar; mount --bind "$1/state" /var/lib/oar
    mkdir -p /run/sshd; exec sleep infinity' - "$B" </dev/null >"$B/log/namespaces.log" 2>&1 9>&- &
  echo $! >"$B/run/sleep.pid"; disown
  wait_for 10 running "$B/run/sleep.pid"
}
database() {
  if ! [ -s "$B/pg/PG_VERSION" ]; then
    install -d -o postgres -g postgres -m 0700 "$B/pg"
    pg initdb -D "$B/pg" -A trust -U postgres --no-sync -E UTF8 --locale=C.UTF-8 >"$B/log/initdb.log"
    cat >>"$B/pg/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
fsync = off
synchronous_commit = off
max_connections = 100
CONF
  fi
  pg pg_ctl -D "$B/pg" status >/dev/null || pg pg_ctl -D "$B/pg" -l "$B/pg/log" -w start >/dev/null 9>&-
  [ "$(sql -U postgres -c "select 1 from pg_database where datname = 'oar'")" = 1 ] ||
    inside oar-database --create --db-admin-user=postgres --db-admin-pass=x >"$B/log/database.log" 2>&1
}
resources() {
  local n; n=$(sql -U oar -d oar -c "select count(*) from resources")
  if [ "$n" = 0 ]; then
    inside oarproperty -c -a host; inside oarproperty -a cpu; inside oarproperty -a core
    inside sh -c "core=0; for n in $NODES; do for _ in \$(seq $CORES); do
      core=\$((core + 1)); oarnodesetting -a -h \$n -p host=\$n -p cpu=1 -p core=\$core; done; done"
  fi >/dev/null
  inside oarnodesetting -s Alive --sql true >/dev/null; }
logged_in() { # from the server on every node
  inside runuser -u oar -- sh -ec 'for n; do
    ssh -p 6667 -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile=/var/lib/oar/.ssh/known_hosts $n true; done' - localhost $NODES; }
up() {
  [ -x /usr/lib/oar/Almighty ] && [ -x "$PG/initdb" ] && command -v oarsub sshd ip nsenter >/dev/null || die "it needs: apt-get install $PACKAGES"
  mkdir -p "$B"/{run,log}; chmod 0755 "$B"/{run,log}
  namespaces
  database
  running "$B/run/sshd.pid" || inside /usr/sbin/sshd -f /etc/oar/sshd_config -o ListenAddress=127.0.0.1 -o PidFile="$B/run/sshd.pid" -E "$B/log/sshd.log" 2>/dev/null 9>&-
  wait_for 10 logged_in
  if ! running "$B/run/Almighty.pid"; then
    setsid nsenter --target "$(cat "$B/run/sleep.pid")" --mount --net -- /usr/sbin/Almighty </dev/null >>"$B/log/Almighty.log" 2>&1 9>&- &
    echo $! >"$B/run/Almighty.pid"; disown
  fi
  wait_for 10 inside bash -c 'exec 3<>/dev/tcp/127.0.0.1/6666'
  resources
}
open="state not in ('Terminated', 'Error')"
no_jobs() { [ "$(sql -U oar -d oar -c "select count(*) from jobs where $open")" = 0 ]; }
members() { # processes in the namespace of ours
  local p net; net=$(readlink "/proc/$(cat "$B/run/sleep.pid")/ns/net") || return 0
  for p in /proc/[0-9]*; do [ "$(readlink "$p/ns/net" 2>/dev/null)" != "$net" ] || echo "${p#/proc/}"; done; }
down() {
  local p
  running "$B/run/sleep.pid" || return 0
  if running "$B/run/Almighty.pid"; then inside oardel --sql "$open" || true; wait_for 15 no_jobs || true; stop "$B/run/Almighty.pid"; fi
  stop "$B/run/sshd.pid"
  ! pg pg_ctl -D "$B/pg" status >/dev/null 2>&1 || pg pg_ctl -D "$B/pg" -m fast -w stop >/dev/null
  for p in $(members); do kill -KILL "$p" 2>/dev/null || true; done
  rm -f "$B"/run/*
}
case $VERB in
  up) exec 9>"$B/lock"; flock -w 120 9; up >&2;;
  down) exec 9>"$B/lock"; flock -w 120 9; down >&2;;
  run) exec nsenter --target "$(cat "$B/run/sleep.pid")" --mount --net -- \
    runuser -u "$JOB_USER" -- env HOME="$B/home" USER="$JOB_USER" LOGNAME="$JOB_USER" sh -c 'cd "$1" && shift && exec "$@"' - "${@:3}";;
  status) running "$B/run/Almighty.pid" && running "$B/run/sshd.pid" && inside oarnodes -s >&2;;
  *) sed -n 2,10p "$0" >&2; exit 2;;
esac
