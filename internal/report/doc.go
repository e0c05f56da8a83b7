// Package report shows records to people.
//
// In: records and the rows beside them, and nothing else, so that what `llem run` prints at
// the end and what `llem show` prints from the files are the same text. Out: tables.
//
//  1. [Table] is the table of one record, [Command] the shorter one of `llem measure`,
//     [Side] several records in columns, [Peer] the figures of another benchmark.
//  2. [Compare] groups records into points, judges differences by package stats, and
//     [Comparison.Text] prints them.
//  3. [Study] is a study's answer: its points compared, with what was not run and why.
//
// The first line of a record is what the run was for: joules per output token, or that
// there is no such figure and why. An unknown value is printed as a dash, never as 0, and
// a block of dashes alone is left out.
//
// Tables are at most 80 columns wide; only a path or another word that cannot be broken
// is longer. A number is never parted from its unit: hard spaces join them until the
// table is written.
//
// What a record says is data: characters that could move the cursor or turn the text do
// not reach the terminal, and a record with fields missing is printed as far as it goes.
package report
