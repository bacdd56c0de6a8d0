#!/bin/bash
# Runs all tests, unit, integration and documentation, and ends with one plain
# line: "N passed, N failed". Arguments go to cargo test.

set -uo pipefail

# End-to-end tests run the command itself, and cargo builds a package's programs
# for the tests of that package only.
"${CARGO:-cargo}" build --release --workspace --bin graft || exit

"${CARGO:-cargo}" test --release --workspace --no-fail-fast "$@" 2>&1 | awk '
  { print; fflush() }
  /^test result: / { passed += $4; failed += $6; ignored += $8 }
  END {
    print ""
    print "not run by make test: fuzzing (make fuzz), benchmarks (make bench)"
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
