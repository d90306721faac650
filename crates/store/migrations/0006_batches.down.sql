DROP TABLE batches;
DROP TABLE files;
