#!/usr/bin/env bash
# A throw-away sshd on 127.0.0.1 that lets only its own user in, by a key of its own; an ordinary process, not the system's service.
#   sshd_up.sh up DIR       make keys and start it, unless it runs; stdout = exports: eval "$(sshd_up.sh up DIR)"
#   sshd_up.sh down DIR     stop it (by pid file); DIR stays
#   sshd_up.sh status DIR   exit 0 if it runs
# ssh -F "$SSH_CONFIG" one: comes in; so does "two", under another name, and "nowhere" leads to a port where nobody listens.
# Env: SSHD_PORT=2222.  Needs the Debian packages openssh-server and openssh-client, but not root.
set -euo pipefail; umask 077
PATH=$PATH:/usr/sbin:/sbin
VERB=${1:-}; B=${2:-}; PORT=${SSHD_PORT:-2222}
say() { echo "sshd_up.sh: $*" >&2; }
die() { say "$@"; exit 1; }
[ -n "$B" ] || { sed -n 2,7p "$0" >&2; exit 2; }
mkdir -p "$B"; B=$(cd "$B" && pwd)
SSHD=$(command -v sshd) || die "there is no sshd: apt-get install --no-install-recommends openssh-server openssh-client"

running() { # the process of the pid file is an sshd, and no stranger under a recycled pid
  local p; p=$(head -n1 "$B/sshd.pid" 2>/dev/null) && [ -n "$p" ] && [ "$(cat "/proc/$p/comm" 2>/dev/null)" = sshd ]; }
answers() { ssh -F "$B/config" one true; }

up() {
  local n
  for n in host_key user_key; do [ -s "$B/$n" ] || ssh-keygen -q -t ed25519 -N '' -C minionize -f "$B/$n"; done
  cp "$B/user_key.pub" "$B/authorized_keys"
  echo "[127.0.0.1]:$PORT $(cut -d ' ' -f 1,2 "$B/host_key.pub")" >"$B/known_hosts"
  cat >"$B/sshd_config" <<CONF
ListenAddress 127.0.0.1:$PORT
HostKey $B/host_key
PidFile $B/sshd.pid
AuthorizedKeysFile $B/authorized_keys
AllowUsers $(id -un)
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
PrintMotd no
MaxStartups 100
CONF
  cat >"$B/config" <<CONF
Host one two nowhere
  HostName 127.0.0.1
  User $(id -un)
  IdentityFile $B/user_key
  IdentitiesOnly yes
  UserKnownHostsFile $B/known_hosts
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
Host one two
  Port $PORT
Host nowhere
  Port 1
CONF
  # Root's sshd wants a directory that the package makes only where systemd runs.
  [ "$(id -u)" != 0 ] || [ -d /run/sshd ] || { mkdir -m 755 /run/sshd && touch "$B/made-run-sshd"; }
  running || "$SSHD" -f "$B/sshd_config" -E "$B/log" </dev/null >&2
  for ((n = 100; n > 0; n--)); do answers 2>/dev/null && break; sleep .1; done
  [ "$n" -gt 0 ] || { tail -n 20 "$B/log" >&2; die "nobody gets in"; }
}

down() {
  local n p
  if running; then
    p=$(head -n1 "$B/sshd.pid"); kill -TERM "$p" || true
    for ((n = 100; n > 0; n--)); do running || break; sleep .1; done
    ! running || kill -KILL "$p"
  fi
  rm -f "$B/sshd.pid"
  [ ! -e "$B/made-run-sshd" ] || { rmdir /run/sshd 2>/dev/null || true; rm "$B/made-run-sshd"; }
}

case $VERB in
  up) up </dev/null >&2; printf 'export SSH_CONFIG=%q\n' "$B/config" ;;
  down) down </dev/null >&2 ;;
  status) running ;;
  *) sed -n 2,7p "$0" >&2; exit 2 ;;
esac
