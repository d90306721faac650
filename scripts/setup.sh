# shellcheck shell=bash
# What the commands of ./dev need on the machine, and how each is installed.
#
# Sourced by ./dev, never run. Every `need_*` function first looks whether
# the thing is there and returns at once if so; only a miss installs. The
# looks are cheap (no package manager, no network), so that a second
# `./dev up` is quick; where a look would be slow (Python and Node packages)
# a stamp beside the packages holds a hash of the file that pins them.

RUST_VERSION=1.95.0
RUST_MINOR_MIN=95
RUSTUP_VERSION=1.28.2
CARGO_DENY_VERSION=0.20.2
PYTHON_MINOR_MIN=11
NODE_MAJOR_MIN=18

VENV="$ROOT/.cache/venv"
PYTHON_LOCKED="$ROOT/tests/clients/locked.txt"
FRAMEWORKS="$ROOT/.cache/frameworks"
FRAMEWORKS_LOCKED="$ROOT/tests/clients/frameworks.locked.txt"
AGENTS_DIR="$ROOT/tests/clients/agents"
LITELLM="$ROOT/.cache/litellm"
LITELLM_LOCKED="$ROOT/tests/yardsticks/litellm.locked.txt"
NODE_DIR="$ROOT/tests/clients/typescript"

has() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif has sudo; then
    sudo "$@"
  else
    die "root rights are needed for: $*
Run this once as root, or install sudo."
  fi
}

# Collects Debian packages; `install_packages` fetches them in one go.
packages=()

want_package() { # command-or-test-result package
  has "$1" || packages+=("$2")
}

install_packages() {
  [ "${#packages[@]}" -gt 0 ] || return 0
  has apt-get || die "missing on this machine, and there is no apt-get to fetch it: ${packages[*]}"
  say "installing ${packages[*]}"
  # A machine whose package lists are empty or old fails the first try.
  apt_install || { as_root apt-get update -q && apt_install; }
  packages=()
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${packages[@]}"
}

# --- Rust -----------------------------------------------------------------

need_rust() {
  PATH="$HOME/.cargo/bin:$PATH"
  export PATH
  rust_is_new_enough && return 0
  if has rustup; then
    say "installing Rust $RUST_VERSION"
    rustup toolchain install "$RUST_VERSION" --profile minimal -c rustfmt -c clippy || true
  else
    want_package curl curl
    [ -e /etc/ssl/certs/ca-certificates.crt ] || packages+=(ca-certificates)
    install_packages
    say "installing rustup and Rust $RUST_VERSION"
    install_rustup || true
    hash -r
  fi
  rust_is_new_enough && return 0
  # The pinned release could not be fetched. Another toolchain that is
  # already here and new enough compiles the same code.
  if RUSTUP_TOOLCHAIN=stable rust_is_new_enough; then
    export RUSTUP_TOOLCHAIN=stable
    say "Rust $RUST_VERSION cannot be had here; using the installed stable toolchain"
    return 0
  fi
  die "Rust 1.$RUST_MINOR_MIN or newer is needed, and it could not be installed"
}

# The installer itself, of a fixed release, and run only if it is the one
# that was looked at: a script from the network would be whatever it is today.
install_rustup() {
  local triple digest directory outcome=1
  case $(uname -m) in
    x86_64)
      triple=x86_64-unknown-linux-gnu
      digest=20a06e644b0d9bd2fbdbfd52d42540bdde820ea7df86e92e533c073da0cdd43c
      ;;
    aarch64)
      triple=aarch64-unknown-linux-gnu
      digest=e3853c5a252fca15252d07cb23a1bdd9377a8c6f3efa01531109281ae47f841c
      ;;
    *) die "install Rust $RUST_VERSION for $(uname -m) first, from https://rustup.rs" ;;
  esac
  directory=$(mktemp -d)
  if download "https://static.rust-lang.org/rustup/archive/$RUSTUP_VERSION/$triple/rustup-init" \
    "$directory/rustup-init" && is_what_was_looked_at "$directory/rustup-init" "$digest"; then
    chmod +x "$directory/rustup-init"
    "$directory/rustup-init" -y -q --no-modify-path --profile minimal \
      --default-toolchain "$RUST_VERSION" -c rustfmt -c clippy && outcome=0
  fi
  rm -rf "$directory"
  return "$outcome"
}

download() { # address file
  curl --proto '=https' --tlsv1.2 -sSf -o "$2" "$1"
}

# Says so where a file is another than the one whose hash is written here.
is_what_was_looked_at() { # file sha256
  printf '%s  %s\n' "$2" "$1" | sha256sum --check --quiet && return 0
  say "$(basename "$1") is not the file that was looked at (its SHA-256 differs); it is not run"
  return 1
}

rust_is_new_enough() {
  local minor
  has cargo || return 1
  # rustup would fetch a missing toolchain here, silently; need_rust says so.
  minor=$(RUSTUP_AUTO_INSTALL=0 rustc --version 2>/dev/null | sed -nE 's/^rustc 1\.([0-9]+)\..*/\1/p') || return 1
  [ -n "$minor" ] && [ "$minor" -ge "$RUST_MINOR_MIN" ]
}

# A C compiler builds SQLite, zstd, jemalloc and aws-lc; make is jemalloc's.
need_compiler() {
  if ! has cc || ! has make; then
    packages+=(build-essential)
    install_packages
  fi
}

need_cargo_deny() {
  cargo deny --version >/dev/null 2>&1 && return 0
  say "building cargo-deny $CARGO_DENY_VERSION, once (about 3 minutes on 2 cores)"
  cargo install --quiet --locked "cargo-deny@$CARGO_DENY_VERSION" \
    --target-dir "$ROOT/.cache/cargo-deny-build"
  rm -rf "$ROOT/.cache/cargo-deny-build"
}

# --- What the tests drive ---------------------------------------------------

# Where the live view of the command line is tried.
need_tmux() {
  want_package tmux tmux
  install_packages
}

need_valgrind() {
  want_package valgrind valgrind
  install_packages
}

python_is_new_enough() {
  python3 -c "import sys, venv, ensurepip; sys.exit(sys.version_info < (3, $PYTHON_MINOR_MIN))" 2>/dev/null
}

# The receiver of traces (rotel) is a program that loads Python's library, which
# a small system has not beside its python3.
need_libpython() {
  local library
  library=$(python3 -c 'import sys; print("libpython%d.%d" % sys.version_info[:2])')
  if ! python3 -c "import ctypes, sys; ctypes.CDLL(sys.argv[1])" "$library.so.1.0" 2>/dev/null; then
    packages+=("$library")
    install_packages
  fi
}

# A folder with Python packages of its own: exactly the files of a list.
install_python() { # folder list
  rm -rf "$1"
  mkdir -p "$(dirname "$1")"
  python3 -m venv "$1"
  "$1/bin/pip" install --quiet --disable-pip-version-check --no-input \
    --require-hashes -r "$2"
}

need_python_packages() {
  local stamp="$VENV/.bourse-stamp" wanted
  ! python_is_new_enough || need_libpython
  wanted=$(sha256sum <"$PYTHON_LOCKED")
  if [ -x "$VENV/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    return 0
  fi
  if ! python_is_new_enough; then
    packages+=(python3-venv)
    install_packages
    python_is_new_enough || die "Python 3.$PYTHON_MINOR_MIN or newer is needed for the client tests"
  fi
  need_libpython
  say "installing the Python clients into .cache/venv"
  install_python "$VENV" "$PYTHON_LOCKED"
  printf '%s\n' "$wanted" >"$stamp"
}

# Apart from the SDKs: some frameworks want older releases of them.
need_frameworks() {
  local stamp="$FRAMEWORKS/.bourse-stamp" wanted
  wanted=$(sha256sum <"$FRAMEWORKS_LOCKED")
  if [ -x "$FRAMEWORKS/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    return 0
  fi
  if ! python_is_new_enough; then
    packages+=(python3-venv)
    install_packages
    python_is_new_enough || die "Python 3.$PYTHON_MINOR_MIN or newer is needed for the frameworks"
  fi
  say "installing the frameworks into .cache/frameworks"
  install_python "$FRAMEWORKS" "$FRAMEWORKS_LOCKED"
  printf '%s\n' "$wanted" >"$stamp"
}

# A yardstick for ./dev soak resilience, apart from the clients: a hundred
# packages that no test needs.
need_litellm() {
  local stamp="$LITELLM/.bourse-stamp" wanted
  wanted=$(sha256sum <"$LITELLM_LOCKED")
  if [ -x "$LITELLM/bin/litellm" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    return 0
  fi
  if ! python_is_new_enough; then
    packages+=(python3-venv)
    install_packages
    python_is_new_enough || die "Python 3.$PYTHON_MINOR_MIN or newer is needed for LiteLLM"
  fi
  say "installing LiteLLM into .cache/litellm"
  install_python "$LITELLM" "$LITELLM_LOCKED"
  printf '%s\n' "$wanted" >"$stamp"
}

node_is_new_enough() {
  local major
  major=$(node --version 2>/dev/null | sed -nE 's/^v([0-9]+)\..*/\1/p')
  [ -n "$major" ] && [ "$major" -ge "$NODE_MAJOR_MIN" ]
}

need_node_packages() { install_node "$NODE_DIR" "the TypeScript clients"; }

# Programs of 600 MB, which only their suite needs.
need_agents() { install_node "$AGENTS_DIR" "the coding agents"; }

install_node() { # folder what
  local stamp="$1/node_modules/.bourse-stamp" wanted
  want_package node nodejs
  want_package npm npm
  install_packages
  node_is_new_enough || die "Node.js $NODE_MAJOR_MIN or newer is needed for the client tests"
  wanted=$(cat "$1/package.json" "$1/package-lock.json" | sha256sum)
  [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return 0
  say "installing $2"
  # No package of ours needs an install script, so none is run.
  (cd "$1" && npm ci --silent --no-audit --no-fund --ignore-scripts) ||
    die "npm did not install $2; \`npm ci --ignore-scripts\` in ${1#"$ROOT"/} says why"
  printf '%s\n' "$wanted" >"$stamp"
}

# Parsers of other languages, which the tests ask how they read a request. They
# fail where one is missing, and say what to do.
need_parsers() {
  want_package go golang-go
  want_package node nodejs
  perl -MJSON::PP -e1 >/dev/null 2>&1 || packages+=(perl)
  install_packages
}

# Installs packages that would start a service of their own; a policy file
# forbids that while they are being set up.
install_quietly() { # package...
  local policy=/usr/sbin/policy-rc.d ours=
  if [ ! -e "$policy" ]; then
    ours=1
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$policy" >/dev/null
    as_root chmod +x "$policy"
  fi
  packages+=("$@")
  local outcome=0
  install_packages || outcome=$?
  [ -z "$ours" ] || as_root rm -f "$policy"
  return "$outcome"
}

# nginx is a yardstick for ./dev bench, which starts its own copy. Debian's
# package would also start one on port 80.
need_nginx() {
  PATH="$PATH:/usr/sbin:/sbin"
  has nginx || install_quietly nginx-light
}

PROMTOOL="$ROOT/.cache/promtool/usr/bin/promtool"

# Only its checker is wanted of Debian's Prometheus. The package would start a
# server besides, so it is unpacked beside the sources and not installed.
need_promtool() {
  ! has promtool || PROMTOOL=$(command -v promtool)
  [ ! -x "$PROMTOOL" ] || return 0
  has apt-get || die "promtool is missing on this machine, and there is no apt-get to fetch it"
  say "fetching promtool into .cache"
  local directory="$ROOT/.cache/promtool"
  rm -rf "$directory"
  mkdir -p "$directory"
  (cd "$directory" && { apt_download || { as_root apt-get update -q && apt_download; }; } &&
    dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool && rm prometheus_*.deb)
  [ -x "$PROMTOOL" ] || die "promtool could not be fetched"
}

apt_download() { apt-get download -q prometheus; }

# The tests start servers of their own (scripts/postgres.sh). Debian's
# package would also make a cluster in /var/lib and start it.
need_postgres() {
  # One that was named is somebody's; nothing is installed for it.
  [ -z "${BOURSE_TEST_POSTGRES:-}" ] || return 0
  postgres_bin >/dev/null && return 0
  local setting=/etc/postgresql-common/createcluster.d/bourse.conf
  if [ ! -e "$setting" ]; then
    as_root mkdir -p "$(dirname "$setting")"
    echo 'create_main_cluster = false' | as_root tee "$setting" >/dev/null
  fi
  install_quietly postgresql
  postgres_bin >/dev/null ||
    die "PostgreSQL $POSTGRES_MAJOR_MIN or newer is needed for the tests, and this system's package is older; set BOURSE_TEST_POSTGRES to the address of a server on which databases may be made"
}

# A clean Debian in which packages are installed and proxies run. Made once, and
# again when the list of what is in it changes; the tests lay what they write over it.
CLEAN_ROOT="$ROOT/.cache/package/root"
CLEAN_ROOT_PACKAGES=systemd,nginx-light,caddy,ca-certificates,curl,iproute2,adduser

need_clean_root() {
  PATH="$PATH:/usr/sbin:/sbin"
  want_package debootstrap debootstrap
  want_package umoci umoci
  want_package ip iproute2
  install_packages
  local stamp="$CLEAN_ROOT.stamp"
  [ "$(cat "$stamp" 2>/dev/null)" != "$CLEAN_ROOT_PACKAGES" ] || return 0
  as_root unshare --mount --net --pid --fork true 2>/dev/null ||
    die "the suite 'package' mounts file systems in a namespace of its own, which this machine does not allow"
  say "making a clean Debian in .cache/package (some 350 MB)"
  as_root rm -rf "$CLEAN_ROOT"
  mkdir -p "$(dirname "$CLEAN_ROOT")"
  as_root debootstrap --variant=minbase --include="$CLEAN_ROOT_PACKAGES" bookworm "$CLEAN_ROOT" \
    >"$CLEAN_ROOT.log" || die "debootstrap failed; $CLEAN_ROOT.log says why"
  printf '%s\n' "$CLEAN_ROOT_PACKAGES" >"$stamp"
}

# --- Sets -------------------------------------------------------------------

setup_build() {
  need_compiler
  need_rust
}

setup_bench() {
  setup_build
  need_nginx
}

# What packs and looks into programs; the compiler brings readelf and strip.
setup_package() {
  setup_build
  want_package dpkg-deb dpkg
  want_package xz xz-utils
  want_package python3 python3
  install_packages
  python_is_new_enough || die "Python 3.$PYTHON_MINOR_MIN or newer is needed to list what is linked in"
}
