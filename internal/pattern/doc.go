// Package pattern is the table of load patterns: one file and one row each.
//
//  1. What comes in is a [Load], as the experiment file's workload.load gives it, and the
//     experiment's seed.
//  2. A row (pattern) says everything in which one pattern differs from others: the keys
//     that it needs and may have, with their limits, defaults and meaning, when its
//     requests are due, and what the docs say of it.
//  3. What goes out is keys, which package study decodes and documents, and a schedule
//     ([Load.Schedule]), which package load runs. A load whose pattern is recorded takes
//     schedule and lengths from its file ([ReadTrace]).
//
// A new pattern is a file with its row, the row's name in patterns, and test data. A key
// that no pattern had before is also a field of [Load]. No other package names a pattern:
// they ask the load whether it is [Load.Open] or [Load.Recorded].
package pattern
