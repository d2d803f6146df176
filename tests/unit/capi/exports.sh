#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# exports.sh LIBRARY PROGRAM C_HEADER: the shared library lets out its public interface and nothing of its inside, and a
# C++ program that is linked against it runs.
set -euo pipefail

library=$1 program=$2 header=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

nm -D --defined-only "$library" | awk '{ print $NF }' >"$work/raw"
c++filt <"$work/raw" | sort -u >"$work/names"
status=0

# Every function of the C header, and no other C symbol of ours.
grep -oE '\bsatchel_[a-z_]+\(' "$header" | tr -d '(' | sort -u >"$work/declared"
grep -E '^satchel_[a-z_]+$' "$work/names" | sort -u >"$work/exported" || true
if ! diff "$work/declared" "$work/exported" >"$work/difference"; then
  echo "the C functions that are declared (<) and exported (>) differ:" >&2
  cat "$work/difference" >&2
  status=1
fi

# What a C++ program needs.
for name in 'satchel::Outbox::Outbox(' 'satchel::Outbox::enqueue_async(' 'satchel::Transaction::commit()' \
  'satchel::Writer::enqueue(' 'satchel::MessageId::to_string[abi:cxx11]() const' 'typeinfo for satchel::Error' \
  'typeinfo for satchel::BusyError' 'typeinfo for satchel::Sink' 'satchel::make_sink('; do
  if ! grep -qF "$name" "$work/names"; then
    echo "not exported: $name" >&2
    status=1
  fi
done

# The inside, and libraries that only happen to be compiled in. Templates of the standard library over public types may
# be there, as in every C++ library.
if grep -vE '^[^(]* std::' "$work/names" | grep -E '^([a-z -]+ (for|to) )?(satchel::(store|relay|mqtt|http|outbox|event|capi|verdicts|outlet)::|fmt::|rapidjson::|cereal::)' \
  >"$work/inside"; then
  echo "$(wc -l <"$work/inside") names of the inside are exported, such as:" >&2
  head -n 20 "$work/inside" >&2
  status=1
fi
others=$(grep -cvE 'satchel|^(std|__gnu_cxx)::|(vtable|VTT|typeinfo|typeinfo name|guard variable) for std::|[ &](std|__gnu_cxx)::|^operator (new|delete)\(.*, void\*\)$|^SQLite::| SQLite::|__once|^(__bss_start|_edata|_end|_init|_fini)$|^__odr_asan|^\.' "$work/names" || true)
if [[ $others -ne 0 ]]; then
  echo "$others names that are not ours are exported, such as:" >&2
  grep -vE 'satchel|^(std|__gnu_cxx)::|(vtable|VTT|typeinfo|typeinfo name|guard variable) for std::|[ &](std|__gnu_cxx)::|^operator (new|delete)\(.*, void\*\)$|^SQLite::| SQLite::|__once' "$work/names" | head -n 20 >&2
  status=1
fi

${TEST_LAUNCHER:-} "$program" "$work/device.db" | grep -qx 'plant/boiler/temperature = 71.5' || {
  echo "the program against the shared library does not work" >&2
  status=1
}
echo "$(wc -l <"$work/names") names exported, $(wc -l <"$work/exported") of them C functions"
exit "$status"
