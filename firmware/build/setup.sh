#!/bin/bash
# Puts on this machine what `make device`, the device tests and `make board` need:
# cross compilers, emulators, an MQTT broker to test against, Rust for ARM, and in
# .deps/arm64/ the kernel and the shell of the booted board.
#
# For Debian, as root; Ubuntu has all but the kernel. A second run takes a second.
# Everything comes through the machine's own apt sources, whose signatures apt
# checks, or through rustup, which checks sums. The kernel is the one that the
# distribution supports today.
#
# GRAFT_RUST=debian takes the compiler from Debian too, and leaves rustup alone.
#
# Exit status: 0 all is there; 3 this machine cannot have it (not root, no apt);
# anything else is an error.

set -euo pipefail
cd "$(dirname "$0")/../.."

readonly packages=(
  gcc-aarch64-linux-gnu gcc-arm-linux-gnueabihf
  libc6-dev-arm64-cross libc6-dev-armhf-cross
  qemu-user-static qemu-system-arm
  mosquitto
)
# A Rust that is newer than the distribution's own, kept for its browsers.
readonly rust_packages=(rustc-web cargo-web rust-web-src libstd-rust-web-dev)
readonly rust_targets=(aarch64-unknown-linux-gnu armv7-unknown-linux-gnueabihf)
# What the booted board loads and what those modules are made of.
readonly arm64=$PWD/.deps/arm64

say() { echo "device setup: $*" >&2; }

cannot() {
  say "$*"
  exit 3
}

# Every package of the list that is not installed.
missing() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

updated=no
install() {
  local wanted
  mapfile -t wanted < <(missing "$@")
  [ ${#wanted[@]} -gt 0 ] || return 0
  [ "$(id -u)" -eq 0 ] || cannot "not root, and not installed: ${wanted[*]}"
  say "installing ${wanted[*]}"
  if [ $updated = no ]; then
    apt-get update -qq || cannot "apt's sources cannot be reached, and not installed: ${wanted[*]}"
    updated=yes
  fi
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}" >/dev/null
}

install_packages() {
  local broker_is_new
  broker_is_new=$(missing mosquitto)
  install "${packages[@]}"
  # Tests start a broker of their own; nobody asked for one that serves.
  if [ -n "$broker_is_new" ] && [ -d /run/systemd/system ]; then
    systemctl disable --now --quiet mosquitto
  fi
}

# apt for arm64 with a state of its own: with the architecture added to the
# machine's apt, every later upgrade here would be one of two architectures.
arm64_apt() {
  if [ ! -e "$arm64/apt/apt.conf" ]; then
    rm -rf "$arm64/apt"
    mkdir -p "$arm64"/apt/{state/lists,cache/archives}/partial
    : >"$arm64/apt/state/status"
    cat >"$arm64/apt/new.conf" <<END
Dir::State "$arm64/apt/state";
Dir::State::status "$arm64/apt/state/status";
Dir::Cache "$arm64/apt/cache";
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "root";
Acquire::Languages "none";
END
    APT_CONFIG=$arm64/apt/new.conf apt-get update -qq
    mv "$arm64/apt/new.conf" "$arm64/apt/apt.conf"
  fi
  APT_CONFIG=$arm64/apt/apt.conf "$@"
}

# Unpacks one arm64 package into a folder and installs nothing.
unpack_arm64() {
  local package=$1 folder=$2 download
  download=$(mktemp -d "$arm64/download.XXXXXX")
  (cd "$download" && arm64_apt apt-get download -qq "$package" >/dev/null)
  dpkg -x "$download"/*.deb "$folder"
  rm -r "$download"
}

rustup_has_targets() {
  [ "${GRAFT_RUST:-rustup}" = rustup ] || return 1
  command -v rustup >/dev/null || return 1
  local installed target
  installed=$(rustup target list --installed 2>/dev/null) || return 1
  for target in "${rust_targets[@]}"; do
    if ! grep -qx "$target" <<<"$installed"; then
      say "rustup target add $target"
      # It may hang where its servers cannot be reached.
      timeout 300 rustup --quiet target add "$target" || return 1
    fi
  done
}

# Debian's compiler, and for aarch64 its standard library too, in a folder that
# looks like the compiler's own. For armv7 `cargo -Zbuild-std` builds the library.
install_debian_rust() {
  local host=x86_64-unknown-linux-gnu target=aarch64-unknown-linux-gnu version
  install "${rust_packages[@]}"
  version=$(dpkg-query -W -f '${Version}' libstd-rust-web-dev)
  [ "$(cat "$arm64/rust/version" 2>/dev/null)" != "$version" ] || return 0
  say "unpacking Debian's Rust library for arm64, $version"
  rm -rf "$arm64/rust"
  mkdir -p "$arm64/rust/lib/rustlib"
  unpack_arm64 "libstd-rust-web-dev=$version" "$arm64/rust/unpacked"
  ln -s "/usr/lib/rustlib/$host" "$arm64/rust/lib/rustlib/$host"
  ln -s "../../unpacked/usr/lib/rustlib/$target" "$arm64/rust/lib/rustlib/$target"
  echo "$version" >"$arm64/rust/version"
}

install_rust() {
  rustup_has_targets && return
  [ "${GRAFT_RUST:-rustup}" = debian ] || say "rustup cannot add the ARM targets here: taking Debian's compiler"
  install_debian_rust
}

# The kernel with its modules, and a shell: 60 MB to download, 320 MB unpacked.
unpack_board() {
  [ ! -e "$arm64/board/complete" ] || return 0
  local kernel
  kernel=$(arm64_apt apt-cache depends linux-image-arm64 2>/dev/null | awk '$1 == "Depends:" { print $2; exit }')
  if [ -z "$kernel" ]; then
    cannot "no package linux-image-arm64 among this machine's apt sources: the booted board needs Debian's"
  fi
  say "unpacking $kernel and busybox-static for arm64"
  rm -rf "$arm64/board"
  mkdir -p "$arm64/board"
  unpack_arm64 "$kernel" "$arm64/board"
  unpack_arm64 busybox-static "$arm64/board"
  echo "$kernel" >"$arm64/board/complete"
}

command -v apt-get >/dev/null || cannot "needs apt: a Debian machine or container"
if [ "$(dpkg --print-architecture)" != amd64 ]; then
  cannot "cross building is set up for amd64 hosts, this is $(dpkg --print-architecture)"
fi
mkdir -p "$arm64"
install_packages
install_rust
unpack_board
say "all is there"
