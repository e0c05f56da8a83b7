// Package study reads the experiment file: what is measured, on what, how.
//
// One table, keys.go, says of every key its path, kind, range, default and
// meaning. From it come the strict decoder (decode.go, walk.go), the JSON Schema that
// editors use, the reference page docs/config.md and the names of environment
// variables, so that none of them can disagree. A key whose feature this
// version does not have is in the table too, and is refused by name.
//
// [Decode] and [ReadFile] report every problem at once, each with file, line,
// column, path, the line itself and the nearest key that exists. Values come
// in layers, later ones winning: the user's own file, the experiment file,
// environment, flags; a problem names the layer it came from.
//
// [Experiment.ConfigHash] is over the canonical form: every default applied,
// keys sorted, names and folders left out; two files that mean the same have
// the same hash. [Experiment.Redacted] is what a record may show.
package study
