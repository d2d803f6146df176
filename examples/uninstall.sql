-- Removes satchel from a database: its tables with their indexes and triggers, and nothing else.
--
--   sqlite3 device.db < uninstall.sql
--
-- Stop the program first, and let it deliver: messages that are still in the file are gone with it, dead letters too.
--   SELECT count(*) FROM satchel_message WHERE topic <> '';
-- Triggers of your own that insert into satchel_message are yours: drop them, or what fires them fails. Afterwards the file
-- device.db-relay can be deleted. The journal mode stays WAL.
BEGIN IMMEDIATE;
DROP TABLE IF EXISTS satchel_message;
DROP TABLE IF EXISTS satchel_attempt;
DROP TABLE IF EXISTS satchel_dead;
DROP TABLE IF EXISTS satchel_dropped;
DROP TABLE IF EXISTS satchel_quota;
DROP TABLE IF EXISTS satchel_counter;
DROP TABLE IF EXISTS satchel_boot;
DROP TABLE IF EXISTS satchel_identity;
DROP TABLE IF EXISTS satchel_state;
COMMIT;
