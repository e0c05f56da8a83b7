// Package frame checks the framing of a Parquet file before a library reads it.
//
// A library that reads Parquet believes the lengths and counts that a file states,
// and takes as much memory as they ask for. A few changed bytes then end the
// process, with an error that no recover catches.
//
// In: a file. Out: an error, or nothing. [Check] takes little memory:
//
//  1. it reads the magic bytes and the footer's length,
//  2. decodes the footer, in which no list or text may be longer than the bytes left,
//  3. holds row groups and columns against each other and against the file's end,
//  4. reads the header of every page: it lies inside its column, has as many rows as the
//     column says, and is not larger than mostPage,
//  5. and unpacks each page to see that it has the size that it states.
//
// It does not look at values: what passes may still hold nonsense, which its reader
// must judge.
package frame
