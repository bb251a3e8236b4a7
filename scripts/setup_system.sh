#!/usr/bin/env bash
# Checks that the compilers and OCaml libraries of system-packages.txt are there, and installs what is missing
# with apt-get where there is one. Elsewhere, or without the right to install, says what to install.
# Prints nothing when all is there. PYTHON may name the interpreter.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
table=$here/system-packages.txt

say() { printf 'setup: %s\n' "$*" >&2; }

# An interpreter that is absent or too old is for find_python.sh to report, once the rest is there.
python=$("$here/find_python.sh" 2>/dev/null || command -v python3 || true)

present() { # KIND NAME
    case $1 in
    command) command -v "$2" >/dev/null ;;
    library) ocamlfind query "$2" >/dev/null 2>&1 ;;
    python) [ -n "$python" ] && "$python" -c "import $2" >/dev/null 2>&1 ;;
    *) say "$table: unknown kind '$1'" && exit 4 ;;
    esac
}

# missing COLUMN: the packages of that column (3 Debian, 4 opam) that something absent needs, once each.
missing() {
    local kind name debian opam
    while read -r kind name debian opam; do
        case $kind in '' | '#'*) continue ;; esac
        present "$kind" "$name" && continue
        if [ "$1" = 3 ]; then echo "$debian"; elif [ "$opam" != - ]; then echo "$opam"; fi
    done <"$table" | sort -u
}

explain_other_systems() {
    say "missing: $(echo $packages)"
    say "this system has no apt-get; set-up by itself is for Debian and Ubuntu. Elsewhere, install by hand:"
    case $(uname -s) in
    Darwin) say "  brew install gcc git make gmp opam python@3.12" ;;
    *)
        say "  gcc, git, make, the GMP headers, opam, Python 3.11 or newer with venv"
        say "  (Fedora: dnf install gcc git make gmp-devel opam python3; Arch: pacman -S base-devel git gmp opam python)"
        ;;
    esac
    local opam
    opam=$(missing 4)
    [ -z "$opam" ] || say "  opam switch create . 4.13.1 --deps-only --with-test    (it brings: $(echo $opam))"
    say "then run the same make command again, inside \`eval \$(opam env)\`"
}

packages=$(missing 3)
[ -n "$packages" ] || exit 0
if ! command -v apt-get >/dev/null; then
    explain_other_systems
    exit 3
fi

if [ "$(id -u)" = 0 ]; then
    as_root=(env DEBIAN_FRONTEND=noninteractive)
elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    as_root=(sudo env DEBIAN_FRONTEND=noninteractive)
else
    say "missing system packages, and no right to install them. Ask an administrator to run"
    say "  apt-get install --no-install-recommends $(echo $packages)"
    exit 3
fi

say "installing with apt-get: $(echo $packages)"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# shellcheck disable=SC2086  # one word a package
if ! { "${as_root[@]}" apt-get update -q && "${as_root[@]}" apt-get install -y -q --no-install-recommends $packages; } >"$log" 2>&1; then
    tail -n 5 "$log" >&2
    say "apt-get failed (its last lines are above). Check the network and the package sources, then run"
    say "  apt-get update && apt-get install --no-install-recommends $(echo $packages)"
    exit 3
fi

hash -r
python=$("$here/find_python.sh" 2>/dev/null || command -v python3 || true)
packages=$(missing 3)
if [ -n "$packages" ]; then
    say "still missing after apt-get: $(echo $packages). PATH may put another OCaml or Python first: $(command -v ocamlfind python3 | tr '\n' ' ')"
    exit 3
fi
