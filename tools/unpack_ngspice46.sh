#!/usr/bin/env bash
# Unpacks ngspice 46 of Debian 12's backports into a folder; the installed ngspice stays as it is.
#
# usage: tools/unpack_ngspice46.sh FOLDER
#
# FOLDER/lib/libngspice.so.0 is the library, FOLDER/bin/ngspice the program. apt downloads the packages, and what they
# depend on and the system lacks, from the mirror that the system itself uses, and checks their signatures. Root is not
# needed. Nothing happens if FOLDER contains this version.
set -euo pipefail

version=46+ds-1~bpo12+1
release=bookworm

say() { printf 'ngspice 46: %s\n' "$*" >&2; }
die() {
    say "$@"
    exit 1
}

[ $# -eq 1 ] || die "usage: tools/unpack_ngspice46.sh FOLDER"
mkdir -p "$1"
folder=$(cd -- "$1" && pwd -P)
[ "$(cat "$folder/version" 2>/dev/null)" != "$version $folder" ] || exit 0
command -v apt-get >/dev/null 2>&1 || die "this system has no apt-get; the packages are those of Debian 12"
grep -q "^VERSION_CODENAME=$release$" /etc/os-release || die "this system is not Debian 12, whose backports have it"

# Mirror and key of the distribution, from the sources of this system.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT) $(LABEL)' 'Created-By: Packages' |
    sed -n "s/^\([^ ]*\) $release main Debian$/\1/p" | head -n 1)
if [ -z "$mirror" ]; then  # without lists, the label is unknown
    mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
        sed -n "s/^\([^ ]*\) $release main$/\1/p" | head -n 1)
fi
[ -n "$mirror" ] || die "the sources of apt name no mirror of $release main"
key=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$key" ] && key="[signed-by=$key] " || key=""

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir -p "$scratch/lists/partial" "$scratch/cache/archives/partial"
printf "deb $key$mirror %s main\n" "$release" "$release-backports" >"$scratch/sources.list"
printf 'Package: ngspice libngspice0\nPin: version %s\nPin-Priority: 1001\n' "$version" >"$scratch/preferences"
# As root apt would download as another user, who cannot write here.
apt="apt-get -qq -o Dir::Etc::SourceList=$scratch/sources.list -o Dir::Etc::SourceParts=- -o Debug::NoLocking=1
    -o Dir::Etc::Preferences=$scratch/preferences -o Dir::Etc::PreferencesParts=- -o Dir::State::Lists=$scratch/lists
    -o Dir::Cache=$scratch/cache -o APT::Sandbox::User=$(id -un)"
# $apt is several words on purpose.
# shellcheck disable=SC2086
{
    $apt update >"$scratch/log" 2>&1 || die "the lists of $mirror cannot be read: $(tail -n 1 "$scratch/log")"
    $apt install --yes --no-install-recommends --download-only --allow-downgrades --reinstall \
        "ngspice=$version" "libngspice0=$version" >"$scratch/log" 2>&1 ||
        die "version $version cannot be downloaded: $(tail -n 1 "$scratch/log")"
}

rm -rf "$folder/root" "$folder/lib" "$folder/bin" "$folder/share"
for package in "$scratch"/cache/archives/*.deb; do
    dpkg-deb -x "$package" "$folder/root"
done
library=$(echo "$folder"/root/usr/lib/*/libngspice.so.0)
[ -e "$library" ] || die "the packages contain no libngspice.so.0"
ln -s "$(dirname "$library")" "$folder/lib"
missing=$(LD_LIBRARY_PATH="$folder/lib" ldd "$library" "$folder/root/usr/bin/ngspice" | grep "not found" || true)
[ -z "$missing" ] || die "libraries are missing:" $missing

# The start file of the distribution loads the code models of the installed version, and starts eight threads.
mkdir -p "$folder/bin" "$folder/share/scripts"
printf '* %s\nset num_threads=1\n' "$version" >"$folder/share/scripts/spinit"
cat >"$folder/bin/ngspice" <<TEXT
#!/bin/sh
SPICE_LIB_DIR="$folder/share" LD_LIBRARY_PATH="$folder/lib\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" \\
    exec "$folder/root/usr/bin/ngspice" "\$@"
TEXT
chmod +x "$folder/bin/ngspice"
printf '%s' "$version $folder" >"$folder/version"
say "version $version is in $folder"
