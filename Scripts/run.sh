#!/bin/bash
# Runs a server, an object store and a node manager on loopback until Ctrl-C.
set -euo pipefail

bin=${GCS_BIN:-$PWD/.build/release}
memory=${PLASMA_BYTES:-268435456}
directory=$(mktemp --directory -t gcs-run.XXXXXX)
socket=$directory/plasma
pids=()

finish() {
    trap - EXIT INT TERM
    # The node manager first: it takes its leave from the other two.
    for ((index = ${#pids[@]} - 1; index >= 0; index--)); do
        kill -TERM "${pids[index]}" 2>/dev/null || true
        wait "${pids[index]}" 2>/dev/null || true
    done
    rm -rf "$directory"
    exit "${1:-0}"
}
trap 'finish 1' EXIT
trap 'echo; finish 0' INT TERM

is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

port=${PORT:-6379}
if is_taken "$port"; then
    given=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0))
print(s.getsockname()[1])')
    echo "Port $port is taken, perhaps by a Redis server; taking $given."
    port=$given
fi

# Starts a program in the background, its output behind its name.
start() {
    local name=$1
    shift
    # A session of its own: Ctrl-C reaches this script only, which ends the programs in order.
    setsid "$@" > >(trap '' INT; sed -u "s/^/$(printf '%-7s' "$name")| /") 2>&1 &
    pids+=($!)
}

wait_until() {
    local what=$1
    shift
    for _ in {1..100}; do
        "$@" 2>/dev/null && return
        kill -0 "${pids[-1]}" 2>/dev/null || break
        sleep 0.1
    done
    echo "$what did not start; its last lines are above" >&2
    finish 1
}

start server "$bin/gcs-server" --port "$port"
wait_until gcs-server is_taken "$port"
start store "$bin/plasma-store" -s "$socket" -m "$memory"
wait_until plasma-store test -S "$socket"
start node "$bin/gcs-node" --gcs-address "127.0.0.1:$port" --store-socket "$socket" --node-id local

task=000000000000002a000000000000000100000000
object=000000000000002a000000000000000100000001
cat <<EOF

A server on 127.0.0.1:$port, an object store of $memory bytes at $socket, and a node manager.
Try, in another terminal:

    redis-cli -p $port SUBSCRIBE GC:42

and in a third one:

    redis-cli -p $port
    GCS.BATCH START ID 42 NAME first
    GCS.TASK ADD $task "my task"
    GCS.OBJECT ADD $object local 100
    SMEMBERS GC:42
    HGETALL OBJECT:$object
    GCS.NODE LIST
    GCS.BATCH END 42

or in Python, after pip install ./Clients/python:

    from gcs import plasma
    store = plasma.connect("$socket")
    print(store.get(store.put([1, 2, 3])))

Ctrl-C ends all three.

EOF

status=0
wait -n "${pids[@]}" || status=$?
echo "a program ended by itself (status $status); ending the others" >&2
finish 1
