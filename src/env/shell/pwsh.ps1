# Blast in this shell: made by `blast shell-init pwsh`, the same text for everybody. For PowerShell 7 on Linux.
#
# What undoes an activation lies in the variable BlastState, which no child process sees.

function global:_blast_path_without([string]$Entry) {
    $list = [System.Collections.Generic.List[string]]($env:PATH -split ':')
    [void]$list.Remove($Entry)
    $env:PATH = $list -join ':'
}

function global:_blast_leave {
    $s = $global:BlastState
    if (-not $s.Env) { return }
    if ($env:VIRTUAL_ENV -ceq $s.Env) {
        if ($env:VIRTUAL_ENV_PROMPT -ceq $s.Name) { $env:VIRTUAL_ENV_PROMPT = $null }
        $env:VIRTUAL_ENV = $null
    }
    if ($env:BLAST_ENV -ceq $s.Env) { $env:BLAST_ENV = $null; $env:BLAST_PROJECT = $null }
    if ($env:BLAST_SHELL_PID -ceq "$PID") { $env:BLAST_SHELL_PID = $null }
    _blast_path_without $s.Bin
    $s.Env = ''
    if ($s.Below.Count) {
        $old = $s.Below.Pop()
        $s.Env = $old.Env; $s.Project = $old.Project; $s.Name = $old.Name; $s.Bin = $old.Bin
        if ($old.VirtualEnv) { $env:VIRTUAL_ENV = $old.VirtualEnv; $env:VIRTUAL_ENV_PROMPT = $old.Prompt }
        if ($old.Env) { $env:BLAST_ENV = $old.Env; $env:BLAST_PROJECT = $old.Project; $env:BLAST_SHELL_PID = "$PID" }
    }
    if (-not $s.Env) {
        if ($s.Home -and -not $env:PYTHONHOME) { $env:PYTHONHOME = $s.Home }
        $s.Home = ''
        if ($s.OwnDeactivate) { Remove-Item Function:\deactivate -ErrorAction SilentlyContinue }
        $s.OwnDeactivate = $false
    }
}

# _blast_enter ENVIRONMENT PROJECT NAME [stack|alone [shims]]; with shims its programs run in the sandbox, and bin is
# not in PATH behind them: what has no shim is not found, rather than run outside.
function global:_blast_enter([string]$Environment, [string]$Project, [string]$Name, [string]$How, [string]$Bin = 'bin') {
    $s = $global:BlastState
    if ($s.Env -ceq $Environment -and $env:VIRTUAL_ENV -ceq $Environment) {
        _blast_path_without $s.Bin
        $s.Bin = "$Environment/$Bin"
        $env:PATH = "$($s.Bin):$($env:PATH)"
        return
    }
    if ($How -eq 'stack' -and $env:VIRTUAL_ENV) {
        $s.Below.Push(@{ VirtualEnv = $env:VIRTUAL_ENV; Prompt = $env:VIRTUAL_ENV_PROMPT
                         Env = $s.Env; Project = $s.Project; Name = $s.Name; Bin = $s.Bin })
    } else {
        while ($s.Env) { _blast_leave }
        if ($env:VIRTUAL_ENV -and (Test-Path Function:\deactivate)) { deactivate }
        if ($env:VIRTUAL_ENV) {
            _blast_path_without "$($env:VIRTUAL_ENV)/bin"
            _blast_path_without "$($env:VIRTUAL_ENV)/shims"
        }
    }
    if ($env:CONDA_PREFIX -and -not $s.CondaSaid) {
        $s.CondaSaid = $true
        [Console]::Error.WriteLine("blast: conda is active as well: its variables stay, its programs come after the environment's")
    }
    $s.Env = $Environment; $s.Project = $Project; $s.Name = $Name; $s.Bin = "$Environment/$Bin"
    $env:VIRTUAL_ENV = $Environment; $env:VIRTUAL_ENV_PROMPT = $Name
    $env:BLAST_ENV = $Environment; $env:BLAST_PROJECT = $Project
    $env:BLAST_SHELL_PID = "$PID" # the sandbox of what is run in the environment stays for as long as this shell
    _blast_path_without $s.Bin
    $env:PATH = "$($s.Bin):$($env:PATH)"
    if ($env:PYTHONHOME) { $s.Home = $env:PYTHONHOME; $env:PYTHONHOME = $null }
    if (-not (Test-Path Function:\deactivate)) {
        function global:deactivate { _blast_leave }
        $s.OwnDeactivate = $true
    }
}

# What stands before the prompt; a theme that draws its own reads VIRTUAL_ENV_PROMPT.
function global:_blast_mark {
    $s = $global:BlastState
    if (-not $s.Env -or $env:VIRTUAL_ENV -cne $s.Env -or $env:VIRTUAL_ENV_DISABLE_PROMPT) { return '' }
    $state = ''
    $notice = ''
    try {
        $seq, $word, $notice = [System.IO.File]::ReadAllText("$($s.Env)/.status").TrimEnd("`n") -split ' ', 3
        switch ($word) {
            'sync' { $state = ' ~' }
            'decide' { $state = ' !' }
            'failed' { $state = ' x' }
            'pinned' { $state = " @$seq" }
        }
    } catch [System.IO.IOException] { }
    if ($notice -cne $s.Said) {
        $s.Said = $notice
        if ($notice) { [Console]::Error.WriteLine(($notice -replace '\p{Cc}', ' ')) }
    }
    return "($($s.Name)$state) "
}

# With -auto: the nearest .venv upwards, where the folder changed. What `blast start` entered stays.
function global:_blast_look {
    $s = $global:BlastState
    $here = (Get-Location -PSProvider FileSystem).ProviderPath
    if ($here -ceq $s.Pwd) { return }
    $s.Pwd = $here
    if ($s.Env -and -not $s.ByCd) { return }
    $at = $here
    while ($at -and -not [System.IO.File]::Exists("$at/.venv/.status") -and -not [System.IO.File]::Exists("$at/blast.toml")) {
        $at = [System.IO.Path]::GetDirectoryName($at)
    }
    if ($at -ceq $s.Last) { return }
    $s.Last = $at
    _blast_leave
    if ($at -and [System.IO.File]::Exists("$at/.venv/.status")) {
        _blast_ask @('start', '--if-trusted', '--project', $at)
        $s.ByCd = [bool]$s.Env
    }
}

# start and kill tell the shell what to do, as text in a file that only this user can read.
function global:_blast_ask([string[]]$Words) {
    $file = [System.IO.Path]::GetTempFileName()
    $program = (Get-Command -CommandType Application -TotalCount 1 blast).Source
    $env:BLAST_DIRECTIVE_FILE = $file
    $env:BLAST_DIRECTIVE_SHELL = "pwsh $PID"
    try {
        & $program @Words
        $rc = $global:LASTEXITCODE
    } finally {
        $env:BLAST_DIRECTIVE_FILE = $null
        $env:BLAST_DIRECTIVE_SHELL = $null
        $text = [System.IO.File]::ReadAllText($file)
        Remove-Item -LiteralPath $file
    }
    if ($text) { . ([ScriptBlock]::Create($text)) }
    $global:LASTEXITCODE = $rc
}

function global:blast {
    $word = $args | Where-Object { "$_" -notlike '-*' } | Select-Object -First 1
    $own = $args -ccontains '--subshell' -or $args -ccontains '--inside' -or $env:BLAST_SUBSHELL -or $env:BLAST_INSIDE
    if ($word -cin 'start', 'kill' -and -not $own) {
        _blast_ask @($args | ForEach-Object { "$_" })
    } else {
        & (Get-Command -CommandType Application -TotalCount 1 blast).Source @args
    }
}

if (-not (Test-Path Variable:Global:BlastState)) {
    $global:BlastState = @{ Env = ''; Project = ''; Name = ''; Bin = ''; Home = ''; Said = ''; Pwd = ''; Last = ''; ByCd = $false
                            OwnDeactivate = $false; CondaSaid = $false; Auto = $false
                            Below = [System.Collections.Generic.Stack[object]]::new()
                            Prompt = $function:prompt }
    function global:prompt {
        if ($global:BlastState.Auto) { _blast_look }
        "$(_blast_mark)$(& $global:BlastState.Prompt)"
    }
    if ($env:BLAST_ENV -and $env:VIRTUAL_ENV -ceq $env:BLAST_ENV -and (Test-Path -LiteralPath $env:BLAST_ENV)) {
        $name, $project = $env:VIRTUAL_ENV_PROMPT, $env:BLAST_PROJECT
        $entries = $env:PATH -split ':'
        $bin = 'bin' # where start files made PATH anew, the one with the sandbox
        if ($entries -ccontains "$($env:BLAST_ENV)/shims" -or ($entries -cnotcontains "$($env:BLAST_ENV)/bin" -and
                (Test-Path -LiteralPath "$($env:BLAST_ENV)/shims"))) { $bin = 'shims' }
        $env:VIRTUAL_ENV = $null
        _blast_enter $env:BLAST_ENV $project $name alone $bin
    }
}
