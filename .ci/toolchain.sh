# shellcheck shell=bash
# What ./run and ./test need before they can build; sourced by both.

minimum_rust=1.95

# Ends with directions where the Rust toolchain is missing or too old.
need_rust() {
  local found=none
  if [ -f "$HOME/.cargo/env" ] && ! command -v cargo >/dev/null; then
    # shellcheck disable=SC1091
    source "$HOME/.cargo/env"
  fi
  if command -v rustc >/dev/null && command -v cargo >/dev/null; then
    found=$(rustc --version | awk '{print $2}')
    if [ "$(printf '%s\n' "$minimum_rust" "${found%%-*}" | sort -V | head -1)" = "$minimum_rust" ]; then
      return
    fi
  fi
  cat >&2 <<TEXT
pillion needs Rust $minimum_rust or newer; found: $found. To get it:

  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh    # where rustup is missing
  rustup update stable                                               # where it is there

Then open a new shell, or: source ~/.cargo/env
TEXT
  exit 1
}

# PACKAGE…: installs Debian packages that are missing. Their services are not started.
need_packages() {
  local missing=() package
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
    printf 'these packages are needed; install them as root: apt-get install %s\n' "${missing[*]}" >&2
    exit 1
  fi
  echo "installing: ${missing[*]}"
  local policy=/usr/sbin/policy-rc.d made=
  if [ ! -e $policy ]; then
    # Debian asks this file whether a package may start its service: no, tests start their own.
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
    made=yes
  fi
  local status=0
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}"; } \
    >&2 </dev/null || status=$?
  [ -z "$made" ] || rm -f $policy
  return $status
}

# A few dependencies hold C.
need_c_compiler() {
  if ! command -v cc >/dev/null || ! command -v make >/dev/null; then
    need_packages gcc libc6-dev make
  fi
}
