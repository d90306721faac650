#!/usr/bin/env bash
# PostgreSQL for the tests: found, started as an unprivileged user on a port
# of its own on loopback, in a temporary directory, and stopped.
#
# ./dev sources this; the Rust tests run it:
#
#   scripts/postgres.sh start DIR [OWNER]
#                                    start a server in DIR, print its address;
#                                    it ends with the process OWNER, also with
#                                    one that is killed
#   scripts/postgres.sh stop DIR     stop it and delete DIR
#   scripts/postgres.sh pid DIR      print its process id
#   scripts/postgres.sh again DIR    start it once more, on the same port
#   scripts/postgres.sh shared       print the address of one server that all
#                                    tests share; it ends by itself when no
#                                    test has asked for it for a while
#
# BOURSE_POSTGRES_BIN names the directory of another PostgreSQL's programs.
#
# Nothing here is for data that anybody needs: no fsync, no password. Commits
# are synchronous all the same: tests kill the server, and what it has said
# to be committed must be there when it is started again.

POSTGRES_MAJOR_MIN=15
# Seconds without a test after which the shared server ends.
POSTGRES_IDLE_MAX=180
# Seconds within which a server must answer on a busy machine.
POSTGRES_START_MAX=60
# What a server that is starting, or mends itself after it was killed, tells
# whoever is early.
POSTGRES_NOT_YET='starting up|not yet accepting|in recovery mode'
# A test opens up to 4 connections for each store, and tests run in parallel.
POSTGRES_CONNECTIONS_MAX=200

# The directory of the newest PostgreSQL that is new enough.
postgres_bin() {
  local dir major best=
  for dir in "${BOURSE_POSTGRES_BIN:-}" /usr/lib/postgresql/*/bin /usr/local/pgsql/bin; do
    [ -x "$dir/postgres" ] && [ -x "$dir/initdb" ] || continue
    major=$("$dir/postgres" --version | sed -nE 's/^postgres \(PostgreSQL\) ([0-9]+).*/\1/p')
    [ -n "$major" ] && [ "$major" -ge "$POSTGRES_MAJOR_MIN" ] || continue
    best=$dir
    [ "$dir" != "${BOURSE_POSTGRES_BIN:-}" ] || break
  done
  [ -n "$best" ] && printf '%s\n' "$best"
}

# PostgreSQL refuses to run as root. Prints what to put before a command.
postgres_as() {
  [ "$(id -u)" -eq 0 ] || return 0
  local user=postgres
  id "$user" >/dev/null 2>&1 || user=nobody
  # The group's number: its name differs between distributions.
  printf 'setpriv --reuid=%s --regid=%s --clear-groups --\n' "$user" "$(id -g "$user")"
}

# A port that nothing listens on at the moment.
postgres_free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 12000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  printf '%s\n' "$port"
}

# Runs a command that outlives us: in a session of its own, with none of our
# open files but its first three. Callers have pipes of their own open (test
# runners, `cargo`, a `tee`), and whoever reads one to its end waits for every
# process that has it.
postgres_apart() { # command...
  local fd
  for fd in /proc/"$BASHPID"/fd/*; do
    fd=${fd##*/}
    [ "$fd" -le 2 ] || eval "exec $fd>&-"
  done
  exec setsid "$@"
}

postgres_run() { # dir
  local dir=$1 bin as port
  bin=$(postgres_bin)
  read -ra as <<<"$(postgres_as)"
  port=$(cat "$dir/port")
  [ ! -e "$dir/log" ] || mv "$dir/log" "$dir/log.before"
  # It starts in a directory that everybody may enter.
  (
    cd / && postgres_apart ${as[@]+"${as[@]}"} "$bin/postgres" -D "$dir/data" -p "$port" \
      -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
      -c max_connections="$POSTGRES_CONNECTIONS_MAX" -c shared_buffers=32MB \
      -c fsync=off -c full_page_writes=off \
      -c autovacuum_naptime=600 -c log_min_messages=warning
  ) </dev/null >>"$dir/log" 2>&1 &
  local end=$((SECONDS + POSTGRES_START_MAX))
  until "$bin/pg_isready" -q -t 1 -h 127.0.0.1 -p "$port" -U postgres; do
    sleep 0.1
    # By the clock: where nobody answers, each look takes a second.
    if [ "$SECONDS" -gt "$end" ] || grep FATAL "$dir/log" | grep -qvE "$POSTGRES_NOT_YET"; then
      echo "PostgreSQL did not start in $dir:" >&2
      tail -n 20 "$dir/log" >&2
      return 1
    fi
  done
}

postgres_start() { # dir
  local dir=$1 bin as
  bin=$(postgres_bin) || {
    echo "no PostgreSQL $POSTGRES_MAJOR_MIN or newer is on this machine: './dev test' installs it, or install the package 'postgresql', or set BOURSE_TEST_POSTGRES to the address of a server on which databases may be made" >&2
    return 1
  }
  read -ra as <<<"$(postgres_as)"
  mkdir -p "$dir"
  if [ "$(id -u)" -eq 0 ]; then
    chown "$("${as[@]}" id -u):$("${as[@]}" id -g)" "$dir"
    chmod 711 "$dir"
  fi
  (cd / && ${as[@]+"${as[@]}"} "$bin/initdb" -D "$dir/data" -U postgres -A trust --no-sync \
    --locale=C -E UTF8) >"$dir/initdb.log" 2>&1 || {
    cat "$dir/initdb.log" >&2
    return 1
  }
  postgres_free_port >"$dir/port"
  postgres_run "$dir" || return 1
  postgres_url "$dir"
}

postgres_url() { # dir
  printf 'postgres://postgres@127.0.0.1:%s/postgres\n' "$(cat "$1/port")"
}

postgres_pid() { # dir
  head -n 1 "$1/data/postmaster.pid" 2>/dev/null
}

# Whether a process runs. One that has ended and that nobody has waited for
# still has an entry.
postgres_alive() { # pid
  [ -e "/proc/$1/stat" ] || return 1
  ! grep -q ') Z ' "/proc/$1/stat" 2>/dev/null
}

# Starts a server that was killed.
postgres_again() { # dir
  local pid
  pid=$(postgres_pid "$1") || true
  if [ -n "$pid" ] && ! postgres_alive "$pid"; then
    rm -f "$1/data/postmaster.pid"
  fi
  postgres_run "$1" && postgres_url "$1"
}

postgres_stop() { # dir
  local dir=$1 pid waited=0
  pid=$(postgres_pid "$dir") || true
  if [ -n "$pid" ]; then
    # Also a server that a test has frozen. SIGINT: clients are cut off.
    kill -CONT "$pid" 2>/dev/null || true
    kill -INT "$pid" 2>/dev/null || true
    while postgres_alive "$pid" && [ "$waited" -lt 100 ]; do
      sleep 0.1
      waited=$((waited + 1))
    done
    kill -KILL "$pid" 2>/dev/null || true
  fi
  rm -rf "$dir"
}

# One server for all tests of this checkout and user. The lock makes those
# who ask at the same time start only one.
postgres_shared() {
  local root dir
  root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
  dir=${TMPDIR:-/tmp}/bourse-postgres-$(id -u)-$(printf '%s' "$root" | cksum | cut -d' ' -f1)
  (
    # Whoever is before us starts a server, and stops an old one first.
    flock -w $((2 * POSTGRES_START_MAX)) 9 || {
      echo "another process has kept $dir.lock for too long" >&2
      exit 1
    }
    if [ -e "$dir/used" ] && "$(postgres_bin)/pg_isready" -q -h 127.0.0.1 -p "$(cat "$dir/port")" -U postgres; then
      touch "$dir/used"
      postgres_url "$dir"
      exit
    fi
    [ ! -d "$dir" ] || postgres_stop "$dir"
    postgres_start "$dir" || exit 1
    touch "$dir/used"
    (postgres_apart bash "${BASH_SOURCE[0]}" reap "$dir" "$dir.lock") </dev/null >/dev/null 2>&1 &
  ) 9>"$dir.lock"
}

# Ends a server with the process that it was started for.
postgres_watch() { # dir owner
  while [ -d "$1/data" ] && postgres_alive "$2"; do sleep 2; done
  [ ! -d "$1" ] || postgres_stop "$1"
}

# Ends the shared server once no test has asked for it for a while.
postgres_reap() { # dir lock
  while sleep 10; do
    (
      flock 9
      [ -e "$1/used" ] || exit 1
      [ $(($(date +%s) - $(stat -c %Y "$1/used"))) -lt "$POSTGRES_IDLE_MAX" ] && exit 0
      postgres_stop "$1"
      exit 1
    ) 9>"$2" || break
  done
}

# Run, not sourced.
if [ "${BASH_SOURCE[0]}" = "$0" ]; then
  set -euo pipefail
  case ${1:-} in
    start)
      postgres_start "$2"
      if [ -n "${3:-}" ]; then
        (postgres_apart bash "${BASH_SOURCE[0]}" watch "$2" "$3") </dev/null >/dev/null 2>&1 &
      fi
      ;;
    watch) postgres_watch "$2" "$3" ;;
    stop) postgres_stop "$2" ;;
    pid) postgres_pid "$2" ;;
    again) postgres_again "$2" ;;
    shared) postgres_shared ;;
    reap) postgres_reap "$2" "$3" ;;
    *)
      echo "usage: scripts/postgres.sh {start|stop|pid|again} DIR, or shared" >&2
      exit 2
      ;;
  esac
fi
