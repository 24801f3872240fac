#!/bin/sh
# Builds the images, starts a server and two nodes, and checks that ending a batch empties both stores.
# Needs Docker with the compose plugin; leaves nothing running.
set -eu
cd "$(dirname "$0")"

compose() { docker compose --project-name swift-gcs-smoke --file compose.yaml --profile smoke "$@"; }
# A port of its own, so that a server on 6379 is not in the way.
export GCS_PORT="${GCS_PORT:-16379}"

finish() {
    status=$?
    trap - EXIT INT TERM
    [ "$status" -eq 0 ] || compose logs --tail 50 >&2 || true
    compose down --volumes --timeout 5 >/dev/null 2>&1 || true
    exit "$status"
}
trap finish EXIT INT TERM

compose build
compose up --detach --wait server store1 store2 node1 node2
compose run --rm smoke
echo "smoke test passed"
