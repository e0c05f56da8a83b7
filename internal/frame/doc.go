// Package frame checks the framing of a Parquet file before a library reads it.
//
// A library that reads Parquet believes the lengths and counts that a file states,
// and takes as much memory as they ask for. A few changed bytes then end the
// process, with an error that no recover catches. [Check] reads the footer and the
// header of every page, takes little memory of its own, and returns an error where
//
//  1. the magic bytes or the footer's length are wrong,
//  2. a list or a text is longer than the bytes that are left,
//  3. row groups, columns and pages disagree about how many rows there are,
//  4. a column or a page lies outside the file,
//  5. a page is larger than [MostPage], or unpacks to another size than it states.
//
// It does not look at values: what passes may still hold nonsense, which is the
// business of who reads it.
package frame
