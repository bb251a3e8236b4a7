#!/usr/bin/env bash
# setup_python.sh DIRECTORY: makes the virtual environment there and installs the pinned packages, and pyprover itself
# as an editable package. torch goes first, by itself: it comes from another index than the rest. The pins are
# complete, so nothing is resolved; `pip check` has the last word.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(dirname "$here")
venv=$1

say() { printf 'setup: %s\n' "$*" >&2; }

python=$("$here/find_python.sh")
if [ -e "$venv" ] && ! "$venv/bin/python3" -m pip --version >/dev/null 2>&1; then
    say "$venv is unusable (its Python has gone, or the folder has moved); making it anew"
    rm -rf "$venv"
fi
if [ ! -e "$venv" ]; then
    say "Python environment in $venv, from $python ($("$python" --version))"
    "$python" -m venv "$venv"
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
pip_install() { # WHAT ARGUMENT...
    say "pip: $1"
    shift
    if ! "$venv/bin/python3" -m pip install -q --disable-pip-version-check --retries 2 "$@" >"$log" 2>&1; then
        tail -n 8 "$log" >&2
        say "pip failed (its last lines are above). Check the network, a proxy or a mirror (pip config list), then run \`make setup\` again;"
        say "what is already installed is kept."
        exit 3
    fi
}

cd "$root"
pip_install "torch (the largest: about 200 MB)" --no-deps -r requirements-torch.lock
pip_install "the other packages" --no-deps -r requirements.lock
pip_install "pyprover (editable)" --no-deps --no-build-isolation -e .
"$venv/bin/python3" -m pip check >"$log" 2>&1 || { cat "$log" >&2; say "the Python environment is inconsistent; \`rm -r $venv\` and run \`make setup\` again"; exit 3; }
