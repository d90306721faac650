ALTER TABLE batches DROP COLUMN lines_at_vendor;
ALTER TABLE batches DROP COLUMN at_vendor;
