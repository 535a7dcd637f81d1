#!/bin/bash
# The .rpm goes into a root of its own, with Debian's rpm, and out again: its scripts run there without a systemd, as in the making
# of an image. What only a Fedora shows is said in docs/packages.md.
source "$(dirname "$0")/lib.sh"
only_in_full
"$source_dir/tests/package/root.sh" || exit
rpm=$(package_of rpm)
if [ "${1:-}" != inside ]; then exec unshare --mount --propagation private "$0" inside; fi

# All in this mount namespace, gone with it.
mount -t tmpfs tmpfs /mnt
mkdir /mnt/{root,upper,work}
mount -t overlay overlay -o "lowerdir=$clean_root,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/root
mount -t tmpfs tmpfs /mnt/root/run
mount -t proc proc /mnt/root/proc
root=/mnt/root
in_root() { rpm --root "$root" --dbpath /var/lib/rpm "$@"; }
in_root --initdb
# Debian's root has no rpm database: the dependencies are in it, and rpm cannot know.
holds "it installs" in_root --install --nodeps "$rpm"
equal "what rpm --verify finds changed" "$(in_root --verify --nodeps dormouse)" ""
equal "the user" "$(grep -c '^dormouse:' $root/etc/passwd)" 1
equal "directory of the doorbells" "$(stat -c '%U %a' $root/run/dormouse)" "root 755"
equal "directory of the spools" "$(stat -c '%a' $root/var/spool/dormouse)" 2755
units=()
for file in "$root"/usr/lib/systemd/system/{dormouse,run-dormouse}*.*; do
    unit=${file##*/}
    units+=("${unit/@./@x.}")
done
equal "systemd-analyze verify" "$(systemd-analyze verify --man=no --root=$root "${units[@]}" 2>&1)" ""
holds "it can be installed over itself, as an upgrade" in_root --upgrade --force --nodeps "$rpm"
equal "the program says" "$(chroot $root sh -c 'apt-get install --yes libuv1 >/dev/null 2>&1; dormouse --version')" \
    "dormouse $(rpm -qp --queryformat '%{VERSION}' "$rpm")"
echo mine >$root/etc/dormouse/mine.toml
mkdir $root/var/spool/dormouse/default
echo '{}' >$root/var/spool/dormouse/default/unsent.json
holds "it can be removed" in_root --erase dormouse
equal "what is left of it" "$(cd $root && find etc usr var run -name '*dormouse*' ! -path 'var/lib/rpm*' | sort | xargs)" "etc/dormouse var/spool/dormouse"
equal "what was kept there" "$(cd $root && find etc/dormouse var/spool/dormouse -type f -printf "%p ")" "etc/dormouse/mine.toml var/spool/dormouse/default/unsent.json "
