# bash: the mark in front of the prompt is always the same text, '${_blast_mark-}', which bash looks up when it draws the
# prompt. So nothing of a project's name is ever expanded or run, an exported PS1 shows nothing elsewhere, and taking
# the mark off again leaves the prompt as its owner last set it.
_blast_shell=bash

_blast_prompt_is_taken() {
    [[ -n ${VIRTUAL_ENV_DISABLE_PROMPT-} || -z ${PS1+set} ]] && return
    declare -F starship_precmd >/dev/null || declare -F _omp_hook >/dev/null
}

_blast_mark_on() {
    local seq='' word='' notice='' state=''

    if [[ -r $_blast_env/.status ]]; then
        IFS=' ' read -r seq word notice <"$_blast_env/.status" || :
    fi
    case $word in
    sync) state=' ~' ;;
    decide) state=' !' ;;
    failed) state=' x' ;;
    pinned) state=" @$seq" ;;
    esac
    if [[ $seq != "$_blast_seq" ]]; then
        [[ -z $_blast_seq ]] || _blast_rehash
        _blast_seq=$seq
    fi
    if [[ $notice != "$_blast_said" && $- == *i* ]]; then
        _blast_said=$notice
        [[ -z $notice ]] || printf '%s\n' "${notice//[[:cntrl:]]/ }" >&2
    fi
    _blast_mark="($_blast_name$state) "
    [[ ${VIRTUAL_ENV-} == "$_blast_env" ]] || _blast_mark=
    if [[ ${PS1-} != '${_blast_mark-}'* ]] && ! _blast_prompt_is_taken; then
        PS1='${_blast_mark-}'$PS1
    fi
}

_blast_mark_off() {
    _blast_mark=
    if [[ -n $_blast_env ]]; then
        _blast_mark_on
    elif [[ ${PS1-} == '${_blast_mark-}'* ]]; then
        PS1=${PS1#'${_blast_mark-}'}
    fi
}

_blast_prompt() {
    local rc=$?

    [[ -z $_blast_auto || $PWD == "$_blast_pwd" ]] || _blast_look
    [[ -z $_blast_env ]] || _blast_mark_on
    return "$rc"
}

# `function`, not blast(): an alias of that name would be put in the place of the word.
function blast { _blast_call "$@"; }

_blast_begin
# Looked up as well: an exported PROMPT_COMMAND does nothing in a shell without this text.
_blast_hook=_blast_prompt
if [[ ${PROMPT_COMMAND[*]-} != *'${_blast_hook-}'* ]]; then
    if [[ -n ${PROMPT_COMMAND[1]-} ]]; then
        PROMPT_COMMAND+=('${_blast_hook-}')
    else
        PROMPT_COMMAND=${PROMPT_COMMAND:+$PROMPT_COMMAND$'\n'}'${_blast_hook-}'
    fi
fi
