#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# pages.sh SOURCE PROGRAM: manual page and completion know every command and option that the program has.
set -euo pipefail

source=$1 program=$2
page=$(sed 's/\\-/-/g; s/\\f[BIRP]//g' "$source/lib/cli/satchel.1")
wrong=0

# shellcheck source=lib/cli/completion.bash
. "$source/lib/cli/completion.bash"

# offers WORD...: what the completion offers behind these words.
offers() {
  COMP_WORDS=(satchel "$@")
  COMP_CWORD=$#
  COMPREPLY=()
  _satchel 2>/dev/null
  printf '%s\n' "${COMPREPLY[@]}"
}

commands_of() { "$program" "$@" --help | sed -n '/^Subcommands:/,/^$/p' | awk '/^  [a-z]/ { print $1 }'; }
options_of() { "$program" "$@" --help | sed -n '/^Options:/,/^$/p' | grep -oE '^  (-h,)?--[a-z-]+' | sed 's/^  \(-h,\)\?//'; }

check() {
  local option
  while read -r option; do
    if ! grep -qxF -- "$option" <<<"$(offers "$@" "$option")"; then
      echo "completion of $*: no $option"
      wrong=1
    fi
    [[ $option == --help ]] && continue
    if ! grep -qE -- "^  '$*' '(.* )?$option( .*)?'\$" "$source/lib/cli/completion.zsh"; then
      echo "completion of $* for zsh: no $option"
      wrong=1
    fi
    if ! grep -qF -- "$option" <<<"$page"; then
      echo "manual page, $*: no $option"
      wrong=1
    fi
  done < <(options_of "$@")
}

# The page names the version, and each parameter of a sink's URL as the library lists them.
version=$("$program" --version)
grep -qF "\"$version\"" <<<"$page" || { echo "manual page: not of $version"; wrong=1; }
file=$(mktemp -d)/device.db
trap 'rm -rf "${file%/*}"' EXIT
"$program" send "$file" topic payload --create >/dev/null
parameters=0
for scheme in mqtt http; do
  # A sink that was not built says so, and lists nothing.
  for name in $("$program" relay "$file" --sink "$scheme://localhost?nothing=1" 2>&1 |
    sed -nE "/parameter 'nothing'/{ n; s/.*known are //p }" | tr -d ','); do
    parameters=$((parameters + 1))
    grep -qE "^\.IR? $name( |\$)" <<<"$page" || { echo "manual page: no parameter $name of $scheme"; wrong=1; }
  done
done
echo "$parameters parameters"

count=0
for command in $(commands_of); do
  count=$((count + 1))
  grep -qE "^\.B[IR]* \"?satchel $command" "$source/lib/cli/satchel.1" || { echo "manual page: no $command"; wrong=1; }
  grep -qx "$command" <<<"$(offers "$command")" || { echo "completion: no $command"; wrong=1; }
  grep -q "'$command:" "$source/lib/cli/completion.zsh" || { echo "completion for zsh: no $command"; wrong=1; }
  inner=$(commands_of "$command")
  if [[ -z $inner ]]; then
    check "$command"
  else
    for action in $inner; do check "$command" "$action"; done
  fi
done
echo "$count commands"
if command -v man >/dev/null; then
  warnings=$(man --warnings -l "$source/lib/cli/satchel.1" 2>&1 >/dev/null)
  [[ -z $warnings ]] || { echo "$warnings"; wrong=1; }
fi
[[ $count -ge 13 && $wrong -eq 0 ]]
