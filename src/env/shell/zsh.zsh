# zsh: the mark in front of the prompt is always the same text; what it shows is element 97 of psvar, which zsh neither
# expands nor runs, whatever PROMPT_SUBST says.
_blast_shell=zsh
typeset -g _blast_sign='%(97V.%97v.)'

_blast_prompt_is_taken() {
    [[ -n ${VIRTUAL_ENV_DISABLE_PROMPT-} || -z ${PROMPT+set} ]] && return
    (( ${+functions[starship_precmd]} || ${+functions[prompt_starship_precmd]} || ${+functions[_omp_precmd]} ||
       ${+functions[p10k]} ))
}

_blast_mark_on() {
    emulate -L zsh
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
    if [[ $notice != "$_blast_said" && -o interactive ]]; then
        _blast_said=$notice
        [[ -z $notice ]] || print -ru2 -- "${notice//[[:cntrl:]]/ }"
    fi
    _blast_mark="($_blast_name$state) "
    [[ ${VIRTUAL_ENV-} == "$_blast_env" ]] || _blast_mark=
    psvar[97]=$_blast_mark
    if [[ ${PROMPT-} != "$_blast_sign"* ]] && ! _blast_prompt_is_taken; then
        PROMPT=$_blast_sign$PROMPT
    fi
}

_blast_mark_off() {
    emulate -L zsh

    psvar[97]=
    if [[ -n $_blast_env ]]; then
        _blast_mark_on
    elif [[ ${PROMPT-} == "$_blast_sign"* ]]; then
        PROMPT=${PROMPT#"$_blast_sign"}
    fi
}

_blast_prompt() {
    local rc=$?

    [[ -z $_blast_auto || $PWD == "$_blast_pwd" ]] || _blast_look
    [[ -z $_blast_env ]] || _blast_mark_on
    return $rc
}

# `function`, not blast(): an alias of that name would be put in the place of the word.
function blast { _blast_call "$@"; }

_blast_begin
typeset -ga precmd_functions
(( ${precmd_functions[(Ie)_blast_prompt]} )) || precmd_functions+=(_blast_prompt)
