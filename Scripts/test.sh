#!/bin/bash
# All tests: the Swift ones, then those that run the programs as processes.
# Usage: test.sh [FILTER]; without a match in either kind it fails.
set -euo pipefail

filter=${1:-}
swift=${SWIFT:-swift}
venv=${VENV:-.build/venv}
pytest=("$venv/bin/python" -m pytest -p no:cacheprovider -q
    -c Tests/Integration/pytest.ini --rootdir . Tests/Integration Clients/python/tests)
[ -z "$filter" ] || pytest+=(-k "$filter")

swift_status=0
Scripts/swift-test.sh "$filter" || swift_status=$?
if [ $swift_status -ne 0 ] && { [ $swift_status -ne 3 ] || [ -z "$filter" ]; }; then
    exit $swift_status
fi

# Exit code 5 of pytest: no test was collected.
collect_status=0
"${pytest[@]}" --collect-only >/dev/null 2>&1 || collect_status=$?
if [ $collect_status -eq 5 ] && [ -n "$filter" ]; then
    [ $swift_status -ne 3 ] || { echo "no test at all matches '$filter'" >&2; exit 1; }
    exit 0
fi

# The processes are the release build: some of the tests have limits of time.
$swift build -c release
GCS_BIN=${GCS_BIN:-$PWD/.build/release} timeout --kill-after=10 900 "${pytest[@]}"
