#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# urls.sh PAGE PROGRAM: the program takes every sink's URL in a page, with all its parameters.
set -euo pipefail

page=$1 program=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A file with nothing to send: the relay looks at the options, and ends.
"$program" send "$work/device.db" topic payload --create >/dev/null
"$program" relay "$work/device.db" --sink stdout: --until-empty >/dev/null

# taken URL: nobody is asked, so the host is one where nobody listens.
taken() {
  "$program" relay "$work/device.db" --until-empty --sink "$(sed -E 's,://([^@/?]*@)?[^/?]+,://\1127.0.0.1:9,' <<<"$1")" \
    >"$work/log" 2>&1
}

count=0 wrong=0
while read -r url; do
  count=$((count + 1))
  taken "$url" || { echo "refused: $url" && cat "$work/log" && wrong=1; }
  # The check itself: what no sink knows is refused.
  if taken "$url$([[ $url == *\?* ]] && echo '&' || echo '?')nothing=1"; then
    echo "taken with an unknown parameter: $url"
    wrong=1
  fi
done < <(grep -oE '(mqtts?|https?)://[^ `|)]+' "$page" | sort -u)
echo "$count URLs"
[[ $count -gt 5 && $wrong -eq 0 ]]
