#!/bin/bash
# Makes a Python environment with the packages of a requirements file; once for each content of it.
# Usage: venv.sh DIRECTORY REQUIREMENTS
set -euo pipefail

venv=$1
requirements=$2
stamp=$venv/requirements.installed

cmp -s "$requirements" "$stamp" && exit 0

# pyarrow 11 is the last one with Plasma; it was built for Python 3.7 to 3.11.
python=
for candidate in python3.11 python3.10 python3; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 8) <= sys.version_info < (3, 12))' \
        2>/dev/null; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "Python 3.8 to 3.11 is needed for pyarrow 11; Debian 12 has 3.11 as python3." >&2
    exit 1
fi

echo "Installing Python packages into $venv"
rm -rf "$venv"
"$python" -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: \
    --requirement "$requirements"
cp "$requirements" "$stamp"
