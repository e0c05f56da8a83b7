// Package result is the record on disk: a directory for each run with
// result.json, which stands alone, and Parquet files beside it.
//
// The package is a flat leaf with names of its own that carry their units, so
// that no change inside the program can change the file format unseen. The
// JSON's fields are record.go; the Parquet columns are parquet.go. They change
// only with [SchemaVersion].
//
// [Create] makes the directory, its own even for two runs in one second. Every
// file is written under a temporary name, flushed to the disk and renamed, so
// that a file which is there is whole. Unknown is null and never 0; a Parquet
// file without rows has its schema all the same. [Read] reads a record back
// and refuses one that is newer than it knows.
package result
