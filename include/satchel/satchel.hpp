// SPDX-License-Identifier: MIT
#pragma once

#include <satchel/async.hpp>
#include <satchel/auditor.hpp>
#include <satchel/clock.hpp>
#include <satchel/custom_sink.hpp>
#include <satchel/error.hpp>
#include <satchel/features.hpp>
#include <satchel/log.hpp>
#include <satchel/message.hpp>
#include <satchel/observer.hpp>
#include <satchel/options.hpp>
#include <satchel/outbox.hpp>
#include <satchel/quota.hpp>
#include <satchel/retry_policy.hpp>
#include <satchel/route.hpp>
#include <satchel/salvage.hpp>
#include <satchel/sink.hpp>
#include <satchel/sink_url.hpp>
#include <satchel/sqlite_defects.hpp>
#include <satchel/status.hpp>
#include <satchel/storage.hpp>
#include <satchel/systemd.hpp>
#include <satchel/topic_rule.hpp>
#include <satchel/transaction.hpp>
#include <satchel/writer.hpp>

#if SATCHEL_HAVE_MQTT
#include <satchel/mqtt.hpp>
#endif
#if SATCHEL_HAVE_HTTP
#include <satchel/http.hpp>
#endif
