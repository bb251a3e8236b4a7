#!/usr/bin/env bash
# Prints the path of a Python that is new enough: $PYTHON when set, else the first of the usual names.
set -euo pipefail
oldest='(3, 11)'

new_enough() { "$1" -c "import sys; sys.exit(sys.version_info < $oldest)" >/dev/null 2>&1; }

if [ -n "${PYTHON:-}" ]; then
    new_enough "$PYTHON" && command -v "$PYTHON" && exit 0
    echo "setup: PYTHON=$PYTHON is not a Python 3.11 or newer" >&2
    exit 3
fi
for name in python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3; do
    if command -v "$name" >/dev/null && new_enough "$name"; then
        command -v "$name"
        exit 0
    fi
done
echo "setup: Python 3.11 or newer is needed; found $(python3 --version 2>/dev/null || echo none)." >&2
echo "setup: Debian 12 and Ubuntu 24.04 have it as python3; otherwise name one: make PYTHON=/path/to/python3 setup" >&2
exit 3
