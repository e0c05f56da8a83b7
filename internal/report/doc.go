// Package report shows records to people. [Table] is what `llem run` prints at
// the end and what `llem show` prints again from the files: it reads the record
// and nothing else, so that both are the same text. [Command] is the shorter
// table of `llem measure`.
//
// The first line is what the run was for: joules per output token, or that
// there is no such figure and why. An unknown value is printed as a dash, never
// as 0, and a block of nothing but dashes is left out.
//
// Tables are at most 80 columns wide; only a path or another word that cannot
// be broken goes beyond. A number never parts from its unit: hard spaces
// stand between them until the table is written.
//
// What a record says is data: characters that could move the cursor or turn the
// text are not passed on to the terminal, and a record with fields missing is
// printed as far as it goes.
package report
