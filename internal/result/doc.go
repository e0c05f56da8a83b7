// Package result is the record on disk: a directory for each run with result.json, which
// is complete without other files, and Parquet files with it.
//
// The package is a flat leaf, whose names carry their units, so that no
// change inside the program can change the file format unseen. The JSON's fields are in
// record.go, the Parquet columns in parquet.go. They change only with [SchemaVersion].
//
// In: a [Record] and its rows. Out: files, and the same record when they are read.
//
//  1. [Create] makes the directory, a different one even for two runs in one second.
//  2. Methods of [Store] write the files. Each is written under a temporary name, flushed
//     to the disk and renamed, so that a file which is there is whole.
//  3. [Store.PutRecord] writes result.json last, with checksums of the others.
//  4. [Read] reads a record, says whether it is as it was written, and refuses one that
//     is newer than it knows. [ReadRequests] and [ReadSamples] read the rows.
//
// Unknown is null and never 0; a Parquet file without rows has its schema all the same.
package result
