-- Whether lines of a batch may go among vendors' own batches, and how many of
-- them were answered there.
ALTER TABLE batches ADD COLUMN at_vendor       BIGINT NOT NULL DEFAULT 0;
ALTER TABLE batches ADD COLUMN lines_at_vendor BIGINT NOT NULL DEFAULT 0;
