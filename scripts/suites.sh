# shellcheck shell=bash
# The suites of ./dev test: what each runs, and how its results are counted.
#
# Sourced by ./dev, never run. Every suite runs even when an earlier one
# failed, so that one run reports everything. A suite that is a single
# yes-or-no check (formatting, lints, licences) counts as one test.

SUITES=(fmt clippy check deny rust doc python typescript frameworks agents inference metrics package gate)
SUITE_LOGS=.cache/test
# Lines about suites that this machine cannot run.
NOT_RUN=

suite_fmt() { cargo fmt --all --check; }

suite_clippy() { cargo clippy --workspace --all-targets --locked -- -D warnings; }

# What the compiler cannot see: arrows, circles, names, documents, lengths.
suite_check() { cargo xtask check; }

# Advisories are left to `./dev audit`: their database is a git repository
# at an outside address, and a test must not fail because that is away.
suite_deny() { cargo deny --locked check --hide-inclusion-graph bans licenses sources; }

suite_rust() {
  local outcome=0 dir
  if [ -n "${BOURSE_TEST_POSTGRES:-}" ]; then
    rust_tests
    return
  fi
  # One server for all tests that need no server of their own.
  dir=$(mktemp -d)
  # As root, the server runs as somebody else, who must get through here.
  chmod 711 "$dir"
  BOURSE_TEST_POSTGRES=$(postgres_start "$dir/postgres") || outcome=1
  export BOURSE_TEST_POSTGRES
  [ "$outcome" -ne 0 ] || rust_tests || outcome=$?
  unset BOURSE_TEST_POSTGRES
  postgres_stop "$dir/postgres"
  rm -rf "$dir"
  return "$outcome"
}

# Most of the time a test of a whole server waits for it, so that two of them
# use a core better than one.
rust_tests() {
  if cargo nextest --version >/dev/null 2>&1; then
    cargo nextest run --workspace --locked --no-fail-fast --test-threads "$((2 * $(nproc)))"
  else
    cargo test --workspace --lib --bins --tests --locked --no-fail-fast
  fi
}

suite_doc() { cargo test --doc --workspace --locked --no-fail-fast; }

# The clients drive the debug binary: the suite before has built nearly all
# of it, and the release build would add minutes without testing more.
build_debug() { cargo build --workspace --bins --locked; }

suite_python() {
  build_debug && write_corpus &&
    BOURSE_FIDELITY_CORPUS="$PWD/$FIDELITY_CORPUS" \
      "$VENV/bin/python" -m pytest -q -rfE -p no:cacheprovider tests/clients/python
}

# What is sent to providers and told to clients, for the vendors' own types.
FIDELITY_CORPUS=.cache/fidelity
write_corpus() {
  BOURSE_FIDELITY_CORPUS="$PWD/$FIDELITY_CORPUS" \
    cargo test -q -p bourse-dataplane --test fidelity --locked
}

suite_typescript() {
  build_debug && (cd tests/clients/typescript && node --test --test-reporter=tap ./*.test.mjs)
}

suite_frameworks() {
  build_debug && "$FRAMEWORKS/bin/python" -m pytest -q -rfE -p no:cacheprovider tests/clients/frameworks
}

suite_agents() {
  build_debug && "$VENV/bin/python" -m pytest -q -rfE -p no:cacheprovider tests/clients/agents
}

suite_inference() {
  build_debug && "$VENV/bin/python" -m pytest -q -rfE -p no:cacheprovider tests/inference
}

# Alert rules, and the page of a running server, as Prometheus reads them.
suite_metrics() {
  local dir outcome=0
  build_debug || return 1
  "$PROMTOOL" check rules ops/prometheus/alerts.yml || return 1
  dir=$(mktemp -d)
  metrics_page "$dir" | "$PROMTOOL" check metrics || outcome=$?
  # Only a page with the series of an endpoint shows their labels.
  grep -q '^bourse_attempts_total{' "$dir/page" || outcome=1
  rm -rf "$dir"
  return "$outcome"
}

# Prints what a server says of itself after a call to a simulated provider.
metrics_page() { # directory
  local dir=$1 port config server management key
  port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  config="$dir/bourse.toml"
  printf '[server]\nlisten = "127.0.0.1:%s"\ndata_dir = "%s/data"\n' "$port" "$dir" >"$config"
  "$BOURSE_BIN" init --config "$config" >/dev/null
  management=$("$BOURSE_BIN" key create --management --quiet --config "$config")
  key=$("$BOURSE_BIN" key create --quiet --config "$config")
  "$BOURSE_BIN" credit grant --usd 1 --config "$config" >/dev/null
  "$BOURSE_BIN" serve --config "$config" >"$dir/log" 2>&1 &
  server=$!
  curl -s --retry 60 --retry-delay 1 --retry-connrefused -o /dev/null "http://127.0.0.1:$port/healthz"
  curl -s -o /dev/null -H "authorization: Bearer $key" "http://127.0.0.1:$port/api/v1/chat/completions" \
    -d '{"model":"openai/gpt-4o-mini","messages":[{"role":"user","content":"hello"}]}'
  curl -s -H "authorization: Bearer $management" "http://127.0.0.1:$port/metrics" | tee "$dir/page"
  kill "$server"
  wait "$server" || true
}

# Packages, installed and started in a clean Debian of its own; service file,
# proxies in front, and the journeys of docs/journeys. It has processes, mounts
# and a loopback to itself, so that nothing of it stays or meets another.
suite_package() {
  build_debug || return 1
  as_root env PATH="$PATH" BOURSE_BIN="$BOURSE_BIN" BOURSE_ROOT="$CLEAN_ROOT" BOURSE_JOURNEYS="${BOURSE_JOURNEYS:-}" \
    unshare --mount --net --pid --fork --kill-child --mount-proc \
    sh -c 'ip link set lo up && exec "$@"' sh \
    "$VENV/bin/python" -m pytest -q -rfE -p no:cacheprovider ${BOURSE_PACKAGE_TESTS:-tests/package}
}

# Instruction counts of the hot path against the committed ones.
suite_gate() { cargo xtask gate; }

# --- Counting ---------------------------------------------------------------

# Prints "PASSED FAILED" for a suite's log and exit status.
count_suite() { # name log status
  local name=$1 log=$2 status=$3 passed=0 failed=0
  case $name in
    rust | doc) read -r passed failed < <(count_cargo "$log") ;;
    python | frameworks | agents | inference | package) read -r passed failed < <(count_pytest "$log") ;;
    typescript) read -r passed failed < <(count_tap "$log") ;;
    *) [ "$status" -ne 0 ] || passed=1 ;;
  esac
  # A failure that no test owns (it did not compile, it crashed) is one too.
  if [ "$status" -ne 0 ] && [ "$failed" -eq 0 ]; then failed=1; fi
  echo "$passed $failed"
}

# nextest: "Summary [ 1.2s] 9 tests run: 7 passed (1 slow), 1 failed, 1 timed out, 0 skipped"
# libtest: "test result: FAILED. 7 passed; 2 failed; 0 ignored; ..."
count_cargo() {
  plain "$1" | awk '
    /tests? run:/ || /^test result:/ {
      gsub(/\([^)]*\)/, ""); gsub(/[,;]/, " ")
      for (i = 2; i <= NF; i++) {
        if ($i == "passed") passed += $(i - 1)
        if ($i == "failed") failed += $(i - 1)
        if ($i == "timed" && $(i + 1) == "out") failed += $(i - 1)
      }
    }
    END { print passed + 0, failed + 0 }'
}

# "2 failed, 7 passed, 1 error in 3.21s"
count_pytest() {
  plain "$1" | awk '
    / in [0-9.]+s/ { line = $0 }
    END {
      n = split(line, word, /[ ,=]+/)
      for (i = 2; i <= n; i++) {
        if (word[i] == "passed") passed = word[i - 1]
        if (word[i] == "failed" || word[i] ~ /^errors?$/) failed += word[i - 1]
      }
      print passed + 0, failed + 0
    }'
}

# "# pass 7" and "# fail 2", and "# cancelled 1" for what never ended
count_tap() {
  plain "$1" | awk '
    /^# pass / { passed = $3 }
    /^# (fail|cancelled) / { failed += $3 }
    END { print passed + 0, failed + 0 }'
}

plain() { sed -E 's/\x1b\[[0-9;]*[A-Za-z]//g' "$1"; }

# --- Running ----------------------------------------------------------------

# Refuses a name that is no suite, before anything is installed for it.
check_suite_names() { # name...
  local name
  for name in "$@"; do
    [[ " ${SUITES[*]} " == *" $name "* ]] || die "there is no suite '$name'; there are: ${SUITES[*]}"
  done
}

# What a suite needs on the machine beyond the Rust toolchain.
setup_suite() { # name
  case $1 in
    rust)
      need_postgres
      need_tmux
      ;;
    deny) need_cargo_deny ;;
    python)
      need_python_packages
      need_parsers
      ;;
    inference) need_python_packages ;;
    frameworks) need_frameworks ;;
    agents)
      need_python_packages
      need_agents
      ;;
    typescript)
      need_python_packages
      need_node_packages
      ;;
    metrics) need_promtool ;;
    package)
      need_python_packages
      setup_package
      need_clean_root
      ;;
    gate) need_valgrind ;;
  esac
}

run_suites() { # name...
  export BOURSE_BIN="$ROOT/target/debug/bourse"
  # Everything the tests call is on this machine, whatever proxy is set.
  export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
  mkdir -p "$SUITE_LOGS"
  local name table='' all_passed=0 all_failed=0 began=$SECONDS
  for name in "$@"; do
    local log="$SUITE_LOGS/$name.log" status=0 start=$SECONDS passed failed
    printf '\n=== %s ===\n' "$name"
    # No standard input: nothing may wait for an answer. tee's status does
    # not matter, the suite's does.
    "suite_$name" </dev/null 2>&1 | tee "$log" || status=${PIPESTATUS[0]}
    read -r passed failed < <(count_suite "$name" "$log" "$status")
    all_passed=$((all_passed + passed))
    all_failed=$((all_failed + failed))
    table+=$(printf '%-12s %6d passed %4d failed %6d s' "$name" "$passed" "$failed" $((SECONDS - start)))$'\n'
  done

  printf '\n=== results (%d s, logs in %s) ===\n%s%s%d passed, %d failed\n' \
    $((SECONDS - began)) "$SUITE_LOGS" "$table" "$NOT_RUN" "$all_passed" "$all_failed"
  [ "$all_failed" -eq 0 ]
}
