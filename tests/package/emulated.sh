#!/bin/bash
# emulated.sh ROOT COMMAND…: runs a command in an arm64 root, under qemu-user; this tree is seen there. If this machine does not run
# programs of arm64 by itself, it is told to in a user namespace of its own (Linux 6.7 or later): nothing else on it sees that.
source "$(dirname "$0")/lib.sh"
root=$1
shift
qemu=$source_dir/build/cross-arm64/usr/bin/qemu-aarch64
if [ "${inside_emulated:-}" != yes ]; then
    export inside_emulated=yes
    inside=(unshare --mount --propagation private --pid --fork --kill-child "$0" "$root" "$@")
    # With the cross compiler's own C library.
    if "$source_dir/build/cross-arm64/usr/aarch64-linux-gnu/lib/ld-linux-aarch64.so.1" --version >/dev/null 2>&1; then exec "${inside[@]}"; fi
    export own_binfmt=yes
    # All users are in its namespace; that is written from outside, before anything is executed as one of them.
    gate=$(mktemp -u)
    mkfifo "$gate"
    unshare --user bash -c 'read -r _ <"$1"; exec "${@:2}"' - "$gate" "${inside[@]}" &
    child=$!
    exec {open}>"$gate" # waits until it is read there
    rm "$gate"
    for map in uid_map gid_map; do echo "0 0 4294967295" >"/proc/$child/$map"; done
    exec {open}>&-
    wait "$child"
    exit
fi

mount -t proc proc /proc
if [ "${own_binfmt:-}" = yes ]; then
    mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc ||
        skip "this machine runs no programs of arm64 (Debian package qemu-user-binfmt), and its Linux has no binfmt_misc for a namespace"
    # F: the emulator is opened here and now, and so is the same in the root.
    printf ':arm64:M::\\x7fELF\\x02\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\xb7\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\xfe\\xff\\xff\\xff:%s:F' \
        "$qemu" >/proc/sys/fs/binfmt_misc/register
fi
case $root in
*.new) ;; # it is being made
*)        # what is written there is gone with the namespace
    mount -t tmpfs tmpfs /mnt
    mkdir /mnt/{root,upper,work}
    mount -t overlay overlay -o "lowerdir=$root,upperdir=/mnt/upper,workdir=/mnt/work,userxattr" /mnt/root
    root=/mnt/root
    ;;
esac
mkdir -p "$root$source_dir" "$root/proc"
mount --rbind /dev "$root/dev"
mount --rbind /proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mount --bind "$source_dir" "$root$source_dir"
# container=lxc: debootstrap makes no device nodes then, which no namespace may.
exec chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive container=lxc "$@"
