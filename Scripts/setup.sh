#!/bin/bash
# Installs the Debian packages that are missing; does nothing when none is.
set -euo pipefail

packages=(libevent-dev libhiredis-dev librocksdb-dev redis-tools redis-server pkg-config python3-venv make git)

if ! command -v swift >/dev/null; then
    echo "swift is not on the PATH: install Swift 6.3 from https://www.swift.org/install" >&2
    exit 1
fi
if ! command -v dpkg-query >/dev/null; then
    echo "no dpkg here: make sure that these Debian packages' contents are installed:" \
        "${packages[*]}" >&2
    exit 0
fi

missing=()
for package in "${packages[@]}"; do
    state=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

install="apt-get install --yes --no-install-recommends ${missing[*]}"
if [ "$(id -u)" -ne 0 ]; then
    echo "These Debian packages are missing: ${missing[*]}" >&2
    echo "Install them, then start again:" >&2
    echo "    sudo apt-get update && sudo $install" >&2
    exit 1
fi

echo "Installing Debian packages: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# Debian starts a service that it installs; the Redis server is here for comparison only.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi
log=$(mktemp)
# Without lists, or with old ones, the first attempt fails.
if ! $install >"$log" 2>&1; then
    { apt-get update && $install; } >"$log" 2>&1 || {
        cat "$log" >&2
        echo "The packages could not be installed; the reason is above." >&2
        exit 1
    }
fi
rm -f "$log"
