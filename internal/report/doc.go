// Package report shows records to people. [Table] is what `llem run` prints at
// the end and what `llem show` prints again from the files: it reads the record
// and nothing else, so that both are the same text.
//
// An unknown value is printed as a dash, never as 0. What a record says is
// data: control characters in it are not passed on to the terminal.
package report
