################################################################################
#
# satchel
#
################################################################################

# The sources are a directory: a checkout, or a submodule of the external tree.
SATCHEL_VERSION = 0.1.0
SATCHEL_SITE = $(BR2_EXTERNAL_SATCHEL_PATH)
SATCHEL_SITE_METHOD = local
SATCHEL_LICENSE = MIT
SATCHEL_LICENSE_FILES = LICENSE
SATCHEL_INSTALL_STAGING = YES
SATCHEL_DEPENDENCIES = host-pkgconf cereal fmt sqlite sqlitecpp
SATCHEL_CONF_OPTS = --wrap-mode=nofallback -Dtests=disabled -Dexamples=disabled

ifeq ($(BR2_PACKAGE_SATCHEL_MQTT),y)
SATCHEL_CONF_OPTS += -Dmqtt=enabled
SATCHEL_DEPENDENCIES += mosquitto openssl
else
SATCHEL_CONF_OPTS += -Dmqtt=disabled
endif

ifeq ($(BR2_PACKAGE_SATCHEL_HTTP),y)
SATCHEL_CONF_OPTS += -Dhttp=enabled
SATCHEL_DEPENDENCIES += libcurl openssl zlib
else
SATCHEL_CONF_OPTS += -Dhttp=disabled
endif

ifeq ($(BR2_PACKAGE_SATCHEL_CLI),y)
SATCHEL_CONF_OPTS += -Dcli=enabled
SATCHEL_DEPENDENCIES += cli11
else
SATCHEL_CONF_OPTS += -Dcli=disabled
endif

$(eval $(meson-package))
