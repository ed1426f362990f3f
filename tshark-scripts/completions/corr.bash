# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Completion for the corr-* scripts in bash; for zsh after `autoload bashcompinit; bashcompinit`.
# Options are those that --help names, so that there is one list of them.

# The options of script $1, one a line.
_corr_options() {
    "$1" --help 2>/dev/null | sed -n '1,/^Example/p' | grep -oE '(^|[][ ,|])--?[a-z-]+' |
        grep -oE -- '--?[a-z-]+' | sort -u
}

# The capture points that begin with $1: interfaces here, in namespaces, in containers.
_corr_points() {
    case $1 in
    netns:*/*)
        local space=${1#netns:}
        space=${space%%/*}
        ip -n "$space" -o link 2>/dev/null | sed -nE "s#^[0-9]+: ([^:@]+).*#netns:$space/\\1#p"
        ;;
    netns:*) ip netns list 2>/dev/null | sed -E 's#^([^ ]+).*#netns:\1/#' ;;
    docker:*/*) printf '%s\n' "${1%%/*}/eth0" ;;
    docker:*) docker ps --format 'docker:{{.Names}}/' 2>/dev/null ;;
    *)
        ip -o link 2>/dev/null | sed -nE 's#^[0-9]+: ([^:@]+).*#\1#p'
        printf '%s\n' any netns: docker: ssh:
        ;;
    esac
}

_corr_complete() {
    local program=$1 word before name='' candidates
    # The line as it stands: bash splits words at "=" and ":", which are part of ours.
    word=${COMP_LINE:0:COMP_POINT}
    word=${word##*[[:space:]]}
    before=${COMP_WORDS[COMP_CWORD - 1]}
    case $before in
    -f | -s | --duration | --size | --ping | --comment) return ;;
    esac
    if [[ $word == -* ]]; then
        candidates=$(_corr_options "$program")
    elif [[ $before == -o || $before == --file || $before == --build ]]; then
        compopt -o default
        return
    else
        if [[ $word == *=* ]]; then
            name=${word%%=*}=
        fi
        if [[ ${program##*/} == corr-capture ]]; then
            candidates=$(_corr_points "${word#"$name"}")
        else
            compopt -o filenames
            candidates=$(compgen -f -- "${word#"$name"}")
        fi
    fi
    # What bash has split off already must not stand in the answer.
    local split=${word%"${word##*[=:]}"}
    mapfile -t COMPREPLY < <(compgen -P "$name" -W "$candidates" -- "${word#"$name"}")
    COMPREPLY=("${COMPREPLY[@]#"$split"}")
    if [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *[:/] ]]; then
        compopt -o nospace
    fi
}

complete -F _corr_complete corr-capture corr-merge corr-demo
