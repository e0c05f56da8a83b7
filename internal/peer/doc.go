// Package peer computes other benchmarks' figures from the requests of one of
// ours, as each of them defines them: which requests count, from which moment to
// which, over what time, by which percentiles, under its own names and in its own
// units. What one calls TPOT another calls ITL; docs/peers.md is the table.
//
// A peer is one file with one row a figure, and one row in [peers]. The version
// that a file was read from is its constant, and testdata/peers.json holds what
// that version's own code says of the same requests.
//
// A figure that requests.parquet cannot tell is left out with its reason, and one
// that it can tell only within bounds is told with a note: none stands under a
// peer's name that the peer would not have printed.
package peer
