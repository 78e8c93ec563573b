# .zshenv of the zsh that `blast start` opens: the user's own files are read as if this folder were not there.
_blast_zdotdir=$ZDOTDIR
if [[ -n ${BLAST_ZDOTDIR-} ]]; then ZDOTDIR=$BLAST_ZDOTDIR; else unset ZDOTDIR; fi
[[ ! -r ${ZDOTDIR:-$HOME}/.zshenv ]] || . "${ZDOTDIR:-$HOME}/.zshenv"
export BLAST_ZDOTDIR=${ZDOTDIR-}
export ZDOTDIR=$_blast_zdotdir
unset _blast_zdotdir
