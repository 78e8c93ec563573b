# .zshrc of the zsh that `blast start` opens: the user's own, then the environment. No trace is left for children.
if [[ -n ${BLAST_ZDOTDIR-} ]]; then export ZDOTDIR=$BLAST_ZDOTDIR; else unset ZDOTDIR; fi
unset BLAST_ZDOTDIR
[[ ! -r ${ZDOTDIR:-$HOME}/.zshrc ]] || . "${ZDOTDIR:-$HOME}/.zshrc"
_blast_start=${BLAST_START-}
unset BLAST_START
[[ -z $_blast_start ]] || . "$_blast_start"
unset _blast_start
