// Package draw makes random numbers that depend on a seed and a stream alone, with
// every processor and every release of Go: the methods are written out here, since a
// schedule must not change with the standard library's.
//
// What comes in is a seed and the number of a [Source]'s stream, which keeps the draws
// of one purpose apart from those of others. What goes out is uniform, exponential,
// normal and gamma deviates.
package draw
