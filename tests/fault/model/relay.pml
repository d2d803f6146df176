/* SPDX-License-Identifier: MIT
 *
 * Two processes that want to be the relay of one file, a producer, a peer, and everything that can go wrong
 * between them. It follows lib/store (relay_side, relay_settle) and lib/relay (engine*); each step below that
 * another process, a crash or a power cut can come in between is a step of its own there, too.
 *
 * Left out, because no property here hangs on it: time (every pause may be over at once), keys, held topics, the
 * isolation of messages that break connections, and the gate, which only puts in a row what is atomic here.
 *
 * Sizes: N messages, W window, R outcomes that stop the hand-over, BATCH outcomes in a transaction, COMMITS commits
 * without a sync, MOST attempts. How often something goes wrong: CRASHES, POWER, LOSSES, DELETES, ERRORS.
 * POISON: message 0 ends every process that hands it over. RELAXED: the producer does not sync its commits.
 *
 * Seeded defects: NO_FENCE, FORGETS, NO_RECORD, NO_BARRIER, NO_LIMIT.
 */

#ifndef N
#define N 3
#endif
#ifndef W
#define W 1
#endif
#ifndef R
#define R 1
#endif
#ifndef BATCH
#define BATCH 1
#endif
#ifndef COMMITS
#define COMMITS 1
#endif
#ifndef MOST
#define MOST 2
#endif
#ifndef CRASHES
#define CRASHES 1
#endif
#ifndef POWER
#define POWER 0
#endif
#ifndef LOSSES
#define LOSSES 0
#endif
#ifndef DELETES
#define DELETES 0
#endif
#ifndef ERRORS
#define ERRORS 0
#endif

/* Settled and not synced, at most. */
#define S (COMMITS * BATCH)

/* A row in the file. */
#define ABSENT 0
#define PENDING 1
#define DELIVERED 2
#define DEAD 3

typedef Version {
  byte row[N];
  byte attempts[N]
};

/* The log: what is synced, and a version for each commit since. All connections read the last one. */
Version log[COMMITS + 1];
byte last;
#define now_row log[last].row
#define now_attempts log[last].attempts
/* Written with a sync, always. */
byte epoch;

/* <file>-relay: a deleted one stays with those who have it open. */
byte path;
byte lock_of[DELETES + 1];
typedef Record {
  bool in_flight[N];
  byte alone
};
Record record[DELETES + 1];

/* What a relay does next. */
#define STANDS_BY 0
#define LOCKED 1
#define TOOK_OVER 2
#define LEADS 3
#define CHOSE 4
#define NOTED 5
#define COMMITTED 6

/* Where a relay has a message. NEW: not read yet. GONE: dealt with, it will not look at the row again. */
#define NEW 0
#define AGAIN 1
#define ALONE 2
#define CHOSEN 3
#define ON_ITS_WAY 4
#define TAKEN 5
#define REFUSED 6
#define OUTCOME_DELIVERED 7
#define OUTCOME_FAILED 8
#define OUTCOME_DEAD 9
#define GONE 10

typedef Relay {
  byte phase;
  byte file;
  byte epoch;
  bool one_alone;
  byte place[N];
  byte tried[N];
  bool suspect[N];
  bool offered[N]
};
Relay relay[2];

/* What the outside knows. */
bool got[N];
byte told[N];
byte duplicates;
byte allowed;
byte unsynced;
byte deaths;
byte mishaps;

byte crashes_left = CRASHES;
byte power_left = POWER;
byte losses_left = LOSSES;
byte errors_left = ERRORS;

/* Written before read within one step. */
hidden byte m;
hidden byte count;
hidden byte others;

#define me relay[i]
#define is_out(p) (p >= CHOSEN && p <= REFUSED)
#define is_outcome(p) (p >= OUTCOME_DELIVERED && p <= OUTCOME_DEAD)

inline synced() {
  for (m : 0 .. N - 1) { log[0].row[m] = log[last].row[m]; log[0].attempts[m] = log[last].attempts[m] };
  last = 0;
  unsynced = 0
}

/* A commit is visible at once, and durable with the next sync. */
inline new_version() {
  for (m : 0 .. N - 1) { log[last + 1].row[m] = log[last].row[m]; log[last + 1].attempts[m] = log[last].attempts[m] };
  last++
}

/* All that the relay has in memory is void, and its lock is free. What is on its way then is lost: that the peer
 * takes it just before is a run of its own. */
inline drop(who) {
  if
  :: relay[who].file > 0 && lock_of[relay[who].file - 1] == who + 1 -> lock_of[relay[who].file - 1] = 0
  :: else
  fi;
  relay[who].phase = STANDS_BY;
  relay[who].file = 0;
  relay[who].epoch = 0;
  relay[who].one_alone = false;
  for (m : 0 .. N - 1) {
    relay[who].place[m] = NEW;
    relay[who].tried[m] = 0;
    relay[who].suspect[m] = false;
    relay[who].offered[m] = false
  }
}

/* The holder rereads the record of the last one: what was in flight is suspect, and what was alone in flight has
 * killed a process. */
inline take_over() {
  epoch++;
  me.epoch = epoch;
  synced();
  for (m : 0 .. N - 1) {
    me.suspect[m] = record[me.file - 1].in_flight[m] && now_row[m] == PENDING;
    me.place[m] = (me.suspect[m] -> ALONE : NEW);
    record[me.file - 1].in_flight[m] = me.suspect[m]
  };
  me.phase = TOOK_OVER
}

inline examine() {
  if
  :: me.file - 1 != path -> drop(i)
  :: else ->
     m = record[me.file - 1].alone;
     if
     :: m > 0 && me.suspect[m - 1] ->
        /* The note first: a process that ends right here is not counted against it twice. */
        record[me.file - 1].alone = 0;
        m = m - 1;
        me.tried[m] = now_attempts[m] + 1;
        me.place[m] = (me.tried[m] >= MOST -> OUTCOME_DEAD : OUTCOME_FAILED)
     :: else
     fi;
     me.phase = LEADS
  fi
}

/* count = in flight, others = outcomes. */
inline tally() {
  count = 0;
  others = 0;
  for (m : 0 .. N - 1) {
    count = count + (is_out(me.place[m]) -> 1 : 0);
    others = others + (is_outcome(me.place[m]) -> 1 : 0)
  }
}

inline choose() {
  tally();
  m = 0;
  do
  :: m < N && me.place[m] != ALONE -> m++
  :: else -> break
  od;
  if
  :: m < N ->
     /* A suspect goes alone, after what is known is recorded. */
     if
     :: count > 0 || others > 0
     :: else ->
        if
        :: now_row[m] != PENDING -> me.place[m] = GONE
        :: else ->
           me.place[m] = CHOSEN;
           me.tried[m] = now_attempts[m];
           me.one_alone = true;
           me.phase = CHOSE
        fi
     fi
  :: else ->
     m = 0;
     do
     :: m >= N || count >= W -> break
     :: else ->
        if
        :: (me.place[m] == NEW || me.place[m] == AGAIN) && now_row[m] == PENDING ->
           me.place[m] = CHOSEN;
           me.tried[m] = now_attempts[m];
           count++;
           me.phase = CHOSE
        :: (me.place[m] == NEW || me.place[m] == AGAIN) && now_row[m] > PENDING -> me.place[m] = GONE
        :: else
        fi;
        m++
     od
  fi
}

inline before_send() {
  if
  :: me.file - 1 != path -> drop(i)
  :: else ->
#if defined(RELAXED) && !defined(NO_BARRIER)
     synced();
#endif
#ifndef NO_RECORD
     record[me.file - 1].alone = 0;
     for (m : 0 .. N - 1) {
       record[me.file - 1].in_flight[m] = is_out(me.place[m]) || me.suspect[m];
       record[me.file - 1].alone = (me.one_alone && me.place[m] == CHOSEN -> m + 1 : record[me.file - 1].alone)
     };
#endif
     me.phase = NOTED
  fi
}

inline hand_over() {
  me.phase = LEADS;
  for (m : 0 .. N - 1) { me.place[m] = (me.place[m] == CHOSEN -> ON_ITS_WAY : me.place[m]) };
#ifdef POISON
  if
  :: me.place[0] == ON_ITS_WAY ->
     deaths++;
     /* Each mishap can cost the count that is under way, those not synced, and one hand-over among others. */
     assert(deaths <= 1 + MOST + (2 + COMMITS) * mishaps);
     allowed = allowed + W + R;
     drop(i)
  :: else
  fi
#endif
}

/* The outcomes of one transaction: those of the last try when its end is unknown. */
inline offer() {
  count = 0;
  for (m : 0 .. N - 1) { count = count + (me.offered[m] -> 1 : 0) };
  if
  :: count == 0 ->
     m = 0;
     do
     :: m >= N || count >= BATCH -> break
     :: else ->
        if
        :: is_outcome(me.place[m]) -> me.offered[m] = true; count++
        :: else
        fi;
        m++
     od
  :: else
  fi
}

inline record_outcomes() {
  offer();
  new_version();
  for (m : 0 .. N - 1) {
    if
    :: me.offered[m] && now_row[m] == PENDING ->
       if
       :: me.place[m] == OUTCOME_DELIVERED -> now_row[m] = DELIVERED; unsynced++
       :: me.place[m] == OUTCOME_DEAD -> now_row[m] = DEAD; now_attempts[m] = me.tried[m]; unsynced++
       :: me.place[m] == OUTCOME_FAILED -> now_attempts[m] = me.tried[m]
       fi
    :: else
    fi
  };
  assert(unsynced <= S)
}

/* COMMIT has returned: now, and not before, the receipts may be forgotten and the application is told. */
inline committed() {
  for (m : 0 .. N - 1) {
    if
    :: me.offered[m] && me.place[m] == OUTCOME_FAILED -> me.place[m] = (me.suspect[m] -> ALONE : AGAIN)
    :: me.offered[m] && me.place[m] != OUTCOME_FAILED ->
       me.place[m] = GONE;
       me.suspect[m] = false;
       told[m]++;
       /* Nothing is settled twice, so nothing is both delivered and dead. */
       assert(told[m] == 1)
    :: else
    fi;
    me.offered[m] = false
  };
  me.phase = LEADS
}

#ifdef FORGETS
inline forget() {
  for (m : 0 .. N - 1) { me.place[m] = (me.offered[m] -> GONE : me.place[m]); me.offered[m] = false }
}
#else
#define forget() skip
#endif

#define at(k, p) (k < N && me.place[k % N] == p)
#define wants(k) (k < N && (at(k, AGAIN) || (at(k, NEW) && now_row[k % N] != ABSENT)))
#define some_wants (wants(0) || wants(1) || wants(2) || wants(3))
#define some(p) (at(0, p) || at(1, p) || at(2, p) || at(3, p))
#define some_out (some(ON_ITS_WAY) || some(TAKEN) || some(REFUSED))
#define some_outcome (some(OUTCOME_DELIVERED) || some(OUTCOME_FAILED) || some(OUTCOME_DEAD))
#define out(k) ((k < N && is_out(me.place[k % N])) -> 1 : 0)
#define ended(k) ((k < N && is_outcome(me.place[k % N])) -> 1 : 0)
#define window_open (out(0) + out(1) + out(2) + out(3) < W)
#ifdef NO_LIMIT
#define below_limit true
#else
#define below_limit (ended(0) + ended(1) + ended(2) + ended(3) < R)
#endif
#ifdef NO_FENCE
#define fenced false
#else
#define fenced (me.epoch != epoch)
#endif

proctype A_relay(byte i) {
end:
  do
  /* lock_leader: whose file is not the one at the path opens that. */
  :: d_step { me.phase == STANDS_BY && me.file != path + 1 -> me.file = path + 1 }
  :: d_step {
       me.phase == STANDS_BY && me.file == path + 1 && lock_of[path] == 0 -> lock_of[path] = i + 1; me.phase = LOCKED
     }
  :: d_step { me.phase == LOCKED -> take_over(); skip }
  :: d_step { me.phase == TOOK_OVER -> examine(); skip }

  :: d_step {
       me.phase == LEADS && !me.one_alone && below_limit &&
       ((some(ALONE) && !some_out && !some_outcome) || (!some(ALONE) && some_wants && window_open)) -> choose(); skip
     }
  :: d_step { me.phase == CHOSE -> before_send(); skip }
  :: d_step { me.phase == NOTED -> hand_over(); skip }

  :: d_step { me.phase == LEADS && some_outcome && fenced -> drop(i); skip }
  :: d_step { me.phase == LEADS && some_outcome && !fenced && last < COMMITS -> record_outcomes(); me.phase = COMMITTED }
  :: d_step { me.phase == COMMITTED -> committed(); skip }
  /* The commit fails: its frames are there, or they are not. Either way the same is recorded again. */
  :: d_step {
       me.phase == LEADS && some_outcome && !fenced && last < COMMITS && errors_left > 0 ->
       errors_left--; record_outcomes(); forget(); skip
     }
  :: d_step {
       me.phase == LEADS && some_outcome && !fenced && errors_left > 0 -> errors_left--; offer(); forget(); skip
     }
  od
}

/* What comes back from the peer, taken in between two calls of the relay. */
proctype A_receipt(byte i; byte k) {
end:
  do
  :: d_step { me.phase == LEADS && me.place[k] == TAKEN -> me.place[k] = OUTCOME_DELIVERED; me.one_alone = false }
  :: d_step {
       me.phase == LEADS && me.place[k] == REFUSED ->
       me.tried[k]++;
       me.place[k] = (me.tried[k] >= MOST -> OUTCOME_DEAD : OUTCOME_FAILED);
       me.suspect[k] = false;
       me.one_alone = false
     }
  :: d_step {
       me.place[k] == ON_ITS_WAY ->
       me.place[k] = TAKEN;
       duplicates = duplicates + (got[k] -> 1 : 0);
       got[k] = true;
       assert(duplicates <= allowed)
     }
  :: d_step { me.place[k] == ON_ITS_WAY -> me.place[k] = REFUSED }
  od
}

/* Ids rise with the commits: the lowest that is not there is the next. */
proctype A_producer() {
  byte k;
end:
  do
  :: d_step {
       last < COMMITS && now_row[N - 1] == ABSENT ->
       k = 0;
       do
       :: now_row[k] != ABSENT -> k++
       :: else -> break
       od;
       new_version();
       now_row[k] = PENDING;
       k = 0;
#ifndef RELAXED
       synced();
#endif
       skip
     }
  od
}

/* The log is synced when it is full, by whoever is there. */
proctype A_checkpoint() {
end:
  do
  :: d_step { last == COMMITS -> synced(); skip }
  od
}

inline process_ends(who) {
  crashes_left--;
  mishaps++;
  allowed = allowed + W + R;
  drop(who)
}

/* The disk holds the synced version or any later one; the record, which is never synced, or none. */
inline power_cut(version, keeps) {
  power_left--;
  mishaps++;
  allowed = allowed + W + R + S;
  for (m : 0 .. N - 1) {
    log[0].row[m] = log[version].row[m];
    log[0].attempts[m] = log[version].attempts[m];
    told[m] = (log[0].row[m] <= PENDING -> 0 : told[m]);
    /* Nothing is sent whose transaction can vanish. */
    assert(log[0].row[m] != ABSENT || !got[m]);
    record[path].in_flight[m] = record[path].in_flight[m] && keeps
  };
  last = 0;
  unsynced = 0;
  record[path].alone = (keeps -> record[path].alone : 0);
  drop(0);
  drop(1)
}

inline connection_breaks(who) {
  losses_left--;
  mishaps++;
  allowed = allowed + W + R;
  for (m : 0 .. N - 1) {
    if
    :: relay[who].place[m] >= ON_ITS_WAY && relay[who].place[m] <= REFUSED ->
       relay[who].place[m] = (relay[who].one_alone || relay[who].suspect[m] -> ALONE : AGAIN)
    :: else
    fi
  };
  relay[who].one_alone = relay[who].one_alone && (relay[who].phase == CHOSE || relay[who].phase == NOTED)
}

proctype A_world() {
  do
  :: d_step { crashes_left > 0 && relay[0].phase != STANDS_BY -> process_ends(0); skip }
  :: d_step { crashes_left > 0 && relay[1].phase != STANDS_BY -> process_ends(1); skip }
#if POWER > 0
  :: d_step { power_left > 0 -> power_cut(0, true); skip }
  :: d_step { power_left > 0 -> power_cut(0, false); skip }
  :: d_step { power_left > 0 && last > 0 -> power_cut(last, true); skip }
  :: d_step { power_left > 0 && last > 1 -> power_cut(1, true); skip }
#endif
#if LOSSES > 0
  :: d_step { losses_left > 0 && relay[0].phase >= LEADS -> connection_breaks(0); skip }
  :: d_step { losses_left > 0 && relay[1].phase >= LEADS -> connection_breaks(1); skip }
#endif
#if DELETES > 0
  :: d_step { path < DELETES -> path++; mishaps++; allowed = allowed + W + R }
#endif
  :: break
  od;
  /* When nothing moves any more, every message has come to its end. */
  timeout;
  for (m : 0 .. N - 1) {
    assert(now_row[m] == DELIVERED || now_row[m] == DEAD);
    assert(now_row[m] != DELIVERED || got[m]);
    assert(now_row[m] != DEAD || now_attempts[m] == MOST)
  }
}

init {
  byte k;
  atomic {
    do
    :: k < N -> run A_receipt(0, k); run A_receipt(1, k); k++
    :: else -> break
    od;
    run A_relay(0);
    run A_relay(1);
    run A_producer();
    run A_checkpoint();
    run A_world()
  }
}
