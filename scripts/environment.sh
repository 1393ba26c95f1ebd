# Sourced by the scripts: where things are, what is missing, and a virtual environment.
# shellcheck shell=bash

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$top"
venv=$top/.venv
python=${PYTHON:-python3}

# Says all that is missing at once, with what to do, and ends the script.
require_tools() {
  local missing=()
  if ! command -v "${ORION_SWIFT:-swift}" >/dev/null; then
    missing+=("Swift 6.3 or later: https://swift.org/install, then put 'swift' on PATH (or set ORION_SWIFT)")
  elif ! version_at_least 6.3 "$(swift_version)"; then
    missing+=("Swift 6.3 or later: '${ORION_SWIFT:-swift}' is $(swift_version)")
  fi
  if ! command -v "$python" >/dev/null; then
    missing+=("Python 3.10 or later: https://python.org (or set PYTHON to one)")
  elif ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))'; then
    missing+=("Python 3.10 or later: '$python' is $("$python" -V 2>&1)")
  elif ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
    missing+=("Python's venv module: on Debian or Ubuntu, apt-get install python3-venv")
  fi
  [ ${#missing[@]} -eq 0 ] && return
  echo "Missing:" >&2
  printf '  - %s\n' "${missing[@]}" >&2
  exit 1
}

swift_version() {
  "${ORION_SWIFT:-swift}" --version 2>/dev/null | sed -n 's/.*Swift version \([0-9.]*\).*/\1/p' | head -1
}

# version_at_least WANTED FOUND
version_at_least() {
  [ "$(printf '%s\n' "$1" "$2" | sort -V | head -1)" = "$1" ]
}

make_environment() {
  [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
}

# Where this machine lacks Swift, it is said before anything is built.
run() {
  printf '\n$ %s\n' "$*"
  "$@"
}
