# SPDX-License-Identifier: MIT
# Sourced by tests/run, examples/run and .ci/run: makes sure that what they need is installed.

# What everybody needs to build satchel, as Debian calls it.
build_packages=(
  g++ meson ninja-build pkg-config
  libsqlite3-dev libsqlitecpp-dev libfmt-dev libcereal-dev
  libmosquitto-dev libcurl4-openssl-dev zlib1g-dev libssl-dev
  dpkg-dev # Meson asks it where Debian has its libraries
)
# What the examples and tests start besides.
peer_packages=(mosquitto mosquitto-clients nginx sqlite3)
test_packages=(tmux btrfs-progs libcli11-dev doctest-dev openssl ccache spin python3 cmake doxygen)
long_packages=(gcovr valgrind debhelper lintian)
sanitizer_packages=(clang-14 libclang-rt-14-dev)
check_packages=("${sanitizer_packages[@]}" clang-format-14 clang-tidy-14 git)

# Prints those of the given Debian packages that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || echo "$package"
  done
}

# Installs what is missing of the given packages, or says what is missing and fails.
need_packages() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    need_tools
    return
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [[ ${#missing[@]} -eq 0 ]] && return
  local apt=(apt-get)
  if [[ $(id -u) -ne 0 ]]; then
    if ! command -v sudo >/dev/null; then
      echo "missing packages: ${missing[*]}" >&2
      echo "install them as root: apt-get install ${missing[*]}" >&2
      return 1
    fi
    apt=(sudo apt-get)
  fi
  echo "installing ${missing[*]}"
  local log
  log=$(mktemp)
  if ! { "${apt[@]}" update && DEBIAN_FRONTEND=noninteractive "${apt[@]}" install --yes --no-install-recommends "${missing[@]}"; } \
    >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    echo "could not install: ${missing[*]}" >&2
    return 1
  fi
  rm -f "$log"
  if [[ -d /run/systemd/system && " ${missing[*]} " =~ \ (mosquitto|nginx)\  ]]; then
    echo "Debian has started ${BASH_REMATCH[1]} as a service; satchel starts its own and does not need that one"
  fi
}

# Where there is no apt-get: the libraries are Meson's to look for, the programs are looked for here.
need_tools() {
  local tool missing=()
  for tool in c++ meson ninja pkg-config mosquitto mosquitto_sub sqlite3 nginx openssl; do
    PATH=$PATH:/usr/sbin:/usr/local/sbin command -v "$tool" >/dev/null || missing+=("$tool")
  done
  [[ ${#missing[@]} -eq 0 ]] && return
  echo "missing programs: ${missing[*]}" >&2
  echo "this system has no apt-get: install them, and the libraries sqlite3, SQLiteCpp, fmt, cereal, doctest," >&2
  echo "libmosquitto, libcurl, zlib and OpenSSL with their headers, by its own means" >&2
  return 1
}
