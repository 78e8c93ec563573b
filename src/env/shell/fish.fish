# Blast in this shell: made by `blast shell-init fish`, the same text for everybody.
#
# What undoes an activation lies in _blast_* variables that are global and not exported. fish has no hash table of
# commands, so nothing needs to be looked up again after a change.

function _blast_path_without
    set -l at (contains -i -- $argv[1] $PATH)
    or return
    set -l left $PATH
    set -e left[$at]
    set -gx PATH $left
end

function _blast_path_front
    test "$PATH[1]" = "$argv[1]"
    and return
    _blast_path_without $argv[1]
    set -gx PATH $argv[1] $PATH
end

function _blast_leave_foreign
    if test -n "$VIRTUAL_ENV"; and functions -q deactivate
        deactivate
    end
    if test -n "$VIRTUAL_ENV"
        _blast_path_without $VIRTUAL_ENV/bin
        _blast_path_without $VIRTUAL_ENV/shims
        set -e VIRTUAL_ENV
        set -e VIRTUAL_ENV_PROMPT
    end
end

function _blast_offer_deactivate
    functions -q deactivate
    and return
    set -g _blast_own_deactivate 1
    function deactivate -d 'leave the environment'
        _blast_leave
    end
end

# What is active goes below what comes: six elements of one list.
function _blast_push
    set -g _blast_below "$VIRTUAL_ENV" "$VIRTUAL_ENV_PROMPT" "$_blast_env" "$_blast_project" "$_blast_name" "$_blast_bin" \
        $_blast_below
    set -g _blast_env ''
end

function _blast_pop
    test (count $_blast_below) -ge 6
    or return
    set -gx VIRTUAL_ENV $_blast_below[1]
    set -gx VIRTUAL_ENV_PROMPT $_blast_below[2]
    set -g _blast_env $_blast_below[3]
    set -g _blast_project $_blast_below[4]
    set -g _blast_name $_blast_below[5]
    set -g _blast_bin $_blast_below[6]
    set -e _blast_below[1..6]
    test -n "$VIRTUAL_ENV"
    or set -e VIRTUAL_ENV
    test -n "$VIRTUAL_ENV_PROMPT"
    or set -e VIRTUAL_ENV_PROMPT
    if test -n "$_blast_env"
        set -gx BLAST_ENV $_blast_env
        set -gx BLAST_PROJECT $_blast_project
        set -gx BLAST_SHELL_PID $fish_pid
    end
end

# Takes back what is still as _blast_enter left it; what the user changed since stays.
function _blast_leave
    test -n "$_blast_env"
    or return 0
    if test "$VIRTUAL_ENV" = "$_blast_env"
        test "$VIRTUAL_ENV_PROMPT" = "$_blast_name"
        and set -e VIRTUAL_ENV_PROMPT
        set -e VIRTUAL_ENV
    end
    if test "$BLAST_ENV" = "$_blast_env"
        set -e BLAST_ENV
        set -e BLAST_PROJECT
    end
    test "$BLAST_SHELL_PID" = $fish_pid
    and set -e BLAST_SHELL_PID
    _blast_path_without $_blast_bin
    set -g _blast_env ''
    set -g _blast_bin ''
    set -g _blast_by_cd ''
    _blast_pop
    if test -z "$_blast_env"
        if test -n "$_blast_home"; and not set -q PYTHONHOME
            set -gx PYTHONHOME $_blast_home
        end
        set -g _blast_home ''
        test -n "$_blast_own_deactivate"
        and functions -e deactivate
        set -g _blast_own_deactivate ''
        _blast_mark_off
    end
    return 0
end

# _blast_enter ENVIRONMENT PROJECT NAME [stack|alone [shims]]; with shims its programs run in the sandbox, and bin is
# not in PATH behind them: what has no shim is not found, rather than run outside.
function _blast_enter
    set -l bin $argv[1]/bin
    test "$argv[5]" = shims
    and set bin $argv[1]/shims
    if test "$_blast_env" = "$argv[1]" -a "$VIRTUAL_ENV" = "$argv[1]"
        test "$_blast_bin" = "$bin"
        or _blast_path_without $_blast_bin
        set -g _blast_bin $bin
        _blast_path_front $bin
        set -g _blast_by_cd ''
        return
    end
    if test "$argv[4]" = stack -a "$_blast_env" != "$argv[1]"
        test -n "$VIRTUAL_ENV"
        and _blast_push
    else
        while test -n "$_blast_env"
            _blast_leave
        end
        _blast_leave_foreign
    end
    if test -n "$CONDA_PREFIX" -a -z "$_blast_conda_said"
        set -g _blast_conda_said 1
        set -l conda $CONDA_DEFAULT_ENV $CONDA_PREFIX
        echo "blast: conda's '$conda[1]' is active as well: its variables stay, its programs come after the environment's" >&2
    end
    set -g _blast_env $argv[1]
    set -g _blast_project $argv[2]
    set -g _blast_name $argv[3]
    set -gx VIRTUAL_ENV $argv[1]
    set -gx VIRTUAL_ENV_PROMPT $argv[3]
    set -gx BLAST_ENV $argv[1]
    set -gx BLAST_PROJECT $argv[2]
    set -gx BLAST_SHELL_PID $fish_pid # the sandbox of what is run in the environment stays for as long as this shell
    set -g _blast_bin $bin
    _blast_path_front $bin
    if set -q PYTHONHOME
        set -g _blast_home $PYTHONHOME
        set -e PYTHONHOME
    end
    _blast_offer_deactivate
    _blast_mark_on
end

# fish_prompt runs with the status of the last command, which the mark must not take away from it.
function _blast_status
    return $argv[1]
end

function _blast_mark_on
    status is-interactive; and test -z "$VIRTUAL_ENV_DISABLE_PROMPT"; and test "$STARSHIP_SHELL" != fish
    and not functions -q _omp_renderer; and not functions -q _blast_prompt_below; and functions -q fish_prompt
    or return 0
    functions -c fish_prompt _blast_prompt_below
    function fish_prompt -d 'with the mark of blast'
        set -l last $status
        printf %s $_blast_mark
        _blast_status $last
        _blast_prompt_below
    end
end

# A prompt that was changed since is its owner's.
function _blast_mark_off
    functions -q _blast_prompt_below
    or return 0
    if functions fish_prompt | string match -q '*$_blast_mark*'
        functions -e fish_prompt
        functions -c _blast_prompt_below fish_prompt
    end
    functions -e _blast_prompt_below
end

function _blast_before_prompt --on-event fish_prompt
    if test -n "$_blast_auto" -a "$PWD" != "$_blast_pwd"
        _blast_look
    end
    test -n "$_blast_env"
    or return
    set -l seq
    set -l word
    set -l notice
    test -r $_blast_env/.status
    and read -d ' ' -l seq word notice <$_blast_env/.status
    set -l state ''
    switch "$word"
        case sync
            set state ' ~'
        case decide
            set state ' !'
        case failed
            set state ' x'
        case pinned
            set state " @$seq"
    end
    if test "$notice" != "$_blast_said"
        set -g _blast_said $notice
        test -n "$notice"
        and string replace -ra '[[:cntrl:]]' ' ' -- $notice >&2
    end
    set -g _blast_mark ''
    test "$VIRTUAL_ENV" = "$_blast_env"
    and set -g _blast_mark "($_blast_name$state) "
end

# With --auto: see the text for bash. What `blast start` entered stays until it is left by `blast kill`.
function _blast_look
    set -g _blast_pwd $PWD
    if test -n "$_blast_env" -a -z "$_blast_by_cd"
        return
    end
    set -l at $PWD
    while test -n "$at"; and not test -e $at/.venv/.status -o -e $at/blast.toml
        set at (string replace -r '/[^/]*$' '' -- $at | string collect)
    end
    test "$at" != "$_blast_last"
    or return
    set -g _blast_last $at
    _blast_leave
    if test -n "$at"; and test -e $at/.venv/.status
        _blast_ask start --if-trusted --project $at
        set -g _blast_by_cd $_blast_env
    end
end

# start and kill tell the shell what to do, as text in a file that only this user can read.
function _blast_ask
    _blast_file_gone
    set -g _blast_file (command mktemp)
    or return
    BLAST_DIRECTIVE_FILE=$_blast_file BLAST_DIRECTIVE_SHELL="fish $fish_pid" command blast $argv
    set -l rc $status
    test -s $_blast_file
    and source $_blast_file
    _blast_file_gone
    return $rc
end

# Ctrl-C ends a function where it stands, and leaves the file to the next one or to the end of the shell.
function _blast_file_gone --on-event fish_exit
    test -n "$_blast_file"
    and command rm -f -- $_blast_file
    set -g _blast_file ''
end

function blast -d 'Blast, with start and kill acting on this shell'
    set -l way plain
    set -l after ''
    for word in $argv
        switch $word
            case start kill
                set way ask
            case run
            case '-*'
                set after 1
                continue
            case '*'
                if test -n "$after"
                    set after ''
                    continue
                end
        end
        break
    end
    if test $way = ask -a -z "$BLAST_SUBSHELL$BLAST_INSIDE"; and not contains -- --subshell $argv
        and not contains -- --inside $argv
        _blast_ask $argv
    else
        command blast $argv
    end
end

# A shell within an active one, or in its place (exec), goes on with the environment when it is its user's own.
if test "$_blast_pid" != $fish_pid
    for name in env project name bin home own_deactivate conda_said said mark by_cd last pwd auto file
        set -g _blast_$name ''
    end
    set -g _blast_pid $fish_pid
    set -g _blast_below
    if test -n "$BLAST_ENV" -a "$VIRTUAL_ENV" = "$BLAST_ENV"
        if not test -e $BLAST_ENV
            _blast_path_without $BLAST_ENV/bin
            _blast_path_without $BLAST_ENV/shims
            for name in VIRTUAL_ENV VIRTUAL_ENV_PROMPT BLAST_ENV BLAST_PROJECT BLAST_SHELL_PID
                set -e $name
            end
        else if test -O $BLAST_ENV
            set -g _blast_env $BLAST_ENV
            set -g _blast_project "$BLAST_PROJECT"
            set -g _blast_name "$VIRTUAL_ENV_PROMPT"
            set -gx BLAST_SHELL_PID $fish_pid
            set -g _blast_bin $BLAST_ENV/bin # where start files made PATH anew, the one with the sandbox
            if contains -- $BLAST_ENV/shims $PATH; or not contains -- $BLAST_ENV/bin $PATH; and test -d $BLAST_ENV/shims
                set -g _blast_bin $BLAST_ENV/shims
            end
            _blast_path_front $_blast_bin
            _blast_offer_deactivate
            _blast_mark_on
        end
    end
end
