#!/bin/bash
# Builds and runs the Swift tests that match a filter, and fails when none does: `swift test` itself
# succeeds then.
# Usage: swift-test.sh [FILTER]
set -euo pipefail

swift=${SWIFT:-swift}
filter=${1:-}

$swift build --build-tests
log=$(mktemp)
trap 'rm -f "$log"' EXIT
arguments=(--skip-build)
[ -z "$filter" ] || arguments+=(--filter "$filter")
status=0
# Dictionaries in the same order in every process: a seed that failed fails again.
export SWIFT_DETERMINISTIC_HASHING=1
$swift test "${arguments[@]}" >"$log" 2>&1 || status=$?
if [ $status -ne 0 ]; then
    # The failures; or, when the run did not come to its end, what it said last.
    grep -aE '^(✘|↳ )|error:|Fatal error' "$log" | grep -avE 'Testing Library|Target Platform' \
        | head -200 >&2 || tail -n 40 "$log" >&2
    grep -aq 'Test run with' "$log" || tail -n 40 "$log" >&2
    exit $status
fi
count=$(sed -nE 's/.*Test run with ([0-9]+) tests?.*/\1/p' "$log" | tail -n 1)
echo "Swift: ${count:-0} tests passed"
if [ "${count:-0}" -eq 0 ]; then
    echo "no Swift test matches '$filter'" >&2
    exit 3
fi
