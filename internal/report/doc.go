// Package report shows records to people.
//
// In: records and the files of their requests, and nothing else, so that what `llem run`
// prints at the end and what `llem show` prints from the files are the same. Out: text.
//
//  1. [Compare] groups records into points and judges differences by package stats;
//     [Study] compares the points of a study, and says what was not run and why.
//  2. A pure function makes a [Document]: [Record] of one record, [Side] of several,
//     [Command] of what `llem measure` read, [Peer] of another benchmark's figures,
//     [Comparison.Document] and [StudySummary.Document] of step 1. It decides what is
//     said, in which order, and how many digits each number has.
//  3. [Document.Write] has a renderer lay the document out. A renderer reads the document
//     alone; a new one is a file, and a row in the table of renderers.
//
// The first line of a record is what the run was for: joules per output token, or that
// there is no such figure and why. An unknown value is printed as a dash, never as 0, and
// a block of dashes alone is left out.
//
// Text is at most 80 columns wide; only a path or another word that cannot be broken
// is longer. A number is never parted from its unit: hard spaces join them until the
// document is written.
//
// What a record says is data: characters that could move the cursor or turn the text do
// not reach the terminal, and a record with fields missing is printed as far as it goes.
package report
