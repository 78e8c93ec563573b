# A POSIX shell (dash, ash ...): no hook before the prompt, so the mark is as of the last command of Blast.
_blast_shell=sh

_blast_mark_on() {
    _blast_seq= _blast_word= _blast_notice=
    if [ -r "$_blast_env/.status" ]; then
        IFS=' ' read -r _blast_seq _blast_word _blast_notice <"$_blast_env/.status" || :
    fi
    case $_blast_word in
    sync) _blast_word=' ~' ;;
    decide) _blast_word=' !' ;;
    failed) _blast_word=' x' ;;
    pinned) _blast_word=" @$_blast_seq" ;;
    *) _blast_word= ;;
    esac
    _blast_mark="($_blast_name$_blast_word) "
    [ -z "${VIRTUAL_ENV_DISABLE_PROMPT-}" ] && [ -n "${PS1+set}" ] || return 0
    case $PS1 in
    '${_blast_mark-}'*) ;;
    *) PS1='${_blast_mark-}'$PS1 ;;
    esac
}

_blast_mark_off() {
    _blast_mark=
    if [ -n "$_blast_env" ]; then
        _blast_mark_on
        return
    fi
    case ${PS1-} in
    '${_blast_mark-}'*) PS1=${PS1#'${_blast_mark-}'} ;;
    esac
}

# An alias of that name would be put in the place of the word, and there is no other way to write a function here.
unalias blast 2>/dev/null || :
blast() {
    _blast_rc=0
    _blast_call "$@" || _blast_rc=$?
    [ -z "$_blast_env" ] || _blast_mark_on
    return "$_blast_rc"
}

_blast_begin
