# Blast in this shell (bash, zsh, sh): made by `blast shell-init`, the same text for everybody.
#
# What undoes an activation lies in _blast_* variables that are never exported: a child shell, a new tmux pane or
# `sudo -E` sees VIRTUAL_ENV, BLAST_ENV and PATH, and adopts or ignores them, but never undoes what it did not do.
# Every expansion has a default and every status is looked at, so that `set -eu` holds; no name but blast, deactivate
# and _blast_* is taken.

# Takes the first entry $1 out of PATH.
_blast_path_without() {
    _blast_list=:$PATH:
    case $_blast_list in
    *":$1:"*) _blast_list=${_blast_list%%":$1:"*}:${_blast_list#*":$1:"} ;;
    esac
    _blast_list=${_blast_list#:}
    PATH=${_blast_list%:}
}

_blast_path_front() {
    case $PATH in
    "$1" | "$1":*) return 0 ;;
    esac
    _blast_path_without "$1"
    PATH=$1${PATH:+:$PATH}
    export PATH
}

_blast_is_function() {
    [ "$(command -v "$1" 2>/dev/null)" = "$1" ]
}

# Leaves what another tool activated, by its own function where it has one.
_blast_leave_foreign() {
    if [ -n "${VIRTUAL_ENV-}" ] && _blast_is_function deactivate; then
        deactivate || :
    fi
    if [ -n "${VIRTUAL_ENV-}" ]; then
        _blast_path_without "$VIRTUAL_ENV/bin"
        _blast_path_without "$VIRTUAL_ENV/shims"
        unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT
    fi
}

# The word that users of other environments know.
_blast_offer_deactivate() {
    _blast_is_function deactivate && return
    _blast_own_deactivate=1
    deactivate() { _blast_leave; }
}

# What is active goes below what comes: _blast_push and _blast_pop keep it under the number of its depth.
_blast_push() {
    _blast_depth=$((_blast_depth + 1))
    for _blast_word in VIRTUAL_ENV VIRTUAL_ENV_PROMPT _blast_env _blast_project _blast_name _blast_bin; do
        eval "_blast_${_blast_depth}_$_blast_word=\${$_blast_word-}"
    done
    _blast_env=
}

_blast_pop() {
    [ "$_blast_depth" -gt 0 ] || return 0
    for _blast_word in VIRTUAL_ENV VIRTUAL_ENV_PROMPT _blast_env _blast_project _blast_name _blast_bin; do
        eval "$_blast_word=\${_blast_${_blast_depth}_$_blast_word-}; unset _blast_${_blast_depth}_$_blast_word"
    done
    _blast_depth=$((_blast_depth - 1))
    export VIRTUAL_ENV VIRTUAL_ENV_PROMPT
    [ -n "$VIRTUAL_ENV" ] || unset VIRTUAL_ENV
    [ -n "$VIRTUAL_ENV_PROMPT" ] || unset VIRTUAL_ENV_PROMPT
    if [ -n "$_blast_env" ]; then
        BLAST_ENV=$_blast_env BLAST_PROJECT=$_blast_project BLAST_SHELL_PID=$$
        export BLAST_ENV BLAST_PROJECT BLAST_SHELL_PID
    fi
}

# Takes back what is still as _blast_enter left it; what the user changed since stays.
_blast_leave() {
    [ -n "$_blast_env" ] || return 0
    if [ "${VIRTUAL_ENV-}" = "$_blast_env" ]; then
        if [ "${VIRTUAL_ENV_PROMPT-}" = "$_blast_name" ]; then
            unset VIRTUAL_ENV_PROMPT
        fi
        unset VIRTUAL_ENV
    fi
    if [ "${BLAST_ENV-}" = "$_blast_env" ]; then
        unset BLAST_ENV BLAST_PROJECT
    fi
    if [ "${BLAST_SHELL_PID-}" = "$$" ]; then
        unset BLAST_SHELL_PID
    fi
    _blast_path_without "$_blast_bin"
    _blast_env= _blast_project= _blast_name= _blast_bin= _blast_by_cd=
    _blast_pop
    if [ -z "$_blast_env" ]; then
        if [ -n "$_blast_home" ] && [ -z "${PYTHONHOME+set}" ]; then
            PYTHONHOME=$_blast_home
            export PYTHONHOME
        fi
        _blast_home=
        if [ -n "$_blast_own_deactivate" ]; then
            unset -f deactivate
        fi
        _blast_own_deactivate=
    fi
    _blast_seq=
    _blast_rehash
    _blast_mark_off
}

# _blast_enter ENVIRONMENT PROJECT NAME [stack|alone [shims]]; with shims its programs run in the sandbox, and bin is
# not in PATH behind them: what has no shim is not found, rather than run outside.
_blast_enter() {
    if [ "$_blast_env" = "$1" ] && [ "${VIRTUAL_ENV-}" = "$1" ]; then
        [ "$_blast_bin" = "$1/${5-bin}" ] || _blast_path_without "$_blast_bin"
        _blast_bin=$1/${5-bin}
        _blast_path_front "$_blast_bin"
        _blast_by_cd=
        _blast_mark_on
        return 0
    fi
    if [ "${4-}" = stack ] && [ "$_blast_env" != "$1" ]; then
        [ -z "${VIRTUAL_ENV-}" ] || _blast_push
    else
        while [ -n "$_blast_env" ]; do
            _blast_leave
        done
        _blast_leave_foreign
    fi
    if [ -n "${CONDA_PREFIX-}" ] && [ -z "$_blast_conda_said" ]; then
        _blast_conda_said=1
        printf '%s\n' "blast: conda's '${CONDA_DEFAULT_ENV:-$CONDA_PREFIX}' is active as well: its variables stay, its programs come after the environment's" >&2
    fi
    _blast_env=$1 _blast_project=$2 _blast_name=$3 _blast_bin=$1/${5-bin}
    VIRTUAL_ENV=$1 VIRTUAL_ENV_PROMPT=$3 BLAST_ENV=$1 BLAST_PROJECT=$2
    BLAST_SHELL_PID=$$ # the sandbox of what is run in the environment stays for as long as this shell
    export VIRTUAL_ENV VIRTUAL_ENV_PROMPT BLAST_ENV BLAST_PROJECT BLAST_SHELL_PID
    _blast_path_front "$_blast_bin"
    if [ -n "${PYTHONHOME-}" ]; then
        _blast_home=$PYTHONHOME
    fi
    unset PYTHONHOME
    _blast_offer_deactivate
    _blast_rehash
    _blast_mark_on
}

_blast_rehash() {
    hash -r 2>/dev/null || :
}

# start and kill tell the shell what to do, as text on descriptor 9. Standard output stays the terminal's (by way of 8),
# the exit code is the program's, and neither descriptor is open in anything the program starts.
_blast_ask() {
    _blast_rc=0
    {
        _blast_text=$(BLAST_DIRECTIVE_FD=9 BLAST_DIRECTIVE_SHELL="$_blast_shell $$" command blast "$@" 9>&1 1>&8 8>&-) ||
            _blast_rc=$?
    } 8>&1
    eval "$_blast_text"
    return "$_blast_rc"
}

# Which of the three ways a command line takes: ask, rehash or plain. The word behind an option may be its value.
_blast_choose() {
    _blast_way=plain _blast_after=
    for _blast_word in "$@"; do
        case $_blast_word in
        start | kill) _blast_way=ask ;;
        install | remove | update | undo | redo | rollback | sync) _blast_way=rehash ;;
        -*) _blast_after=1 && continue ;;
        run) ;;
        *) [ -z "$_blast_after" ] || { _blast_after= && continue; } ;;
        esac
        break
    done
    [ "$_blast_way" = ask ] || return 0
    [ -z "${BLAST_SUBSHELL-}${BLAST_INSIDE-}" ] || _blast_way=plain # a shell of its own needs no word to this one
    for _blast_word in "$@"; do
        case $_blast_word in
        --subshell | --inside) _blast_way=plain ;;
        esac
    done
}

_blast_call() {
    _blast_choose "$@"
    case $_blast_way in
    ask)
        _blast_ask "$@"
        return
        ;;
    rehash) ;;
    *)
        command blast "$@"
        return
        ;;
    esac
    _blast_rc=0
    command blast "$@" || _blast_rc=$?
    _blast_rehash
    return "$_blast_rc"
}

# With --auto: where the folder changed, the nearest .venv or blast.toml upwards decides; no process is started but for
# a project that was not looked at before. What `blast start` entered stays until it is left by `blast kill`.
_blast_look() {
    _blast_pwd=$PWD
    [ -z "$_blast_env" ] || [ -n "$_blast_by_cd" ] || return 0
    _blast_at=$PWD
    while [ -n "$_blast_at" ] && [ ! -e "$_blast_at/.venv/.status" ] && [ ! -e "$_blast_at/blast.toml" ]; do
        _blast_at=${_blast_at%/*}
    done
    [ "$_blast_at" != "$_blast_last" ] || return 0
    _blast_last=$_blast_at
    _blast_leave
    if [ -n "$_blast_at" ] && [ -e "$_blast_at/.venv/.status" ]; then
        _blast_ask start --if-trusted --project "$_blast_at" || :
        _blast_by_cd=$_blast_env
    fi
}

# Which of the two stands in PATH; where start files made PATH anew, the one with the sandbox.
_blast_find_bin() {
    _blast_bin=$BLAST_ENV/bin
    case :$PATH: in
    *":$BLAST_ENV/shims:"*) _blast_bin=$BLAST_ENV/shims ;;
    *":$BLAST_ENV/bin:"*) ;;
    *) [ ! -d "$BLAST_ENV/shims" ] || _blast_bin=$BLAST_ENV/shims ;;
    esac
}

# A shell within an active one, or in its place (exec), goes on with the environment when it is its user's own.
_blast_adopt() {
    [ -n "${BLAST_ENV-}" ] && [ "${VIRTUAL_ENV-}" = "$BLAST_ENV" ] || return 0
    if [ ! -e "$BLAST_ENV" ]; then
        _blast_path_without "$BLAST_ENV/bin"
        _blast_path_without "$BLAST_ENV/shims"
        unset VIRTUAL_ENV VIRTUAL_ENV_PROMPT BLAST_ENV BLAST_PROJECT BLAST_SHELL_PID
    elif [ -O "$BLAST_ENV" ]; then
        _blast_env=$BLAST_ENV _blast_project=${BLAST_PROJECT-} _blast_name=${VIRTUAL_ENV_PROMPT-}
        BLAST_SHELL_PID=$$
        export BLAST_SHELL_PID
        _blast_find_bin
        _blast_path_front "$_blast_bin"
        _blast_offer_deactivate
        _blast_mark_on
    fi
}

# Evaluated a second time in one shell it changes nothing; what a careless `export` brought along is not believed.
_blast_begin() {
    [ "${_blast_pid-}" != "$$" ] || return 0
    _blast_pid=$$ _blast_env= _blast_project= _blast_name= _blast_home= _blast_own_deactivate= _blast_conda_said=
    _blast_bin=
    _blast_depth=0 _blast_seq= _blast_said= _blast_mark= _blast_by_cd= _blast_last= _blast_at= _blast_pwd= _blast_auto=
    _blast_list= _blast_word= _blast_text= _blast_rc=0 _blast_way= _blast_after=
    _blast_adopt
}
