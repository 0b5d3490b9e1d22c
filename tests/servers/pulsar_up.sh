#!/usr/bin/env bash
# A real Apache Pulsar standalone (broker + bookie + RocksDB metadata in one JVM) on 127.0.0.1, from Maven Central jars.
#   pulsar_up.sh up [DIR]       start (2.5 s; the first time 1-2 min for ~235 MB of jars); stdout = exports:  eval "$(pulsar_up.sh up)"
#   pulsar_up.sh down [DIR]     stop by the pid file, KILL after 15 s; the data stay
#   pulsar_up.sh restart [DIR]  down + up, same data and ports      kill9 [DIR]  SIGKILL (then `up` = crash recovery)
#   pulsar_up.sh freeze [DIR]   SIGSTOP      thaw [DIR]  SIGCONT
#   pulsar_up.sh wipe [DIR]     down, then drop the data
#   pulsar_up.sh status [DIR]   exit 0 = running, 3 = not
#   pulsar_up.sh jars           fetch what is missing, start nothing
# DIR: ${TMPDIR:-/tmp}/minionize-pulsar.  Needs: java 17 or 21, mvn (to fetch the jars), curl.
# Several brokers live side by side: a DIR and a pair of ports each. They share the jars and a class archive, which are in
#   PULSAR_JARS=~/.cache/minionize-tests/pulsar-VERSION
# Env: PULSAR_PORT=6650  PULSAR_WEB_PORT=8650 (admin)  PULSAR_BOOKIE_PORT=8651
#      PULSAR_KEEPALIVE=5 s between broker pings: a frozen client is dropped after 1-2 of them (stock: 30)
#      PULSAR_EXTRA=$'key=value\nkey=value' added to standalone.conf   PULSAR_HEAP=512m  PULSAR_DIRECT=512m
#      PULSAR_HEADER='Authorization: Bearer ...' for our own look whether it is ready, where it lets nobody in
#      PULSAR_LOG=warn|info|debug  PULSAR_VERSION=4.0.7  PULSAR_TIMEOUT=90 s to become ready
set -euo pipefail
V=${PULSAR_VERSION:-4.0.7}
C=${1:-up}; D=${2:-${TMPDIR:-/tmp}/minionize-pulsar}
mkdir -p "$D"; D=$(cd "$D" && pwd -P)
CONF=$D/standalone.conf; CACHE=${PULSAR_JARS:-${XDG_CACHE_HOME:-$HOME/.cache}/minionize-tests/pulsar-$V}; LIB=$CACHE/lib; CDS=$CACHE/classes.jsa
if [ -n "${JAVA_HOME:-}" ] && [ -x "$JAVA_HOME/bin/java" ]; then JAVA=$JAVA_HOME/bin/java; else JAVA=java; fi

say() { echo "pulsar_up: $*" >&2; }
die() { say "$*"; echo false; exit 1; }                        # `eval "$(pulsar_up.sh up)"` fails too
pid() { cat "$D/pid" 2>/dev/null || true; }
alive() { # the pid of the file lives and is our broker, not a reused number
  local p; p=$(pid); [ -n "$p" ] && kill -0 "$p" 2>/dev/null && case $(ps -ww -o args= -p "$p") in *" $CONF "*) ;; *) false;; esac; }
exists() { # PID; a zombie nobody reaps does not count, unless threads of it still run
  kill -0 "$1" 2>/dev/null && case $(ps -o stat=,nlwp= -p "$1") in Z*[[:space:]][01]) false;; esac; }
busy() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
ports() { if [ -s "$D/ports" ]; then read -r PORT WEB BOOKIE < "$D/ports"; else PORT=; WEB=; BOOKIE=; fi; }
get() { curl -fs -m 5 -o /dev/null ${PULSAR_HEADER:+-H "$PULSAR_HEADER"} "http://127.0.0.1:$WEB/admin/v2/$1"; }
exports() { ports; echo "export PULSAR_CONNECTION=pulsar://127.0.0.1:$PORT PULSAR_ADMIN=http://127.0.0.1:$WEB"; }

jars() {
  [ -d "$LIB" ] && return
  command -v mvn >/dev/null || die "mvn not found"
  mkdir -p "$CACHE"
  exec 8>"$CACHE/lock"; flock 8                                # one of us fetches, the others wait
  [ -d "$LIB" ] && { exec 8>&-; return; }
  say "fetching the jars of Pulsar $V (once)"
  local fetch; fetch=$(mktemp -d "$CACHE/fetch.XXXXXX")
  # the versions come from Pulsar's own parent pom; etcd and Kubernetes clients are not needed here
  cat > "$fetch/pom.xml" <<POM
<project>
  <modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>pulsar-jars</artifactId><version>1</version><packaging>pom</packaging>
  <dependencyManagement><dependencies>
    <dependency><groupId>org.apache.pulsar</groupId><artifactId>pulsar</artifactId><version>$V</version><type>pom</type><scope>import</scope></dependency>
  </dependencies></dependencyManagement>
  <dependencies>
    <dependency><groupId>org.apache.pulsar</groupId><artifactId>pulsar-broker</artifactId><version>$V</version><exclusions>
      <exclusion><groupId>org.apache.pulsar</groupId><artifactId>jetcd-core-shaded</artifactId></exclusion>
      <exclusion><groupId>io.kubernetes</groupId><artifactId>*</artifactId></exclusion>
    </exclusions></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j2-impl</artifactId></dependency>
  </dependencies>
</project>
POM
  (cd "$fetch" && mvn -q -B -Dstyle.color=never dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory=lib) </dev/null >&2 8>&- ||
    { rm -rf "$fetch"; die "mvn failed"; }
  rm -f "$CDS"; mv "$fetch/lib" "$LIB"; rm -rf "$fetch"; exec 8>&-
}

conf() {
  cat > "$CONF" <<CONF
clusterName=standalone
bindAddress=127.0.0.1
advertisedAddress=127.0.0.1
brokerServicePort=$PORT
webServicePort=$WEB
# bookie: in the same JVM, on the loopback (its transport without sockets cannot read entries above 16 KiB);
# the port is ours to say only with allowEphemeralPorts; no fsync (the page cache survives kill9)
allowEphemeralPorts=true
allowLoopback=true
listeningInterface=lo
journalSyncData=false
journalPreAllocSizeMB=4
diskUsageThreshold=0.99
diskUsageWarnThreshold=0.98
journalFlushWhenQueueEmpty=true
# as in Pulsar's own configuration: without it one entry of 5 MiB, as chunks are, makes broker and bookie retry it for ever
nettyMaxFrameSizeBytes=5253120
managedLedgerDefaultEnsembleSize=1
managedLedgerDefaultWriteQuorum=1
managedLedgerDefaultAckQuorum=1
# acks reach the disk at once (stock: one write per second at most), so kill9 gives back only what was not acked
managedLedgerDefaultMarkDeleteRateLimit=100000
loadBalancerEnabled=false
transactionCoordinatorEnabled=false
systemTopicEnabled=false
topicLevelPoliciesEnabled=false
numHttpServerThreads=8
# queues: never delete, expire or move anything on its own
allowAutoTopicCreation=true
allowAutoTopicCreationType=non-partitioned
brokerDeleteInactiveTopicsEnabled=false
subscriptionExpirationTimeMinutes=0
ttlDurationDefaultInSeconds=0
backlogQuotaDefaultLimitBytes=-1
acknowledgmentAtBatchIndexLevelEnabled=true
delayedDeliveryEnabled=true
delayedDeliveryTickTimeMillis=100
isDelayedDeliveryDeliverAtTimeStrict=true
keepAliveIntervalSeconds=${PULSAR_KEEPALIVE:-5}
brokerShutdownTimeoutMs=2000
${PULSAR_EXTRA:-}
CONF
  cat > "$D/log4j2.properties" <<CONF
status=error
appender.o.type=Console
appender.o.name=o
appender.o.layout.type=PatternLayout
appender.o.layout.pattern=%d{HH:mm:ss.SSS} [%t] %-5p %c{1} - %m%n
rootLogger.level=${PULSAR_LOG:-warn}
rootLogger.appenderRef.o.ref=o
logger.lock.name=org.apache.pulsar.metadata.coordination.impl.ResourceLockImpl
logger.lock.level=info
CONF
}

start() { # the JVM; its pid to the pid file
  local o=() p
  for p in java.lang java.io java.util.zip java.nio jdk.internal.misc jdk.internal.platform sun.net; do o+=(--add-opens "java.base/$p=ALL-UNNAMED"); done
  o+=(--add-opens java.management/sun.management=ALL-UNNAMED --add-opens jdk.management/com.sun.management.internal=ALL-UNNAMED)
  # a class archive, written by the first clean stop, halves the start time
  rm -rf "$D/classes.new" "$D/tmp"; mkdir "$D/tmp"                   # unpacked native libraries, left behind by a kill9
  if [ -s "$CDS" ]; then o+=(-XX:SharedArchiveFile="$CDS" -Xshare:auto -Xlog:cds=off); else o+=(-XX:ArchiveClassesAtExit="$D/classes.new" -Xlog:cds=off -Xlog:cds+dynamic=off); fi
  cd "$D"
  setsid "$JAVA" -Xmx"${PULSAR_HEAP:-512m}" -XX:MaxDirectMemorySize="${PULSAR_DIRECT:-512m}" \
    -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -XX:ActiveProcessorCount=2 -XX:-UsePerfData "${o[@]}" \
    -Djava.io.tmpdir="$D/tmp" -Djava.net.preferIPv4Stack=true -Dio.netty.tryReflectionSetAccessible=true -Dlog4j2.configurationFile="$D/log4j2.properties" \
    -Dbookkeeper.metadata.bookie.drivers=org.apache.pulsar.metadata.bookkeeper.PulsarMetadataBookieDriver \
    -Dbookkeeper.metadata.client.drivers=org.apache.pulsar.metadata.bookkeeper.PulsarMetadataClientDriver \
    -cp "$LIB/*" org.apache.pulsar.PulsarStandaloneStarter --config "$CONF" --num-bookies 1 --bookkeeper-port "$BOOKIE" -nfw -nss -a 127.0.0.1 \
    --metadata-dir "$D/data/metadata" --bookkeeper-dir "$D/data/bookie" </dev/null >"$D/log" 2>&1 9>&- &
  echo $! > "$D/pid"; disown
}
# After a SIGKILL the bookie's old registration may make it drop and take its lock without end (pulsar#17759); a clean stop cures it.
flaps() { [ "$(grep -c 'was invalidated' "$D/log")" -gt 20 ]; }
ready() { # 0 = ready, 1 = flapping
  local n=$SECONDS p; p=$(pid)
  # the namespace is made after the ports are open, hence both checks
  until get namespaces/public/default && get brokers/health; do
    exists "$p" || { tail -20 "$D/log" >&2; die "the broker died, see $D/log"; }
    ! flaps || return 1
    [ $((SECONDS - n)) -lt "${PULSAR_TIMEOUT:-90}" ] || { tail -20 "$D/log" >&2; stop; die "not ready in time, see $D/log"; }
    sleep .1
  done
  ! flaps
}
up() {
  if alive; then say "already running (pid $(pid))"; exports; return; fi
  command -v "$JAVA" >/dev/null || die "java not found"
  command -v curl >/dev/null || die "curl not found"
  PORT=${PULSAR_PORT:-6650}; WEB=${PULSAR_WEB_PORT:-8650}; BOOKIE=${PULSAR_BOOKIE_PORT:-8651}
  if busy "$PORT" || busy "$WEB" || busy "$BOOKIE"; then die "port $PORT, $WEB or $BOOKIE is taken: set PULSAR_PORT, PULSAR_WEB_PORT, PULSAR_BOOKIE_PORT"; fi
  jars; conf; echo "$PORT $WEB $BOOKIE" > "$D/ports"
  for _ in 1 2 3; do
    start
    if ready; then say "Pulsar $V is up (pid $(pid), log $D/log)"; exports; return; fi
    say "bookie registration flaps after an unclean stop: once more"; stop
  done
  die "the bookie registration still flaps: pulsar_up.sh wipe $D"
}

gone() { # PID SECONDS
  local n; for ((n = 0; n < $2 * 10; n++)); do exists "$1" || return 0; sleep .1; done; return 1; }
stop() {
  local p; p=$(pid); kill -CONT "$p"; kill -TERM "$p"
  if gone "$p" 15; then
    # another one may have written it meanwhile: the last one stays, whole
    if [ -s "$D/classes.new" ]; then cp "$D/classes.new" "$CDS.$$" && mv -f "$CDS.$$" "$CDS"; fi
  else
    say "no clean stop in 15 s: KILL"; kill -KILL "$p" 2>/dev/null || true; gone "$p" 5 || true
  fi
  rm -f "$D/pid" "$D/classes.new"
}
down() { if alive; then stop; say "stopped"; else rm -f "$D/pid"; say "not running"; fi; }
need() { alive || { say "not running"; exit 3; }; }

case $C in jars) jars; exit;; esac
case $C in up|down|restart|kill9|wipe) exec 9>"$D/lock"; flock 9;; esac   # one at a time
case $C in
  up) up;;
  down) down;;
  restart) ports; export PULSAR_PORT=${PULSAR_PORT:-${PORT:-6650}} PULSAR_WEB_PORT=${PULSAR_WEB_PORT:-${WEB:-8650}} PULSAR_BOOKIE_PORT=${PULSAR_BOOKIE_PORT:-${BOOKIE:-8651}}; down; up;;
  kill9) need; p=$(pid); kill -KILL "$p"; gone "$p" 10 || true; rm -f "$D/pid"; say "killed";;
  freeze) need; kill -STOP "$(pid)"; say "frozen";;
  thaw) need; kill -CONT "$(pid)"; say "thawed";;
  wipe) down; rm -rf "$D/data"; say "data dropped";;
  status) need; exports; say "running: $(ps -o pid=,stat=,rss=,etime= -p "$(pid)" | tr -s ' ') (pid state rss_kb age), data $(du -sh "$D/data" 2>/dev/null | cut -f1)";;
  *) sed -n '2,9p' "$0" >&2; exit 2;;
esac
