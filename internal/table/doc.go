// Package table reads columns of text from Parquet files that nobody vouches for.
//
//  1. [Open] reads the footer. Every length, count and offset in it is held against the
//     file's size before memory is taken for it.
//  2. [File.Columns] are the columns, nested ones by their paths.
//  3. [File.Read] goes through the rows of some columns, a page of each at a time. A
//     page's sizes are held against its column chunk, its checksum is compared where
//     the file has one, and the counts inside it are held against its number of values.
//
// Libraries believe the counts of a file, and Go cannot recover from an allocation that
// fails, so that none is used here but for unpacking.
//
// Written for flat columns and lists of them, of the types that text comes in. All
// codecs and encodings that current writers use for text are read; an encrypted file is not.
package table
