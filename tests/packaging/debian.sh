#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# debian.sh SOURCE: builds the Debian packages in a copy, asks lintian, unpacks them and builds a program against what is
# in them. Takes minutes, so only with TEST_PACKAGES=all.
set -euo pipefail

source=$1
[[ ${TEST_PACKAGES:-} == all ]] || { echo "TEST_PACKAGES=all builds the packages" && exit 77; }
for tool in dpkg-buildpackage dh; do
  command -v "$tool" >/dev/null || { echo "$tool is not installed" && exit 77; }
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
version=$(sed -n "s/^  version: '\(.*\)',/\1/p" "$source/meson.build" | head -n 1)

tree=$work/satchel-$version
mkdir "$tree"
for entry in LICENSE README.md CHANGELOG.md meson.build meson_options.txt include lib subprojects examples tests; do
  cp -r "$source/$entry" "$tree/"
done
find "$tree/subprojects" -mindepth 1 -maxdepth 1 -type d ! -name packagefiles -exec rm -rf {} +
tar -C "$work" -czf "$work/satchel_$version.orig.tar.gz" "satchel-$version"
cp -r "$tree/examples/packaging/debian" "$tree/"

# debhelper gives the build a home of its own, with no compiler cache in it.
if command -v ccache >/dev/null; then
  CCACHE_DIR=$(ccache --get-config cache_dir)
  export CCACHE_DIR
fi
(cd "$tree" && dpkg-buildpackage -us -uc -b) >"$work/log" 2>&1 || { tail -n 60 "$work/log" >&2 && exit 1; }
packages=("$work/libsatchel${version}_"*.deb "$work/libsatchel-dev_"*.deb "$work/satchel_"*.deb)
for package in "${packages[@]}"; do
  echo "== ${package##*/}: $(stat -c %s "$package") bytes"
  dpkg-deb -c "$package" | awk '$1 !~ /^d/ { print $6 }'
done
if grep -E 'dpkg-shlibdeps: warning|dh_missing: (warning|error)' "$work/log"; then
  echo "the packages leave something out" >&2
  exit 1
fi
if command -v lintian >/dev/null; then
  # Who maintains it, and that nobody has reported it as wanted, is for who ships it.
  lintian --allow-root --fail-on error,warning --suppress-tags \
    initial-upload-closes-no-bugs,no-manual-page,bogus-mail-host,bogus-mail-host-in-debian-changelog "$work"/*.changes
fi

root=$work/root
for package in "${packages[@]}"; do dpkg-deb -x "$package" "$root"; done
[[ -x $root/usr/bin/satchel ]]
installed=$(dpkg-deb -c "$work"/satchel_*.deb)
for page in man/man1/satchel.1.gz bash-completion/completions/satchel zsh/site-functions/_satchel; do
  grep -q "/usr/share/$page\$" <<<"$installed" || { echo "the program's package has no $page" >&2 && exit 1; }
done
pc=$(find "$root" -name satchel.pc)
export LD_LIBRARY_PATH=${pc%/pkgconfig/*}
read -r -a flags <<<"$(PKG_CONFIG_PATH=${pc%/*} pkg-config --define-variable=prefix="$root/usr" --cflags --libs satchel)"
c++ -std=c++20 "$source/tests/consumer/main.cpp" "${flags[@]}" -o "$work/consumer"
"$work/consumer" "$work/device.db" | grep -x 'plant/boiler/temperature = 71.5'
ldd "$work/consumer" | grep "$root.*libsatchel.so.$version"
"$root/usr/bin/satchel" --version
