#!/usr/bin/env bash
# A throw-away Slurm cluster on 127.0.0.1: slurmctld, munged, and six nodes, each with a host name of its own (a UTS namespace).
#   slurm_up.sh up DIR       start what does not run, wait until all nodes are idle; stdout = exports:  eval "$(slurm_up.sh up DIR)"
#   slurm_up.sh down DIR     cancel all jobs, stop what `up` started (by pid file); DIR stays
#   slurm_up.sh status DIR   exit 0 if it runs
# Partitions: main (the default) = node[1-4]; on node[5-6] low, besteffort (5 s of GraceTime) and urgent, which preempts both by REQUEUE.
# Two CPUs a node, which are only counted.  Root only; needs the Debian packages slurmctld slurmd slurm-client munge, and unshare.
# Env: SLURM_PORTS="CTLD NODE1 ... NODE6"   SLURM_KILLWAIT=5 seconds between SIGTERM and SIGKILL
# Nothing outside of DIR is changed: names of nodes are in a private copy of /etc, the key of munge is our own.
set -euo pipefail; umask 022
PATH=$PATH:/usr/sbin:/sbin
VERB=${1:-}; B=${2:-}; NODES=6
say() { echo "slurm_up.sh: $*" >&2; }
die() { say "$@"; exit 1; }
[ -n "$B" ] || { sed -n 2,9p "$0" >&2; exit 2; }
[ "$(id -u)" = 0 ] || die "it has to be root"
mkdir -p "$B"; B=$(cd "$B" && pwd)
export SLURM_CONF=$B/etc/slurm.conf
read -r -a PORTS <<<"${SLURM_PORTS:-6817 6821 6822 6823 6824 6825 6826}"

running() { # [X-]COMMAND.pid: that process runs COMMAND; a zombie or a stranger under a recycled pid does not count
  local p; p=$(head -n1 "$1" 2>/dev/null) && [ -n "$p" ] && readlink "/proc/$p/exe" >/dev/null &&
    case $1 in *"$(cat "/proc/$p/comm")"*) ;; *) false;; esac; }
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

conf() {
  local n
  cat <<CONF
ClusterName=minionize
SlurmctldHost=localhost(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort=${PORTS[0]}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
AuthType=auth/munge
AuthInfo=socket=$B/run/munge.sock,cred_expire=5
CryptoType=crypto/munge
StateSaveLocation=$B/spool/slurmctld
SlurmdSpoolDir=$B/spool/%n
SlurmctldPidFile=$B/run/slurmctld.pid
SlurmdPidFile=$B/run/%n-slurmd.pid
SlurmctldLogFile=$B/log/slurmctld.log
SlurmdLogFile=$B/log/%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SchedulerType=sched/backfill
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=1,requeue_delay=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core,CR_LLN
MaxArraySize=10001
MinJobAge=300
KillWait=${SLURM_KILLWAIT:-5}
JobRequeue=1
ReturnToService=2
MpiDefault=none
MailProg=/bin/true
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
SlurmctldTimeout=30
SlurmdTimeout=60
SlurmdParameters=config_overrides
PartitionName=main Nodes=node[1-4] Default=YES MaxTime=INFINITE State=UP PriorityTier=10
PartitionName=low Nodes=node[5-6] MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE
PartitionName=besteffort Nodes=node[5-6] MaxTime=INFINITE State=UP PriorityTier=1 PreemptMode=REQUEUE GraceTime=5
PartitionName=urgent Nodes=node[5-6] MaxTime=INFINITE State=UP PriorityTier=100
CONF
  for ((n = 1; n <= NODES; n++)); do
    echo "NodeName=node$n NodeAddr=127.0.0.1 Port=${PORTS[n]} CPUs=2 Boards=1 SocketsPerBoard=1 CoresPerSocket=2 ThreadsPerCore=1 State=UNKNOWN"
  done
}
named() { # HOST COMMAND...: run it where the machine has that name, and all nodes are known
  unshare --uts --mount sh -c 'mount --bind "$1" /etc; hostname "$2"; shift 2; exec "$@"' - "$B/machine" "$@" </dev/null >>"$B/log/start.log" 2>&1 9>&-; }
idle() { [ "$(sinfo -h -N -o %T | grep -cxE 'idle|mixed|allocated')" -ge $((NODES + 2 * 2)) ]; } # a line per node and partition
up() {
  local n
  mkdir -p "$B"/{etc,run,log,spool/slurmctld}
  [ -s "$B/etc/munge.key" ] || head -c 1024 /dev/urandom >"$B/etc/munge.key"
  chmod 0400 "$B/etc/munge.key"; chmod 0711 "$B/etc"
  running "$B/run/munged.pid" || munged --force --num-threads=2 --key-file="$B/etc/munge.key" --socket="$B/run/munge.sock" \
    --pid-file="$B/run/munged.pid" --log-file="$B/log/munged.log" --seed-file="$B/run/munge.seed" 9>&-
  if [ ! -s "$SLURM_CONF" ]; then # those who join read it at this moment
    echo CgroupAutomount=no >"$B/etc/cgroup.conf"
    conf >"$SLURM_CONF.new"; mv "$SLURM_CONF.new" "$SLURM_CONF"
  fi
  # The whole directory: a mounted file would go when somebody replaces what is below.
  if [ ! -d "$B/machine" ]; then
    cp -a /etc "$B/machine"
    for ((n = 1; n <= NODES; n++)); do echo "127.0.0.1 node$n"; done >>"$B/machine/hosts"
  fi
  running "$B/run/slurmctld.pid" || named localhost slurmctld -f "$SLURM_CONF"
  for ((n = 1; n <= NODES; n++)); do
    mkdir -p "$B/spool/node$n"
    running "$B/run/node$n-slurmd.pid" || named "node$n" slurmd -f "$SLURM_CONF" -N "node$n"
  done
  wait_for 30 idle
}
no_jobs() { [ -z "$(squeue -h -t RUNNING,COMPLETING)" ]; }
down() {
  local file
  if running "$B/run/slurmctld.pid"; then
    scancel --state=PENDING || true
    scancel --full --signal=KILL --state=RUNNING || true
    wait_for 20 no_jobs || true
  fi
  for file in "$B"/run/*-slurmd.pid "$B/run/slurmctld.pid" "$B/run/munged.pid"; do stop "$file"; done
}
case $VERB in
  up) exec 9>"$B/lock"; flock -w 120 9; up >&2; echo "export SLURM_CONF=$(printf %q "$SLURM_CONF")";;
  down) exec 9>"$B/lock"; flock -w 120 9; down >&2;;
  status) running "$B/run/slurmctld.pid" && { sinfo; squeue; } >&2;;
  *) sed -n 2,9p "$0" >&2; exit 2;;
esac
