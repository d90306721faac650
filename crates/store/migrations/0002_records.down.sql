-- The first release cannot show the calls whose records it cannot read, and
-- its sums do not know of rows that cost nobody anything.
DELETE FROM generations WHERE voided IS NOT NULL AND upstream = 0;
DROP TABLE failures;
ALTER TABLE generations DROP COLUMN link;
ALTER TABLE generations DROP COLUMN failure;
ALTER TABLE generations DROP COLUMN voided;
DROP TABLE consumers;
ALTER TABLE progress ADD COLUMN spool_applied BIGINT NOT NULL DEFAULT 0;
UPDATE progress SET spool_applied = (SELECT applied FROM node_spools WHERE node_id = 1);
DROP TABLE node_spools;
DROP TABLE installation;
