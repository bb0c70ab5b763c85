#!/usr/bin/env bash
# fetch.sh asterisk|sipp|kamailio|baresip|tshark|chromium
#
# Prints the path of the program: the machine's own where it is new enough, else a private copy
# made of Debian's packages, in a folder that needs neither root nor a container and is used by
# nothing else. The packages come from the mirror that this machine's apt is set up with and are
# verified by Debian's keyring. Safe to repeat, and to run twice at once.
#
#   DIALER_LAB_CACHE       where private copies live (~/.cache/dialer-lab)
#   DIALER_DEBIAN_MIRROR   a Debian mirror, where apt knows none (a host that is not Debian)
set -euo pipefail

suite=sid # stable has no asterisk package, and its SIPp knows no SHA-256
usage="fetch.sh asterisk|sipp|kamailio|baresip|tshark|chromium"
name=${1:?usage: $usage}
case $name in
asterisk) program=usr/sbin/asterisk least=18 packages="asterisk asterisk-core-sounds-en-gsm" ;;
sipp) program=usr/bin/sipp least=3.8 packages=sip-tester ;;
kamailio) program=usr/sbin/kamailio least=5.6 packages=kamailio ;;
baresip) program=usr/bin/baresip least=1.0 packages=baresip-core ;;
tshark) program=usr/bin/tshark least=3.6 packages=tshark ;;
chromium)
  program=usr/lib/chromium/chromium-headless-shell least=120
  packages="chromium-headless-shell fontconfig-config fonts-dejavu-core"
  ;;
*) echo "fetch.sh: unknown program $name; usage: $usage" >&2; exit 2 ;;
esac
cache=${DIALER_LAB_CACHE:-$HOME/.cache/dialer-lab}
tree=$cache/$name
launcher=$tree/bin/$name

fail() { echo "$name: $*" >&2; exit 1; }

version_of() { # SIPp's version switch ends with status 99
  local switch=-V
  case $name in
  sipp | kamailio | tshark) switch=-v ;;
  baresip) switch=-h ;; # its first line
  chromium) switch=--version ;;
  esac
  { "$1" "$switch" 2>/dev/null || true; } | grep -oE '[0-9]+\.[0-9]+(\.[0-9]+)?' | head -n 1 || true
}

new_enough() {
  local version
  version=$(version_of "$1")
  [ -n "$version" ] && [ "$(printf '%s\n' "$least" "$version" | sort -V | head -n 1)" = "$least" ]
}

require() { # COMMAND PACKAGE
  command -v "$1" >/dev/null || fail "$1 is missing. Run: sudo apt-get install $2"
}

debian_mirror() {
  # anchored, so that a security or backports archive is not taken for the main one
  apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' | grep -m 1 -E '/debian/*$'
}

# apt with a state and a cache of its own. The machine's proxy and credentials stay in force.
# The empty status file makes apt resolve every dependency down to libc.
private_apt() {
  apt-get -q -y \
    -o "Dir::Etc::SourceList=$apt/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::Etc::Preferences=/dev/null -o Dir::Etc::PreferencesParts=/dev/null \
    -o "Dir::State=$apt/state" -o "Dir::State::Status=$apt/state/status" -o "Dir::Cache=$apt/cache" \
    -o APT::Install-Recommends=false -o "APT::Sandbox::User=$(id -un)" \
    -o Acquire::Languages=none -o Acquire::Retries=3 -o Debug::NoLocking=true \
    -o Acquire::Check-Valid-Until=false -o APT::Update::Post-Invoke-Success= \
    -o APT::Update::Error-Mode=any \
    "$@" >>"$apt/log" 2>&1 # a mirror that lags behind serves an index past its date
}

download() {
  local mirror=${DIALER_DEBIAN_MIRROR:-} keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
    fail "a private copy is made of Debian packages, by apt-get. Install $name $least or newer by this system's means"
  [ -e "$keyring" ] || fail "Debian's signing keys are missing. Run: sudo apt-get install debian-archive-keyring"
  [ -n "$mirror" ] || mirror=$(debian_mirror) ||
    fail "apt knows no Debian mirror here. Install $name $least or newer, or set DIALER_DEBIAN_MIRROR"
  rm -rf "$apt"
  mkdir -p "$apt"/state/lists/partial "$apt"/cache/archives/partial
  : >"$apt/state/status"
  echo "deb [signed-by=$keyring] ${mirror%/} $suite main" >"$apt/sources.list"
  echo "$name: fetching it once into $tree" >&2
  private_apt update || fail "Debian $suite is out of reach: $(grep -m 1 '^[EW]:' "$apt/log" || tail -n 1 "$apt/log")"
  # shellcheck disable=SC2086 # the names are words on purpose
  private_apt --download-only install $packages ||
    fail "the download failed: $(grep -m 1 '^E:' "$apt/log" || tail -n 1 "$apt/log")"
}

unpack() {
  local new=$tree.new package
  rm -rf "$new"
  mkdir -p "$new/bin"
  for package in "$apt"/cache/archives/*.deb; do dpkg-deb -x "$package" "$new"; done
  rm -rf "$new"/usr/share/{doc,man,locale,info,perl,lintian,zoneinfo}
  write_launcher "$new"
  new_enough "$new/bin/$name" || fail "the fetched program does not start; see what $new/bin/$name says"
  rm -rf "$tree"
  mv "$new" "$tree"
}

# The program runs with the loader and the libraries it came with, whatever the machine's are.
write_launcher() { # TREE
  local triplet loader switches= fonts=
  case $(dpkg --print-architecture) in
  amd64) triplet=x86_64-linux-gnu loader=ld-linux-x86-64.so.2 ;;
  arm64) triplet=aarch64-linux-gnu loader=ld-linux-aarch64.so.1 ;;
  *) fail "no private copy for this processor. Install $name $least or newer" ;;
  esac
  loader=usr/lib/$triplet/$loader
  if [ "$name" = chromium ]; then
    # it looks for its files beside what is executed, which is the loader, and starts itself anew
    cp "$1/$loader" "$1/$(dirname "$program")/loader"
    loader=$(dirname "$program")/loader
    switches='--no-sandbox --no-zygote --browser-subprocess-path="$self"'
    fonts='export FONTCONFIG_PATH="$tree/etc/fonts" XDG_DATA_HOME="$tree/usr/share"'
  fi
  cat >"$1/bin/$name" <<LAUNCHER
#!/bin/sh
self=\$(readlink -f "\$0")
tree=\$(dirname "\$(dirname "\$self")")
lib=\$tree/usr/lib/$triplet
export GCONV_PATH="\$lib/gconv" OPENSSL_MODULES="\$lib/ossl-modules" TERMINFO="\$tree/usr/share/terminfo"
$fonts
exec "\$tree/$loader" --library-path "\$lib:\$lib/nss:\$lib/pulseaudio" "\$tree/$program" $switches "\$@"
LAUNCHER
  chmod +x "$1/bin/$name"
}

if found=$(command -v "$name") && new_enough "$found"; then
  echo "$found"
  exit 0
fi
if [ ! -x "$launcher" ]; then # a tree is moved into place whole
  require flock util-linux
  mkdir -p "$cache" 2>/dev/null || fail "cannot make the folder $cache. Set DIALER_LAB_CACHE to another"
  exec 9>"$cache/.$name.lock"
  flock 9
  apt=$cache/$name.apt
  if [ ! -x "$launcher" ]; then
    download
    unpack
    rm -rf "$apt"
  fi
fi
echo "$launcher"
