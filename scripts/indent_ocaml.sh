#!/usr/bin/env bash
# indent_ocaml.sh --check|--write FILE...: compares with, or applies, ocp-indent's indentation (.ocp-indent).
set -euo pipefail
mode=$1
shift
status=0
for file in "$@"; do
    case $mode in
    --check)
        if ! ocp-indent "$file" | cmp -s - "$file"; then
            echo "$file: indentation differs from ocp-indent's:"
            ocp-indent "$file" | diff "$file" - | head -n 6 || true
            status=1
        fi
        ;;
    --write) ocp-indent --inplace "$file" ;;
    *) echo "usage: $0 --check|--write FILE..." >&2 && exit 3 ;;
    esac
done
[ $status = 0 ] || echo '`make fmt` indents them'
exit $status
