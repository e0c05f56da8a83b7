// Package study reads the experiment file (what is measured, on what, how) and the study
// file, which makes many experiments of one.
//
// In: YAML, flags, environment. Out: an [Experiment], or a [Plan] of many.
//
//  1. One table, keys.go, says of every key its path, kind, range, default and meaning;
//     the keys of a load come from the rows of package pattern.
//     The strict decoder, the JSON Schema that editors use, docs/config.md and the names
//     of environment variables come from it, so that none of them can disagree. A key
//     whose feature this version does not have is in the table too, and is refused by name.
//  2. Values come in layers, later ones winning: the user's own file, the experiment file,
//     environment, flags.
//  3. [Decode] and [ReadFile] report every problem at once, each with file, line, column,
//     path, the line itself, the nearest key that exists, and the layer it came from. A
//     reader (reader.go) reads nodes, a decoder fills in the experiment, and the checks
//     (check.go) hold its keys against each other.
//  4. [DecodeStudy] reads the same keys, which all points share, and those of a study: a
//     base below the file (study.go), axes and alternatives that multiply (sweep.go),
//     experiments named one by one, and how they are executed (execution.go). Each value
//     is checked where it stands, once (change.go).
//  5. [Study.Plan] expands it: points that are not valid keep their reason, those of one
//     hash are run once, and [Plan.Runs] is the order (order.go). A plan holds names and
//     hashes; experiments are made when they are asked for, so that 100,000 points are a
//     matter of seconds and megabytes.
//  6. [Experiment.ConfigHash] is over the canonical form: every default applied, keys
//     sorted, names and folders left out; two files that mean the same have the same hash.
//     [Experiment.Redacted] is what a record may show.
package study
