#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# features.sh SOURCE [some|all]: satchel without a part builds, and nothing of that part is left: no header, no symbol, no
# library. `some`: everything off, and one sink off. `all`: each off in turn, and the tests without each sink.
set -euo pipefail

source=$1 amount=${2:-${TEST_FEATURES:-short}}
if [[ $amount == short ]]; then
  echo 'other builds of the same sources: with TEST_FEATURES=all, or some'
  exit 77
fi
work=$(mktemp -d)
# Beside the build whose test this is: as deep and with the same options, so that the compiler cache has nearly all.
builds=$work/build
[[ -z ${TEST_BUILD_ROOT:-} ]] || builds=$(dirname "$TEST_BUILD_ROOT")/features-$$
trap 'rm -rf "$work" "$builds"-*' EXIT
read -r -a options_beside <<<"${TEST_BUILD_OPTIONS:--Dbuildtype=debugoptimized}"
export CCACHE_NOHASHDIR=1
has_cli=$(grep -c "^option('cli'" "$source/meson_options.txt" || true)

say() { echo "$*" >&2; }

# build NAME OPTION...: configures, builds and installs under $work/NAME. Few sources look at which sinks there are: the
# compiler cache has the others.
build() {
  local name=$1
  shift
  echo "== $name: $*"
  meson setup "$builds-$name" "$source" --prefix "$work/$name/prefix" "${options_beside[@]}" "$@" \
    >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2 && return 1; }
  ninja -C "$builds-$name" >"$work/log" 2>&1 || { grep -A 10 -E 'error|FAILED' "$work/log" | head -n 40 >&2 && return 1; }
  meson install -C "$builds-$name" --no-rebuild >"$work/log"
}

# absent NAME SINK LIBRARY_SYMBOLS PACKAGES: nothing is left of the sink in what was installed.
absent() {
  local name=$1 sink=$2 symbols=$3 packages=$4 prefix=$work/$1/prefix status=0 library pc
  library=$(find "$prefix" -name libsatchel.a)
  pc=$(find "$prefix" -name satchel.pc)
  nm -C "$library" >"$work/symbols" 2>/dev/null
  if [[ -n $(find "$prefix" -name "$sink.hpp") ]]; then say "$name: the header of $sink is installed" && status=1; fi
  if grep -m 3 -E "$symbols|satchel::$sink::" "$work/symbols"; then say "$name: symbols of $sink are left" && status=1; fi
  if grep -E "$packages" "$pc"; then say "$name: satchel.pc asks for what only $sink needs" && status=1; fi
  grep -qx "have_$sink=false" "$pc" || { say "$name: satchel.pc does not say that there is no $sink" && status=1; }
  grep -rq "define SATCHEL_HAVE_${sink^^} 0" "$prefix/include" || { say "$name: features.hpp says there is $sink" && status=1; }
  grep -rqx "set(satchel_HAVE_${sink^^} FALSE)" "$prefix" || { say "$name: the CMake package says there is $sink" && status=1; }
  return "$status"
}
without_mqtt() { absent "$1" mqtt ' U mosquitto_' 'mosquitto|openssl'; }
without_http() { absent "$1" http ' U curl_| U (in|de)flate' 'libcurl|zlib'; }

# present NAME SINK SYMBOL: the other way round, or the search above would find nothing anywhere.
present() {
  local prefix=$work/$1/prefix
  nm "$(find "$prefix" -name libsatchel.a)" >"$work/symbols" 2>/dev/null
  if [[ -z $(find "$prefix" -name "$2.hpp") ]] || ! grep -q "$3" "$work/symbols"; then
    say "$1: $2 is missing"
    return 1
  fi
}

# usable NAME: a program links and delivers.
usable() {
  local flags pc
  pc=$(find "$work/$1/prefix" -name satchel.pc)
  read -r -a flags <<<"$(PKG_CONFIG_PATH=${pc%/*} pkg-config --cflags --libs satchel)"
  c++ -std=c++20 "$source/tests/consumer/main.cpp" "${flags[@]}" -o "$work/$1/consumer"
  "$work/$1/consumer" "$work/$1/device.db" | grep -qx 'plant/boiler/temperature = 71.5'
}

# programs NAME DIRECTORY: how many programs were built there.
programs() { find "$builds-$1/$2" -maxdepth 4 -type f -executable ! -name '*.so*' 2>/dev/null | wc -l; }

bare=(-Dtests=disabled -Dexamples=disabled)
[[ $has_cli -gt 0 ]] && bare+=(-Dcli=disabled)

build nothing "${bare[@]}" -Dmqtt=disabled -Dhttp=disabled
without_mqtt nothing
without_http nothing
usable nothing
if [[ $(programs nothing tests) -ne 0 || $(programs nothing examples) -ne 0 || -d $work/nothing/prefix/bin ]]; then
  say "nothing: there are programs"
  exit 1
fi

build no-http "${bare[@]}" -Dmqtt=enabled -Dhttp=disabled
without_http no-http
present no-http mqtt ' U mosquitto_'
usable no-http
[[ $amount == all ]] || exit 0

build no-mqtt "${bare[@]}" -Dmqtt=disabled -Dhttp=enabled
without_mqtt no-mqtt
present no-mqtt http ' U curl_'
usable no-mqtt

build no-tests -Dtests=disabled -Dexamples=enabled
[[ $(programs no-tests tests) -eq 0 && $(programs no-tests examples) -gt 0 ]] || { say "no-tests: tests, or no examples" && exit 1; }
if [[ $has_cli -gt 0 ]]; then
  [[ -x $work/no-tests/prefix/bin/satchel ]] || { say "no-tests: the program is missing" && exit 1; }
  build no-cli -Dcli=disabled -Dtests=disabled -Dexamples=enabled
  [[ ! -e $work/no-cli/prefix/bin/satchel ]] || { say "no-cli: there is the program" && exit 1; }
  [[ -z $(find "$work/no-cli/prefix" -name '*satchel.1*' -o -name _satchel) ]] || { say "no-cli: its pages are there" && exit 1; }
  [[ $(programs no-cli examples) -gt 0 ]] || { say "no-cli: the examples are missing" && exit 1; }
  build no-examples -Dcli=enabled -Dtests=disabled -Dexamples=disabled
  [[ $(programs no-examples examples) -eq 0 ]] || { say "no-examples: there are examples" && exit 1; }
  [[ -x $work/no-examples/prefix/bin/satchel ]] || { say "no-examples: the program is missing" && exit 1; }
fi

# The tests of what is left build and pass without the sinks, one by one and both.
for sinks in '-Dmqtt=disabled -Dhttp=enabled' '-Dmqtt=enabled -Dhttp=disabled' '-Dmqtt=disabled -Dhttp=disabled'; do
  name=tests-$(tr -dc '[:alnum:]' <<<"$sinks")
  read -r -a options <<<"$sinks"
  build "$name" -Dtests=enabled -Dexamples=disabled "${options[@]}"
  [[ $(programs "$name" examples) -eq 0 ]] || { say "$name: there are examples" && exit 1; }
  meson test -C "$builds-$name" --no-rebuild --suite unit --suite cli >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2 && exit 1; }
  rm -rf "${work:?}/$name" "$builds-$name"
done
