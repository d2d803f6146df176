#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# Checks every run of the model of the relay, and that a model with a seeded defect fails. TEST_MODEL=long: larger.
set -euo pipefail

command -v spin >/dev/null || { echo "spin is not installed"; exit 77; }
compiler=$(command -v gcc || command -v cc) || { echo "no C compiler"; exit 77; }

model=$(cd "$(dirname "$0")" && pwd)/relay.pml
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

# Sizes and mishaps of the sound model: every run of it must hold.
sound=(
  '-DCRASHES=1 -DERRORS=1 -DLOSSES=1'
  '-DCRASHES=1 -DPOWER=1'
  '-DN=3 -DW=2 -DCRASHES=1 -DERRORS=1'
  '-DN=4 -DCRASHES=0 -DPOWER=1 -DCOMMITS=2'
  '-DN=2 -DCRASHES=1 -DERRORS=1 -DDELETES=1'
  '-DN=2 -DW=2 -DR=2 -DBATCH=2 -DCRASHES=0 -DDELETES=1'
  '-DN=2 -DW=2 -DBATCH=2 -DCRASHES=0 -DPOWER=1 -DCOMMITS=2'
  '-DN=2 -DW=2 -DPOISON -DCRASHES=1 -DDELETES=1'
  '-DN=2 -DW=2 -DPOISON -DCRASHES=0 -DPOWER=1'
  '-DN=2 -DW=2 -DRELAXED -DCRASHES=1 -DPOWER=1 -DCOMMITS=2'
)
if [[ ${TEST_MODEL:-short} == long ]]; then
  sound+=(
    '-DCRASHES=1 -DDELETES=1'
    '-DN=2 -DCRASHES=2 -DDELETES=1 -DERRORS=1'
    '-DN=2 -DCRASHES=1 -DDELETES=1 -DERRORS=1 -DLOSSES=1'
  )
fi

# What is seeded, and the words of the assertion that has to fail.
seeded=(
  '-DN=2 -DCRASHES=0 -DDELETES=1 -DNO_FENCE|told[m]==1|settles do not check the epoch'
  '-DERRORS=1 -DFORGETS|log[last].row[m]==2|receipts are forgotten before COMMIT returns'
  '-DN=2 -DW=2 -DPOISON -DCRASHES=0 -DNO_RECORD|deaths<=|what is in flight is not noted'
  '-DN=2 -DW=2 -DRELAXED -DCRASHES=0 -DPOWER=1 -DCOMMITS=2 -DNO_BARRIER|!(got[m])|rows are not synced before they are sent'
  '-DCRASHES=1 -DNO_LIMIT|duplicates<=allowed|receipts that are not settled do not stop the hand-over'
)

# run OPTION...: leaves pan's answer in `answer`. It stops at the first error; without one it has to come to its end.
run() {
  rm -f pan pan.*
  spin -a "$@" "$model" >spin.log 2>&1 || { cat spin.log; exit 1; }
  "$compiler" -O1 -w -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -DMEMLIM=2000 -o pan pan.c
  ./pan -m100000 >answer 2>&1 || true
  if ! grep -q 'errors: ' answer || { grep -q 'errors: 0' answer && grep -qE 'not completed|too small' answer; }; then
    cat answer
    echo "the search of $* did not come to its end"
    exit 1
  fi
}
errors_of() { grep -oE 'errors: [0-9]+' answer | grep -oE '[0-9]+'; }
states_of() { grep -oE '[0-9]+ states, stored' answer | grep -oE '^[0-9]+'; }

states=0
failed=0
for options in "${sound[@]}"; do
  # shellcheck disable=SC2086
  run $options
  echo "sound $options: $(states_of) states, $(errors_of) errors"
  states=$((states + $(states_of)))
  if [[ $(errors_of) -ne 0 ]]; then
    grep -m 1 '^pan:' answer
    failed=$((failed + 1))
  fi
done

found=0
for line in "${seeded[@]}"; do
  IFS='|' read -r options words what <<<"$line"
  # shellcheck disable=SC2086
  run $options
  if [[ $(errors_of) -gt 0 ]] && grep '^pan:1: assertion violated' answer | grep -qF -- "$words"; then
    found=$((found + 1))
    echo "seeded, $what: found"
  else
    echo "seeded, $what: not found, or by another property"
    grep -m 1 '^pan:' answer || true
    failed=$((failed + 1))
  fi
done

echo "REPORT model | claim, window, crash, standby, deleted lock file, fence, settle, retry, dead letter: all runs of" \
  "${#sound[@]} sizes | states=$states, errors=$((failed - ${#seeded[@]} + found)), seeded defects=${#seeded[@]}, found=$found"
[[ $failed -eq 0 ]]
