# What holds in the machine of tests/vm/run: cgroup version 2 as root and as an ordinary user, an older kernel.
# Called by init.sh without a word, then by itself as each user in each place: checks.sh NAME limits|io|none.
# shellcheck shell=sh
C=/sys/fs/cgroup
abi=$(probe landlock)
who=${1:-}
place=${2:-}

ok() { echo "ok - $who: $1"; }
not_ok() { # name, what was seen
    echo "not ok - $who: $1: $(echo "$2" | tr '\n' ' ' | cut -c 1-600)"
}
judge() { # name, what was seen, command...: the command decides
    name=$1 seen=$2
    shift 2
    if "$@"; then ok "$name"; else not_ok "$name" "$seen"; fi
}
has() { case $1 in *"$2"*) return 0 ;; *) return 1 ;; esac; }
both() { has "$1" "$2" && has "$1" "$3"; }
between() { [ -n "$1" ] && [ "$1" -ge "$2" ] 2>/dev/null && [ "$1" -le "$3" ]; }
soon() { # command: true within two seconds
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        "$@" && return 0
        sleep 0.1
    done
    return 1
}
a_group() { [ -n "$(find $C -name 'blast-*-*' 2>/dev/null)" ]; }
no_group() { ! a_group; }
row() { tr -d '\n' <"$report" | tr '{' '\n' | grep "\"setting\": \"$1\""; }
row_is() { # setting state mechanism
    row "$1" | grep "\"state\": \"$2\"" | grep -q "\"mechanism\": \"*$3"
}

# blast as whoever runs this, with settings in front: sandboxed NAME=VALUE... -- command
blast() {
    set -- "$@" ''
    vars=
    while [ "$1" != -- ]; do
        vars="$vars BLAST_$1"
        shift
    done
    shift
    words=
    while [ $# -gt 1 ]; do
        words="$words $1"
        shift
    done
    # shellcheck disable=SC2086 # words
    env -i HOME="$home" BLAST_HOME="$home/blast" BLAST_NO_DAEMON=1 BLAST_OFFLINE=1 PATH=/bin $vars /blast/blast $words
}
inside() { # NAME=VALUE... -- command: its output and errors together, the exit code in $code
    out=$(blast "$@" 2>&1 </dev/null)
    code=$?
}

a_project() {
    home=$(mktemp -d /tmp/home-XXXXXX)
    project=$(mktemp -d /disk/project-XXXXXX)
    report=$home/report
    cd "$project" || exit 1
    mkdir -p .venv/bin
    ln -s /bin/sh .venv/bin/python # nothing here needs a real one
    echo 'home = /bin' >.venv/pyvenv.cfg
    printf '[env]\n[container]\nisolation_level = "namespace"\nnetwork_policy = "isolated"\n[sandbox]\n[security]\n[sync]\n' >blast.toml
    printf '[project]\nname = "app"\nversion = "1"\n' >pyproject.toml
}

L=SANDBOX_RESOURCES_

plain() {
    for level in process namespace container; do
        inside CONTAINER_ISOLATION_LEVEL=$level -- run --no-sync -- echo well
        if [ $level = container ] && [ "$place" = none ]; then
            judge "container without a cgroup is refused" "$code $out" both "$code $out" "125 " "needs a cgroup"
            inside CONTAINER_ISOLATION_LEVEL=$level SECURITY_DEFAULT_POLICY=permissive -- run --no-sync -- echo well
        fi
        judge "a command runs at level $level" "$code $out" both "$code $out" "0 " well
    done
}

told() {
    blast ${L}CPU_LIMIT=20 ${L}MEMORY_LIMIT=60M ${L}PROCESS_LIMIT=10 ${L}IOPS_LIMIT=20 ${L}DISK_LIMIT=8M \
        -- sandbox check --json >"$report" 2>"$home/errors"
    judge "check ends well" "$(cat "$report" "$home/errors")" test -s "$report"
    limited='hard' by='cgroup v2' count=$by
    [ "$place" != none ] || limited=sampled by='pid 1' count='RLIMIT_NPROC'
    judge "check: cpu_limit $limited" "$(row cpu_limit)" row_is cpu_limit $limited "$by"
    judge "check: memory_limit $limited" "$(row memory_limit)" row_is memory_limit $limited "$by"
    judge "check: process_limit hard" "$(row process_limit)" row_is process_limit hard "$count"
    if [ "$place" = io ]; then
        judge "check: iops_limit hard" "$(row iops_limit)" row_is iops_limit hard 'cgroup v2'
    else
        judge "check: iops_limit is not enforced" "$(row iops_limit)" row_is iops_limit 'not enforced' null
    fi
    [ "$place" != none ] || judge "check says what would help" "$(row iops_limit)" has "$(row iops_limit)" Delegate=yes
    judge "check: disk_limit sampled" "$(row disk_limit)" row_is disk_limit sampled 'file systems in memory'
    judge "check: isolation hard" "$(row isolation_level)" row_is isolation_level hard 'user, mount'
    blast CONTAINER_ISOLATION_LEVEL=process -- sandbox check --json >"$report" 2>"$home/errors"
    judge "check ends well at level process" "$(cat "$report" "$home/errors")" row_is system_calls hard seccomp
    if [ "$abi" -lt 6 ]; then
        judge "check: no Landlock scope at level process" "$(row process_isolation)" row_is process_isolation 'not enforced' null
        judge "check names the ABI that lacks" "$(row process_isolation)" has "$(row process_isolation)" 'Landlock ABI 6'
    fi
    judge "check: files by this kernel's Landlock" "$(row filesystem_isolation)" \
        row_is filesystem_isolation hard "Landlock ABI $([ "$abi" -lt 7 ] && echo "$abi" || echo 7)"
}

held() {
    inside ${L}PROCESS_LIMIT=10 -- run --no-sync -- probe fork 40
    judge "process_limit ends in EAGAIN" "$code $out" between "${out%% EAGAIN}" 5 10
    inside ${L}MEMORY_LIMIT=40M -- run --no-sync -- probe eat 20
    judge "what fits into memory_limit runs" "$code $out" has "$code $out" "0 ate"
    inside ${L}MEMORY_LIMIT=40M -- run --no-sync -- probe eat 200
    judge "memory_limit ends all and is named" "$code $out" both "$code $out" "137 " "ended by the sandbox: memory_limit"
    inside -- run --no-sync -- probe spin 2
    judge "without cpu_limit all of the processor is there" "$code $out" between "$out" 1000 3000
    inside ${L}CPU_LIMIT=20 -- run --no-sync -- probe spin 2
    judge "cpu_limit holds" "$code $out" between "$out" 1 800
    [ "$place" = io ] || return 0
    inside -- run --no-sync -- probe write f 40
    judge "without iops_limit writing is fast" "$code $out" between "$out" 0 1000
    inside ${L}IOPS_LIMIT=20 -- run --no-sync -- probe write f 40
    judge "iops_limit holds" "$code $out" between "$out" 1500 10000
}

born() { # in its group: nobody is moved into it
    t=/sys/kernel/tracing
    mount -t tracefs tracefs $t 2>/dev/null
    if ! [ -e $t/events/cgroup/cgroup_attach_task/enable ]; then
        echo "# this kernel does not trace cgroups"
        return 0
    fi
    echo 1 >$t/events/cgroup/cgroup_attach_task/enable
    mkdir $C/elsewhere
    sh -c "echo \$\$ >$C/elsewhere/cgroup.procs"
    inside ${L}MEMORY_LIMIT=100M -- run --no-sync -- cat /proc/self/cgroup
    moved=$(grep cgroup_attach_task $t/trace)
    judge "a move is seen" "$moved" has "$moved" elsewhere
    judge "the sandbox is born in its group" "$out $moved" test -z "$(echo "$moved" | grep blast-)"
    judge "its group is the root of what it sees" "$out" has "$out" '0::/'
    echo 0 >$t/events/cgroup/cgroup_attach_task/enable
    rmdir $C/elsewhere
}

left() { # nothing
    judge "no cgroup is left" "$(find $C -name 'blast-*-*')" soon no_group
    for whom in blast blast-jail; do
        blast ${L}MEMORY_LIMIT=100M -- run --no-sync -- sleep 600 >"$home/errors" 2>&1 </dev/null &
        starter=$!
        judge "a group while it runs" "$(cat "$home/errors")" soon a_group
        victim=$(pidof blast)
        [ $whom = blast ] || read -r victim _ <"/proc/$victim/task/$victim/children"
        kill -9 "$victim"
        wait $starter
        judge "no cgroup after kill -9 of $whom" "$(find $C -name 'blast-*-*')" soon no_group
        judge "no process after kill -9 of $whom" "$(ps)" soon no_sleeper
    done
    inside CONTAINER_ISOLATION_LEVEL=process -- run --no-sync -- sh -c 'echo'
    judge "no scratch is left" "$(ls -d /tmp/blast-run-* 2>/dev/null)" test -z "$(ls -d /tmp/blast-run-* 2>/dev/null)"
}
no_sleeper() { ! ps | grep -q '[s]leep 600'; }

if [ "$who" ]; then
    a_project
    plain
    told
    [ "$place" = none ] || held
    [ "$who" != root ] || born
    [ "$place" = none ] || left
    echo "# $who: done, up $(cut -d ' ' -f 1 /proc/uptime) s"
    exit 0
fi

echo "kernel $(uname -r), Landlock ABI $abi, cgroup controllers: $(cat $C/cgroup.controllers)"
echo "+cpu +memory +io +pids" >$C/cgroup.subtree_control
chmod 1777 /disk

in_group() { # group user words...: there, as this user
    g=$1 u=$2
    shift 2
    sh -c "echo \$\$ >$C/$g/cgroup.procs; exec probe as $u sh /checks.sh $*"
}
delegate() { # group: what systemd gives away with Delegate=
    chown 1000:1000 "$C/$1" "$C/$1/cgroup.procs" "$C/$1/cgroup.subtree_control" "$C/$1/cgroup.threads"
}
# A service of the user's manager: the group beside ours is the user's too, and io is not given by default.
mkdir $C/users
echo "+cpu +memory +pids" >$C/users/cgroup.subtree_control
mkdir $C/users/manager
echo "+cpu +memory +pids" >$C/users/manager/cgroup.subtree_control
mkdir $C/users/manager/service
delegate users/manager
delegate users/manager/service
# A scope with Delegate=yes below what is root's: our own processes have to move into a leaf first.
mkdir $C/slice
echo "+cpu +memory +pids +io" >$C/slice/cgroup.subtree_control
mkdir $C/slice/scope
delegate slice/scope
mkdir $C/session

sh /checks.sh root io
in_group users/manager/service 1000 user-of-a-manager limits
in_group slice/scope 1000 user-in-a-scope io
in_group session 1000 user-without-a-group none
