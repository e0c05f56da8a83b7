// Package record maps what a run observed into the record that it leaves.
//
// In: an [Observation], which is a value: what was asked for, what the host, the server
// and the model said, the readings, the requests. Out: a [result.Record], the rows of its
// Parquet files, and its warnings. Nothing here takes a context or does I/O.
//
//  1. [Of] maps an observation, also one of a run that did not come to its end. Tokens
//     and latencies come first, then energy, then the FLOPs and the warnings that follow
//     from them, and last why figures are null.
//  2. [Observation.Requests], [Observation.Samples] and [Observation.Timeseries] are the
//     rows of the Parquet files.
//  3. [Finish] adds to a record what came after it was first written.
//  4. [Recompute] makes the observation again from a record and its rows, and
//     [Recomputed.Record] maps that one by the same functions. Package verify compares.
//
// [Observation.Command] does the same for a program in place of an experiment.
package record
