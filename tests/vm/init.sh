#!/bin/sh
# Process 1 of the machine of tests/vm/run. First in the initial ramfs, where pivot_root(2) is refused; so it moves
# everything into a file system in memory and goes on there, as the sandbox's host.
export PATH=/bin
if [ ! -e /second ]; then
    mount -t devtmpfs dev /dev
    mount -t proc proc /proc
    for m in $(cat /mods.list); do insmod "/mods/$m"; done
    mkdir /n
    mount -t tmpfs -o mode=755 tmpfs /n
    for d in bin lib lib64 usr blast init checks.sh; do [ ! -e "/$d" ] || cp -a "/$d" /n/; done
    mkdir -p /n/dev /n/proc /n/sys /n/tmp /n/disk /n/etc /n/home
    chmod 1777 /n/tmp
    : >/n/second
    mount --move /dev /n/dev
    mkdir /n/dev/pts
    mount --move /proc /n/proc
    exec switch_root /n /init
fi
exec </dev/console >/dev/console 2>&1
mount -t devpts -o ptmxmode=666 devpts /dev/pts
mount -t sysfs sysfs /sys
mount -t cgroup2 -o nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
printf 'root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n' >/etc/passwd
printf 'root:x:0:\nuser:x:1000:\n' >/etc/group
mke2fs /dev/vda >/dev/null 2>&1
echo 1 >/proc/sys/kernel/printk # the kernel's own words would stand among ours
mount -t ext4 /dev/vda /disk
sh /checks.sh
echo 'the end'
poweroff -f
