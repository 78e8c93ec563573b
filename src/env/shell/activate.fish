# Source this file: source bin/activate.fish
test -n "$_blast_env"; and _blast_leave # what blast start entered in this shell: never two at once
function _blast_status
    return $argv[1]
end
function deactivate -d 'leave the environment'
    if set -q _BLAST_OLD_PATH
        set -gx PATH $_BLAST_OLD_PATH
        set -e _BLAST_OLD_PATH
    end
    if set -q _BLAST_OLD_PYTHONHOME
        set -gx PYTHONHOME $_BLAST_OLD_PYTHONHOME
        set -e _BLAST_OLD_PYTHONHOME
    end
    if functions -q _blast_old_prompt
        functions -e fish_prompt
        functions -c _blast_old_prompt fish_prompt
        functions -e _blast_old_prompt
    end
    set -e VIRTUAL_ENV
    set -e VIRTUAL_ENV_PROMPT
    if test "$argv[1]" != nondestructive
        functions -e deactivate
    end
end
deactivate nondestructive
set -gx VIRTUAL_ENV @E
set -gx VIRTUAL_ENV_PROMPT @P
set -g _BLAST_OLD_PATH $PATH
set -gx PATH "$VIRTUAL_ENV/bin" $PATH
if set -q PYTHONHOME
    set -g _BLAST_OLD_PYTHONHOME $PYTHONHOME
    set -e PYTHONHOME
end
if test -z "$VIRTUAL_ENV_DISABLE_PROMPT"; and functions -q fish_prompt
    functions -c fish_prompt _blast_old_prompt
    function fish_prompt
        set -l last $status
        printf '(%s) ' $VIRTUAL_ENV_PROMPT
        _blast_status $last
        _blast_old_prompt
    end
end
