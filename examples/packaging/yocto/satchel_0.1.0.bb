# SPDX-License-Identifier: MIT
SUMMARY = "Transactional outbox for devices"
DESCRIPTION = "Rows and outgoing messages are committed together in one SQLite file; a relay thread delivers them over MQTT or HTTP."
LICENSE = "MIT"
LIC_FILES_CHKSUM = "file://LICENSE;md5=c8a1a019a0f14ce44cabde7d770a0525"

# The sources are a directory: set this in local.conf to a checkout or a submodule of your layer.
inherit externalsrc meson pkgconfig
SATCHEL_SOURCE ??= "${THISDIR}/../../.."
EXTERNALSRC = "${SATCHEL_SOURCE}"

# sqlite3 comes from openembedded-core; cereal, fmt and mosquitto from meta-openembedded. sqlitecpp has no recipe there: one
# of your own inherits cmake and sets -DSQLITECPP_INTERNAL_SQLITE=OFF, as there must be one SQLite in a process.
DEPENDS = "sqlite3 sqlitecpp cereal fmt"

PACKAGECONFIG ??= "mqtt http"
PACKAGECONFIG[mqtt] = "-Dmqtt=enabled,-Dmqtt=disabled,mosquitto openssl"
PACKAGECONFIG[http] = "-Dhttp=enabled,-Dhttp=disabled,curl zlib openssl"
PACKAGECONFIG[cli] = "-Dcli=enabled,-Dcli=disabled,cli11"

# No wrap is looked for in a build without a network.
EXTRA_OEMESON += "--wrap-mode=nofallback -Dtests=disabled -Dexamples=disabled -Ddefault_library=both"

# The shared library's name ends in the whole version: programs and library are rebuilt together. A static library alone
# leaves nothing for the image.
PACKAGES =+ "${PN}-tools"
FILES:${PN}-tools = "${bindir}/satchel ${datadir}"
FILES:${PN}-dev += "${libdir}/cmake"
ALLOW_EMPTY:${PN} = "1"
