#!/bin/bash
# Both packages go into a root without a running systemd, as in the making of an image, and out again; the .rpm with Debian's rpm:
# what only a Fedora shows is said in docs/packages.md.
source "$(dirname "$0")/lib.sh"
only_in_full
"$source_dir/tests/package/root.sh" || exit
rpm=$(package_of rpm)
deb=$(package_of deb)
if [ "${1:-}" != inside ]; then exec unshare --mount --propagation private "$0" inside; fi

# All in this mount namespace, gone with it.
mount -t tmpfs tmpfs /mnt
mkdir /mnt/{root,upper,work}
mount -t overlay overlay -o "lowerdir=$clean_root,upperdir=/mnt/upper,workdir=/mnt/work" /mnt/root
mount -t tmpfs tmpfs /mnt/root/run
mount -t proc proc /mnt/root/proc
root=/mnt/root
of_dormouse() { (cd $root && find etc usr var run -name '*dormouse*' ! -path 'var/lib/rpm*' ! -path 'var/cache/*' ! -path 'var/lib/dpkg/*' | sort | xargs); }

say "--- the .deb"
mkdir "$root/packages"
mount --bind "$packages" "$root/packages"
in_chroot() { chroot "$root" env DEBIAN_FRONTEND=noninteractive "$@" >/mnt/log 2>&1 || { cat /mnt/log; return 1; }; }
holds "it installs" in_chroot apt-get install --yes "/packages/${deb##*/}"
equal "the user" "$(grep -c '^dormouse:' $root/etc/passwd)" 1
equal "directory of the doorbells" "$(stat -c '%U %a' $root/run/dormouse)" "root 755"
holds "the program runs" in_chroot dormouse version
holds "it can be installed over itself, as an upgrade" in_chroot apt-get install --yes --reinstall "/packages/${deb##*/}"
holds "it can be purged" in_chroot apt-get purge --yes dormouse
equal "what is left of it" "$(of_dormouse)" ""
sed -i '/^dormouse:/d' "$root"/etc/passwd "$root"/etc/group "$root"/etc/shadow "$root"/etc/gshadow

say "--- the .rpm"
in_root() { rpm --root "$root" --dbpath /var/lib/rpm "$@" 2> >(grep -v -e 'use Alien' -e 'assuming you know' >&2); }
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
equal "the program says" "$(chroot $root dormouse --version)" \
    "dormouse $(rpm -qp --queryformat '%{VERSION}' "$rpm")"
echo mine >$root/etc/dormouse/mine.toml
mkdir $root/var/spool/dormouse/default
echo '{}' >$root/var/spool/dormouse/default/unsent.json
holds "it can be removed" in_root --erase dormouse
equal "what is left of it" "$(of_dormouse)" "etc/dormouse var/spool/dormouse"
equal "what was kept there" "$(cd $root && find etc/dormouse var/spool/dormouse -type f -printf "%p ")" "etc/dormouse/mine.toml var/spool/dormouse/default/unsent.json "
