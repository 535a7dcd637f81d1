#!/bin/bash
# release_repositories.sh KEY DIRECTORY PACKAGES…: lays out the packages of the directories PACKAGES (those that ./dev package makes, one for
# each architecture) as a signed apt repository (DIRECTORY/apt), a signed dnf repository (DIRECTORY/rpm), and dormouse.asc, the key to check
# them with. KEY is a secret key of gpg's. SOURCE_DATE_EPOCH is the time of all of it, the signatures too, so the same packages and the same
# key give the same bytes.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
help_if_asked "$@"

key=$1
out=$(realpath -m "$2")
packages=("${@:3}")
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(date +%s)}
umask 022
log=$(mktemp)
trap 'rm -f "$log"' EXIT

sign() { "$root/scripts/release_sign.sh" "$key" "$@"; }

say "--- the key"
mkdir -p "$out"/apt/pool "$out"/rpm
gpg --batch --armor --export "$key" >"$out/dormouse.asc"

say "--- apt"
for directory in "${packages[@]}"; do
    # One for every architecture (python3-dormouse) comes out of each build; the first is taken.
    for package in "$directory"/*.{deb,ddeb,rpm}; do
        name=${package##*/}
        case $name in
        *.rpm) to=$out/rpm/$name ;;
        *) to=$out/apt/pool/${name%.*}.deb ;; # apt knows no .ddeb
        esac
        [ -e "$to" ] || cp "$package" "$to"
    done
done
find "$out"/{apt,rpm} -type f -exec chmod 644 {} + -exec touch --date="@$SOURCE_DATE_EPOCH" {} +
architectures=$(for package in "$out"/apt/pool/*.deb; do dpkg-deb --field "$package" Architecture; done | grep -vxF all | sort -u | xargs)
(
    cd "$out/apt"
    for architecture in $architectures; do
        index=dists/stable/main/binary-$architecture
        mkdir -p "$index"
        # in the order of a directory; each paragraph is a package
        apt-ftparchive --arch "$architecture" packages pool | perl -00 -e 'print sort <>' >"$index/Packages"
        gzip -9nk "$index/Packages"
    done
    apt-ftparchive -o APT::FTPArchive::Release::Origin=dormouse -o APT::FTPArchive::Release::Suite=stable \
        -o APT::FTPArchive::Release::Codename=stable -o APT::FTPArchive::Release::Components=main \
        -o APT::FTPArchive::Release::Architectures="$architectures" \
        -o APT::FTPArchive::Release::Date="$(LC_ALL=C date --utc --date="@$SOURCE_DATE_EPOCH" '+%a, %d %b %Y %H:%M:%S +0000')" release dists/stable >Release
    mv Release dists/stable/Release
    sign --clearsign --output dists/stable/InRelease dists/stable/Release
    sign --detach-sign --output dists/stable/Release.gpg dists/stable/Release
)

say "--- dnf"
rpmsign --define "_gpg_name $key" --define "__gpg $(command -v gpg)" --define "_gpg_sign_cmd_extra_args --quiet --faked-system-time $(sign --time)!" \
    --addsign "$out"/rpm/*.rpm >"$log" 2>&1 || {
    cat "$log" >&2
    die "release: rpmsign signs no package with the key $key"
}
touch --date="@$SOURCE_DATE_EPOCH" "$out"/rpm/*.rpm # their times are in the metadata
createrepo_c --quiet --no-database --revision "$SOURCE_DATE_EPOCH" --set-timestamp-to-revision "$out/rpm"
sign --detach-sign --output "$out/rpm/repodata/repomd.xml.asc" "$out/rpm/repodata/repomd.xml"
