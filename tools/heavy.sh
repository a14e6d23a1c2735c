#!/usr/bin/env bash
# What the heavy tests need beside Python: a C++ compiler (mlx compiles its kernels) and Chromium with its driver.
# On Debian and its kin they are installed when they are missing and we may; elsewhere the tests say what is missing.
set -euo pipefail
missing=()
command -v c++ >/dev/null || missing+=(g++)
command -v chromium >/dev/null || missing+=(chromium)
command -v chromedriver >/dev/null || missing+=(chromium-driver)
if [ ${#missing[@]} -gt 0 ] && command -v apt-get >/dev/null; then
  as_root=()
  [ "$(id -u)" -eq 0 ] || as_root=(sudo -n)
  "${as_root[@]}" apt-get update -qq && DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq "${missing[@]}" >/dev/null ||
    echo "could not install: ${missing[*]}" >&2
fi
exec "$@"
