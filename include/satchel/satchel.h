/* SPDX-License-Identifier: MIT */
/*
 * satchel for C, for C++ without exceptions, and for other languages. This is the stable binary surface:
 * nothing here is removed or changes its meaning, and structures only grow at their end, which their `size`
 * tells.
 *
 *     satchel_outbox* outbox = NULL;
 *     satchel_open("device.db", NULL, &outbox);
 *     satchel_attach(outbox, "mqtt://localhost");
 *     satchel_start(outbox);
 *
 *     satchel_transaction* tx = NULL;
 *     satchel_begin(outbox, &tx);
 *     sqlite3_exec(satchel_transaction_database(tx), "INSERT INTO reading VALUES (71.5)", NULL, NULL, NULL);
 *     satchel_message message = {.size = sizeof message, .topic = "plant/boiler", .payload = "71.5",
 * .payload_size = 4}; satchel_transaction_enqueue(tx, &message, NULL); if (satchel_commit(tx) != SATCHEL_OK)
 * fprintf(stderr, "%s\n", satchel_last_error()->text);
 *
 * What the calls do is written in outbox.hpp and transaction.hpp. Every function that returns `int` returns
 * SATCHEL_OK or another satchel_code, and then satchel_last_error() has the details. No exception comes out
 * of any of them.
 *
 * Handles are numbers in the shape of pointers, and none is used twice: NULL, or a handle that is closed
 * already, is answered with SATCHEL_USAGE and harms nothing. Texts are UTF-8 and end with a NUL. Where a text
 * or a payload goes in it is copied; where one comes out in a callback it is valid until the callback
 * returns.
 *
 * Thread-safe, but for a satchel_transaction, which belongs to the thread that began it.
 */
#ifndef SATCHEL_SATCHEL_H
#define SATCHEL_SATCHEL_H

#include <stddef.h>
#include <stdint.h>

/* NOLINTBEGIN(modernize-use-using): this is C */

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

#ifdef __cplusplus
extern "C" {
#endif

struct sqlite3;

typedef struct satchel_outbox satchel_outbox;
typedef struct satchel_transaction satchel_transaction;

/* ---- errors ---- */

typedef enum satchel_code {
  SATCHEL_OK = 0,
  SATCHEL_FAILED = 1, /* what has no code of its own; the text says more */
  SATCHEL_USAGE = 2,  /* a call that the state does not allow, a null pointer, a handle that is closed */
  SATCHEL_INVALID_OPTION = 3,   /* an option out of its range, an unknown URL scheme */
  SATCHEL_INVALID_MESSAGE = 4,  /* a message that could never be delivered */
  SATCHEL_CANNOT_OPEN = 5,      /* the file cannot serve as an outbox */
  SATCHEL_SCHEMA_TOO_NEW = 6,   /* it was written by a newer satchel */
  SATCHEL_STORAGE = 7,          /* SQLite or the system failed; nothing was committed */
  SATCHEL_BUSY = 8,             /* another process has the write lock; trying again is safe */
  SATCHEL_FULL = 9,             /* file system or quota full; nothing was committed */
  SATCHEL_OUTCOME_UNKNOWN = 10, /* failure in the middle of the commit: it may or may not have taken place */
  SATCHEL_NO_MEMORY = 11,
  SATCHEL_NOT_FOUND = 12,     /* no dead letter with this id */
  SATCHEL_QUOTA_EXCEEDED = 13 /* the message was not added; commit or roll back as you like */
} satchel_code;

/* What went wrong. */
typedef struct satchel_error {
  size_t size;
  int code;              /* a satchel_code */
  int system_code;       /* an SQLite result code or an errno, 0 where neither applies */
  const char* operation; /* what was tried */
  const char* problem;   /* what went wrong, with the offending value */
  const char* hint;      /* what to do about it; may be empty */
  const char* text;      /* "operation: problem (hint)"; without a hint no parentheses */
} satchel_error;

/* The last failure of a call on this thread; SATCHEL_OK and empty texts before the first one. Never NULL.
 * Valid until the next failure on this thread. */
const satchel_error* satchel_last_error(void);

/* "0.1.0": of the library that is linked, which may be newer than this header. */
const char* satchel_version(void);

/* ---- messages ---- */

/* One name and value that travels beside the payload, as text. */
typedef struct satchel_header {
  const char* name;
  const char* value;
} satchel_header;

typedef enum satchel_priority {
  SATCHEL_PRIORITY_UNSET = 0, /* as the topic's rule says, otherwise normal */
  SATCHEL_PRIORITY_NORMAL = 1,
  SATCHEL_PRIORITY_URGENT = 2,
  SATCHEL_PRIORITY_BULK = 3
} satchel_priority;

/* Set `size` and what is needed, leave the rest zero: {.size = sizeof message, .topic = "t"}. */
typedef struct satchel_message {
  size_t size;
  const char* topic;
  const void* payload; /* any bytes; may be NULL when payload_size is 0 */
  size_t payload_size;
  const char* key;          /* NULL or empty: none */
  const char* content_type; /* NULL or empty: none */
  const satchel_header* headers;
  size_t header_count;
  int64_t expires_after_ms; /* 0: as the topic's rule says, otherwise never */
  int64_t not_before_ms;    /* 0: as the topic's rule says, otherwise at once */
  int priority;             /* a satchel_priority */
  /* 1: takes the place of what is pending of its key and topic; 0: as the topic's rule says, otherwise not */
  int coalesce;
  int64_t max_attempts;     /* this and what follows: 0: as the topic's rule or the options say */
  int64_t max_age_ms;       /* SATCHEL_NO_LIMIT: none */
  int64_t retry_backoff_ms; /* with retry_backoff_cap_ms, where that is not 0 */
  int64_t retry_backoff_cap_ms;
} satchel_message;

#define SATCHEL_NO_LIMIT (-1)

/* What topic_rule.hpp says: defaults for the messages of some topics. Set `size`, `filter` and what is
 * needed, leave the rest zero: then it is as the options say. */
typedef struct satchel_topic_rule {
  size_t size;
  const char* filter; /* an MQTT topic filter */
  int priority;       /* a satchel_priority */
  int coalesce;       /* 1: of messages with a key */
  int64_t not_before_ms;
  int64_t expires_after_ms;
  int64_t max_attempts; /* this and what follows as in satchel_message */
  int64_t max_age_ms;
  int64_t retry_backoff_ms;
  int64_t retry_backoff_cap_ms;
} satchel_topic_rule;

/* Names a message for ever and everywhere; every copy of it has the same. */
typedef struct satchel_message_id {
  unsigned char identity[16];
  int64_t row;
} satchel_message_id;

/* Room for a message id as text, with its NUL. */
#define SATCHEL_MESSAGE_ID_TEXT 64

/* Writes the id as receivers see it, "<32 hex digits>-<row>". */
int satchel_message_id_to_text(const satchel_message_id* id, char* text, size_t text_size);
int satchel_message_id_from_text(const char* text, satchel_message_id* id);

/* ---- what happens ---- */

typedef enum satchel_event_kind {
  SATCHEL_EVENT_DELIVERED = 1,
  SATCHEL_EVENT_RETRYING = 2,
  SATCHEL_EVENT_DIED = 3,
  SATCHEL_EVENT_EXPIRED = 4,
  SATCHEL_EVENT_SINK_UP = 5,
  SATCHEL_EVENT_SINK_DOWN = 6,
  SATCHEL_EVENT_LEADING = 7,
  SATCHEL_EVENT_STANDING_BY = 8,
  SATCHEL_EVENT_FAILING = 9,
  SATCHEL_EVENT_HEALED = 10,
  SATCHEL_EVENT_GATE_HELD = 11,
  SATCHEL_EVENT_NOTICE = 12,
  SATCHEL_EVENT_DROPPED = 13
} satchel_event_kind;

typedef enum satchel_drop_reason {
  SATCHEL_DROP_EXPIRED = 1,
  SATCHEL_DROP_QUOTA = 2,
  SATCHEL_DROP_COALESCED = 3,
  SATCHEL_DROP_DISCARDED = 4
} satchel_drop_reason;

/* What a satchel_event_callback is told. The texts are valid during the call. */
typedef struct satchel_event {
  size_t size;
  int kind;                     /* a satchel_event_kind; pass over those that you do not know */
  const satchel_message_id* id; /* NULL where it is not about one message */
  int attempts;
  int alarm;           /* with SINK_DOWN: it needs somebody */
  int64_t duration_ms; /* backoff, pause, or how long the gate was held */
  const char* text;    /* error, reason, problem, sink, notice or topic; may be empty */
  const char* hint;    /* with FAILING: what to do; with SINK_DOWN: the sink's name; otherwise empty */
  uint64_t messages;   /* with DROPPED: how many of the topic in `text` */
  int drop_reason;     /* with DROPPED: a satchel_drop_reason */
} satchel_event;

/* Called on the relay thread, or without one on the thread that is in satchel_run_once, satchel_stop or
 * satchel_close; in GATE_HELD, DROPPED and NOTICE also on a caller's thread or on the one that commits for
 * satchel_enqueue_async. It must return soon, and may call the outbox; of satchel_open's own notices it
 * cannot, as there is no handle yet. */
typedef void (*satchel_event_callback)(void* context, const satchel_event* event);

typedef enum satchel_log_level {
  SATCHEL_LOG_DEBUG = 0,   /* every message that is delivered */
  SATCHEL_LOG_INFO = 1,    /* a sink is up, the relay leads, a failure is over */
  SATCHEL_LOG_WARNING = 2, /* may mend itself */
  SATCHEL_LOG_ERROR = 3    /* needs somebody */
} satchel_log_level;

/* A line for a log, without line feed and control characters. `level`: a satchel_log_level. Called on the
 * threads that a satchel_event_callback is called on, one at a time: the others wait, so that it must return
 * soon. It may call the outbox, and is then called from within for what that has to say; but not what may
 * wait for another thread: satchel_stop, satchel_close and satchel_enqueue_async. */
typedef void (*satchel_log_callback)(void* context, int level, const char* line);

/* ---- the outbox ---- */

typedef enum satchel_durability {
  SATCHEL_DURABILITY_FULL = 0,
  SATCHEL_DURABILITY_RELAXED = 1
} satchel_durability;

typedef enum satchel_when_full {
  SATCHEL_WHEN_FULL_REJECT = 0,
  SATCHEL_WHEN_FULL_DROP_OLDEST = 1,
  SATCHEL_WHEN_FULL_DROP_NEWEST = 2,
  SATCHEL_WHEN_FULL_DROP_LOWEST = 3
} satchel_when_full;

/* What options.hpp and quota.hpp say. Call satchel_options_init first, which sets every value to its default.
 */
typedef struct satchel_options {
  size_t size;
  int durability;       /* a satchel_durability */
  int external_writers; /* 0 or 1 */
  int64_t polling_interval_ms;
  int64_t max_attempts;
  int64_t max_age_ms;
  int64_t retry_backoff_ms;
  int64_t retry_backoff_cap_ms;
  int64_t probe_backoff_ms;
  int64_t probe_backoff_cap_ms;
  int64_t blocked_probe_ms;
  int64_t claim_timeout_ms;
  uint64_t window;
  uint64_t window_bytes;
  uint64_t max_unsettled;
  uint64_t max_payload_bytes;
  uint64_t max_header_bytes;
  uint64_t max_transaction_messages;
  uint64_t max_file_bytes;
  int64_t busy_timeout_ms;
  uint64_t batch_size;
  int64_t settle_linger_ms;
  uint64_t page_size;
  uint64_t cache_bytes;
  uint64_t checkpoint_bytes;
  uint64_t max_wal_bytes;
  const char* device_id; /* NULL: the machine id alone */
  const char* vfs;       /* NULL: SQLite's default */
  satchel_event_callback on_event;
  void* event_context; /* has to outlive the outbox */
  int reserve;         /* 0 or 1 */
  int refuse_damaged;  /* 0: a damaged file is salvaged; 1: satchel_open fails */
  int check_at_open;   /* 0 or 1 */
  uint64_t bulk_share;
  int64_t drain_jitter_ms;
  uint64_t quota_messages; /* 0: no limit, here and in those that follow */
  uint64_t quota_bytes;
  uint64_t quota_keep_free;
  uint64_t quota_urgent_messages; /* this and the next five need quota_exact */
  uint64_t quota_urgent_bytes;
  uint64_t quota_normal_messages;
  uint64_t quota_normal_bytes;
  uint64_t quota_bulk_messages;
  uint64_t quota_bulk_bytes;
  const char* announce_topic;              /* NULL: what is dropped is not announced */
  int quota_when_full;                     /* a satchel_when_full */
  int quota_exact;                         /* 0 or 1 */
  int block_dead_keys;                     /* 0: a key goes on without its dead letter; 1: it waits */
  int keep_identity;                       /* of a file that was restored; 0: new messages get a new one */
  uint64_t memory_budget;                  /* 0: cache_bytes and window_bytes say how much */
  uint64_t max_free_bytes;                 /* 0: the file keeps its size */
  satchel_log_callback on_log;             /* NULL: silent */
  void* log_context;                       /* has to outlive the outbox */
  const satchel_topic_rule* const* topics; /* the first that matches counts */
  size_t topic_count;
  int log_level; /* a satchel_log_level, by default SATCHEL_LOG_INFO; lines below it are not made */
} satchel_options;

/* Sets `size` and every default; pass sizeof(satchel_options). */
int satchel_options_init(satchel_options* options, size_t size);

/* `options` may be NULL. On failure *outbox is NULL. */
int satchel_open(const char* path, const satchel_options* options, satchel_outbox** outbox);

/* The same with what the environment says instead of some of the options: variables that begin with `prefix`,
 * as Options::from_environment has it. SATCHEL_INVALID_OPTION for one with this prefix that is no option.
 * Reads the environment, which no other thread may change meanwhile. */
int satchel_open_from_environment(const char* path, const char* prefix, const satchel_options* options,
                                  satchel_outbox** outbox);

/* Ends the relay and closes the file; NULL and a closed handle have no effect. A transaction that is still
 * open stays usable. Callbacks may go on for as long as a sink hangs, see Outbox::~Outbox. */
void satchel_close(satchel_outbox* outbox);

int satchel_begin(satchel_outbox* outbox, satchel_transaction** transaction);

/* The connection of the transaction, for the application's rows; NULL when it is over. Do not commit, roll
 * back or close on it. */
struct sqlite3* satchel_transaction_database(satchel_transaction* transaction);

/* `id` may be NULL. A failure leaves the transaction open and as it was, unless SQLite had to roll it back.
 */
int satchel_transaction_enqueue(satchel_transaction* transaction, const satchel_message* message,
                                satchel_message_id* id);

/* Either ends the transaction and its handle, whatever it returns; but not on another thread than the one
 * that began it. */
int satchel_commit(satchel_transaction* transaction);
void satchel_rollback(satchel_transaction* transaction);

/* In a transaction of its own, or in the one that this thread has open. `id` may be NULL. */
int satchel_enqueue(satchel_outbox* outbox, const satchel_message* message, satchel_message_id* id);

/* Told once, when the message is committed or given up: `error` is NULL and `id` is its id, or the other way
 * round. An id with row 0: it was dropped, because the quota is used up. Called on a thread of the outbox,
 * which it holds up; it must not wait for another satchel_enqueue_async. With AsyncFull::drop a message for
 * which there is no room is given up on the caller's thread, inside of satchel_enqueue_async. */
typedef void (*satchel_enqueue_callback)(void* context, const satchel_error* error,
                                         const satchel_message_id* id);

/* Several messages share a commit. Returns at once while fewer than 1024 messages wait to be committed, then
 * blocks until there is room: that is AsyncFull::wait in options.hpp. Only satchel_open_from_environment can
 * change it (ASYNC_FULL, ASYNC_QUEUE). In a callback it does not block and fails instead. After a failure
 * `callback` is not called. Not with a transaction open on this thread. */
int satchel_enqueue_async(satchel_outbox* outbox, const satchel_message* message,
                          satchel_enqueue_callback callback, void* context);

/* ---- delivery ---- */

/* One that takes all messages that no earlier route takes. */
int satchel_attach(satchel_outbox* outbox, const char* url);

typedef enum satchel_drain {
  SATCHEL_DRAIN_OLDEST_FIRST = 0,
  SATCHEL_DRAIN_NEWEST_FIRST = 1,
  SATCHEL_DRAIN_INTERLEAVED = 2
} satchel_drain;

/* A time of day in minutes since midnight, in UTC. */
typedef struct satchel_quiet_hours {
  int from_minute;
  int to_minute;
} satchel_quiet_hours;

/* What route.hpp says. Set `size` and what is needed, leave the rest zero. */
typedef struct satchel_route {
  size_t size;
  const char* name;          /* NULL or empty: route-1 and so on */
  const char* const* topics; /* MQTT topic filters */
  size_t topic_count;        /* 0: "#" */
  uint64_t window;           /* 0: that of the outbox, here and in the next */
  uint64_t window_bytes;
  double messages_per_second; /* 0: no limit, here and in the next */
  double bytes_per_second;
  uint64_t budget_bytes; /* 0: no budget */
  uint64_t budget_urgent_reserve;
  const satchel_quiet_hours* quiet;
  size_t quiet_count;
  int budget_by_day; /* 0: by month; 1: by day */
  int drain;         /* a satchel_drain */
  int sequence;      /* 0 or 1 */
  int paused;        /* 0 or 1 */
} satchel_route;

/* `route` may be NULL. */
int satchel_attach_route(satchel_outbox* outbox, const char* url, const satchel_route* route);

/* Sends nothing more on this route, until it is resumed. SATCHEL_USAGE when there is none of this name. */
int satchel_pause(satchel_outbox* outbox, const char* route);
int satchel_resume(satchel_outbox* outbox, const char* route);

int satchel_start(satchel_outbox* outbox);

/* `clean` may be NULL; set to 1 when everything in flight came to its end in time, otherwise 0. */
int satchel_stop(satchel_outbox* outbox, int64_t timeout_ms, int* clean);

/* One round on this thread, for programs without a relay thread. `worked` may be NULL; set to 1 when anything
 * was done. */
int satchel_run_once(satchel_outbox* outbox, int* worked);

/* ---- inspect and repair ---- */

typedef enum satchel_sink_state {
  SATCHEL_SINK_NONE = 0,
  SATCHEL_SINK_CONNECTING = 1,
  SATCHEL_SINK_UP = 2,
  SATCHEL_SINK_DOWN = 3,
  SATCHEL_SINK_BLOCKED = 4
} satchel_sink_state;

#define SATCHEL_STATUS_TEXT 256

/* Set `size` before the call. */
typedef struct satchel_status {
  size_t size;
  uint64_t pending;
  int pending_is_bound; /* 1: `pending` is an upper bound */
  int leading;
  int running;
  int sink; /* a satchel_sink_state */
  uint64_t in_flight;
  uint64_t unsettled;
  uint64_t delivered;
  uint64_t retried;
  uint64_t expired;
  uint64_t dead;
  int64_t newest_row;
  char sink_problem[SATCHEL_STATUS_TEXT]; /* empty: none; cut to fit */
  char failure[SATCHEL_STATUS_TEXT];      /* what stops the relay; empty: nothing */
  uint64_t urgent;                        /* of those that wait, here and in the next three */
  uint64_t bulk;
  uint64_t delayed;
  uint64_t failing;
  int64_t oldest_age_ms; /* -1: none waits, or unknown */
  uint64_t died;         /* since the relay was started */
  uint64_t async_dropped;
  uint64_t dropped_expired; /* since the file was made, here and in the next three */
  uint64_t dropped_quota;
  uint64_t dropped_coalesced;
  uint64_t dropped_discarded;
  uint64_t delivered_bytes;
  double messages_per_second; /* of the last ten seconds, here and in the next */
  double bytes_per_second;
  uint64_t wear_bytes; /* what was written, in the time `wear_over_ms` */
  uint64_t wear_syncs;
  int64_t wear_over_ms;
  uint64_t wear_bytes_per_day;
  uint64_t wear_syncs_per_day;
  uint64_t wal_bytes;
  uint64_t device_bytes;       /* that this user could still write to the file system */
  int64_t quota_messages_left; /* -1: no limit, here and in the next */
  int64_t quota_bytes_left;
  int64_t heartbeat_ms;     /* since the relay began its last round; -1: none yet */
  int64_t round_overdue_ms; /* 0: on time */
  uint64_t route_count;
  char sink_remedy[SATCHEL_STATUS_TEXT];  /* what to do about `sink_problem` */
  char failure_hint[SATCHEL_STATUS_TEXT]; /* what to do about `failure` */
} satchel_status;

int satchel_get_status(satchel_outbox* outbox, satchel_status* status);

typedef enum satchel_held_by {
  SATCHEL_HELD_BY_NOTHING = 0,
  SATCHEL_HELD_BY_RATE = 1,
  SATCHEL_HELD_BY_QUIET = 2,
  SATCHEL_HELD_BY_BUDGET = 3
} satchel_held_by;

/* A look at one route. The texts are valid during the call. */
typedef struct satchel_route_status {
  size_t size;
  const char* name;
  const char* sink_name; /* empty before the sink was used for the first time */
  const char* sink_problem;
  const char* sink_remedy;
  int sink; /* a satchel_sink_state */
  int paused;
  int held_by;          /* a satchel_held_by */
  int pending_is_bound; /* 1: `pending` is a lower bound; of a first route that takes all, an upper one */
  uint64_t pending;
  uint64_t in_flight;
  uint64_t delivered;
  uint64_t budget_used;
} satchel_route_status;

/* Returns 0 to go on, anything else to stop. */
typedef int (*satchel_route_callback)(void* context, const satchel_route_status* route);

/* Calls `callback` for each route in the order in which they were attached. */
int satchel_routes(satchel_outbox* outbox, satchel_route_callback callback, void* context);

typedef enum satchel_metrics_format {
  SATCHEL_METRICS_PROMETHEUS = 0,
  SATCHEL_METRICS_OPENMETRICS = 1
} satchel_metrics_format;

/* `size`: without the NUL. */
typedef void (*satchel_text_callback)(void* context, const char* text, size_t size);

/* Calls `callback` once with the status as text for a metrics collector. `format`: a satchel_metrics_format.
 */
int satchel_metrics(satchel_outbox* outbox, int format, satchel_text_callback callback, void* context);

/* Messages that were dropped since the file was made. */
typedef struct satchel_dropped {
  size_t size;
  int reason;        /* a satchel_drop_reason */
  const char* topic; /* empty: all topics that have no entry of their own; valid during the call */
  uint64_t messages;
  uint64_t unconfirmed; /* of these, such that may have arrived */
} satchel_dropped;

/* Returns 0 to go on, anything else to stop. */
typedef int (*satchel_dropped_callback)(void* context, const satchel_dropped* dropped);

/* Calls `callback` for each reason and topic. */
int satchel_dropped_messages(satchel_outbox* outbox, satchel_dropped_callback callback, void* context);

#define SATCHEL_IDENTITY_BYTES 16

/* What new messages are named by. */
int satchel_identity(satchel_outbox* outbox, unsigned char identity[SATCHEL_IDENTITY_BYTES]);
/* Begins a new one, for a copy that goes on beside its original; `identity` may be NULL. */
int satchel_renew_identity(satchel_outbox* outbox, unsigned char identity[SATCHEL_IDENTITY_BYTES]);

typedef enum satchel_dead_reason {
  SATCHEL_DEAD_REJECTED = 1,
  SATCHEL_DEAD_ATTEMPTS = 2,
  SATCHEL_DEAD_AGE = 3,
  SATCHEL_DEAD_CRASHED = 4,
  SATCHEL_DEAD_DAMAGED = 5
} satchel_dead_reason;

/* A message that was given up. What it points to is valid during the call. */
typedef struct satchel_dead_letter {
  size_t size;
  satchel_message_id id;
  const satchel_message* message;
  int reason; /* a satchel_dead_reason */
  int attempts;
  const char* first_error;
  const char* last_error;
  int64_t created_ms; /* since 1970-01-01 UTC; -1: unknown */
  int64_t died_ms;    /* the same */
} satchel_dead_letter;

/* Returns 0 to go on, anything else to stop. It may replay and discard. */
typedef int (*satchel_dead_letter_callback)(void* context, const satchel_dead_letter* letter);

/* Calls `callback` for each dead letter in the order of their ids, those after row `after`, at most `limit`.
 */
int satchel_dead_letters(satchel_outbox* outbox, int64_t after, size_t limit,
                         satchel_dead_letter_callback callback, void* context);

/* SATCHEL_NOT_FOUND when there is no dead letter with this id. */
int satchel_replay(satchel_outbox* outbox, const satchel_message_id* id);
int satchel_discard(satchel_outbox* outbox, const satchel_message_id* id);
/* `count` may be NULL. */
int satchel_replay_all(satchel_outbox* outbox, uint64_t* count);

#ifdef __cplusplus
}
#endif

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

/* NOLINTEND(modernize-use-using) */

#endif
