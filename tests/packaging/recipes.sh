#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# recipes.sh SOURCE: what can be said of the recipes without their distributions: they parse, they name the version, the
# licence and options that there are.
set -euo pipefail

source=$1
packaging=$source/examples/packaging
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
wrong() {
  echo "$*" >&2
  status=1
}

version=$(sed -n "s/^  version: '\(.*\)',/\1/p" "$source/meson.build" | head -n 1)
mapfile -t options < <(sed -n "s/^option('\([a-z]*\)'.*/\1/p" "$source/meson_options.txt")

# known_options FILE: each -Dname=value of it is an option of ours or of Meson's, and each of our parts is decided on.
known_options() {
  local name
  for name in $(grep -oE -- '-D[a-z_]+=' "$1" | sed 's/^-D//; s/=$//' | sort -u); do
    case " ${options[*]} default_library b_lto " in
      *" $name "*) ;;
      *) wrong "$1: there is no option $name" ;;
    esac
  done
  for name in "${options[@]}"; do
    grep -q -- "-D$name=" "$1" || wrong "$1: does not decide on $name"
  done
}

# Yocto: assignments, with every quotation closed on its line; functions are not used.
recipe=$packaging/yocto/satchel_$version.bb
[[ -f $recipe ]] || wrong "there is no Yocto recipe of $version"
grep -nvE '^(#.*|inherit [a-z ]+|[A-Z_]+(\[[a-z]+\]|:[^ ]+)? (\?\?=|\?=|\+=|=\+|=|:=) "[^"]*")?$' "$recipe" && wrong "$recipe: does not parse"
grep -q "LICENSE;md5=$(md5sum <"$source/LICENSE" | cut -d ' ' -f 1)\"" "$recipe" || wrong "$recipe: another licence"
# Four words at most between the quotes: on, off, build and run dependencies.
while IFS= read -r line; do
  [[ $(tr -dc ',' <<<"$line" | wc -c) -le 4 && $line == *=enabled,*=disabled,* ]] || wrong "$recipe: $line"
done < <(grep '^PACKAGECONFIG\[' "$recipe")
known_options "$recipe"

# Buildroot: make reads it, with all parts and with none, and Kconfig knows what it asks.
cat >"$work/Makefile" <<TEXT
define meson-package
\$(info \$(SATCHEL_VERSION)|\$(SATCHEL_CONF_OPTS)|\$(SATCHEL_DEPENDENCIES))
endef
include $packaging/buildroot/satchel.mk
all: ;
TEXT
for value in y ''; do
  printed=$(make -s --warn-undefined-variables -f "$work/Makefile" BR2_EXTERNAL_SATCHEL_PATH=/x BR2_PACKAGE_SATCHEL_MQTT=$value \
    BR2_PACKAGE_SATCHEL_HTTP=$value BR2_PACKAGE_SATCHEL_CLI=$value 2>&1) || wrong "satchel.mk: does not parse"
  expected=$([[ $value == y ]] && echo enabled || echo disabled)
  [[ $printed == "$version|"*"-Dmqtt=$expected"*"-Dhttp=$expected"*"-Dcli=$expected"* ]] || wrong "satchel.mk: $printed"
done
known_options "$packaging/buildroot/satchel.mk"
for symbol in $(grep -oE 'BR2_PACKAGE_SATCHEL_[A-Z]+' "$packaging/buildroot/satchel.mk" | sort -u); do
  grep -qx "config $symbol" "$packaging/buildroot/Config.in" || wrong "Config.in: no $symbol"
done
# Each package that is depended on is selected, by the name that Buildroot makes of it.
for package in $(sed -n 's/^SATCHEL_DEPENDENCIES +\?= *//p' "$packaging/buildroot/satchel.mk"); do
  [[ $package == host-* ]] && continue
  grep -qE "^	select BR2_PACKAGE_${package^^}( |$)" "$packaging/buildroot/Config.in" || wrong "Config.in: does not select $package"
done
[[ $(grep -cE '^if ' "$packaging/buildroot/Config.in") -eq $(grep -cx endif "$packaging/buildroot/Config.in") ]] || wrong "Config.in: if without endif"
grep -nvE '^($|config |if |endif$|comment "|	(bool|default|depends on|select|help)|	  |		!BR2_)' "$packaging/buildroot/Config.in" && wrong "Config.in: does not parse"

# Debian: the version, the soname in the package's name, the options.
if [[ $(sed -n '1s/^satchel (\(.*\)-[0-9]*) .*/\1/p' "$packaging/debian/changelog") != "$version" ]]; then
  wrong "debian/changelog: not of version $version"
fi
[[ -f $packaging/debian/libsatchel$version.install ]] || wrong "debian: the library is not of version $version"
grep -qx "Package: libsatchel$version" "$packaging/debian/control" || wrong "debian/control: the library is not of version $version"
known_options "$packaging/debian/rules"
[[ -x $packaging/debian/rules ]] || wrong "debian/rules: not executable"
exit "$status"
