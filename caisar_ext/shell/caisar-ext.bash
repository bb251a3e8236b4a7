# Completion of caisar-ext for bash; for zsh after `autoload -U +X bashcompinit && bashcompinit`.
# It reads the program's own help each time: no command and no option is named here.

# The commands that a page of help lists.
_caisar_ext_commands() {
    awk '/^[^ ]/ { listed = ($0 == "COMMANDS") } listed && /^       [^ ]/ { print $1 }'
}

# Its options, of both spellings.
_caisar_ext_options() {
    awk '/^       -/ { n = split($0, spellings, ", ")
                    for (i = 1; i <= n; i++) if (match(spellings[i], /--?[A-Za-z0-9][A-Za-z0-9-]*/))
                        print substr(spellings[i], RSTART, RLENGTH) }'
}

_caisar_ext() {
    local current=${COMP_WORDS[COMP_CWORD]} help word choices
    local -a command=("${COMP_WORDS[0]}")
    help=$("${command[@]}" --help=plain 2>/dev/null) || return
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        _caisar_ext_commands <<<"$help" | grep -qxF -e "$word" || break
        command+=("$word")
        help=$("${command[@]}" --help=plain 2>/dev/null) || return
    done
    choices=$(_caisar_ext_commands <<<"$help")
    case $current in
        -*) choices=$(_caisar_ext_options <<<"$help") ;;
    esac
    COMPREPLY=($(compgen -W "$choices" -- "$current"))
}

# Files where no word of ours fits.
complete -o default -F _caisar_ext caisar-ext
