-- SPDX-License-Identifier: MIT
-- Messages from plain SQL, by hand and by a trigger. For a file that an Outbox with external_writers has opened before:
--
--     sqlite3 device.db < sql_trigger.sql
--
-- Never give an id. A payload is text or a blob, not a number. What an insert leaves out is: key, content_type, headers (a JSON object of
-- names and texts), ttl (milliseconds from when the relay first reads the message, and anew after each start of the relay's process).

-- On every connection that is not satchel's: the relay checkpoints, and before SQLite 3.51.3 two checkpoints at once can
-- lose committed pages. And wait for the relay's short transactions instead of failing.
PRAGMA wal_autocheckpoint = 0;
PRAGMA busy_timeout = 5000;

CREATE TABLE IF NOT EXISTS alarm(id INTEGER PRIMARY KEY, machine TEXT NOT NULL, text TEXT NOT NULL) STRICT;

-- Whoever stores an alarm, sends it. The key keeps the alarms of one machine in their order.
CREATE TRIGGER IF NOT EXISTS alarm_goes_out AFTER INSERT ON alarm
BEGIN
  INSERT INTO satchel_message(topic, key, content_type, payload)
  VALUES ('plant/' || NEW.machine || '/alarm', NEW.machine, 'application/json',
          json_object('alarm', NEW.id, 'text', NEW.text));
END;

-- Immediate, as everywhere: a transaction that reads first and writes later may fail in between.
BEGIN IMMEDIATE;
INSERT INTO alarm(machine, text) VALUES ('press', 'guard open');
INSERT INTO alarm(machine, text) VALUES ('press', 'guard closed');
INSERT INTO satchel_message(topic, payload) VALUES ('plant/press/count', '12');
COMMIT;
