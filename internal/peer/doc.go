// Package peer computes other benchmarks' figures from the requests of one of our runs,
// as each of them defines them. docs/peers.md is the table: what one calls TPOT another
// calls ITL.
//
// In: a record and its requests.parquet. Out: figures under the peer's own names and in
// its own units, with notes.
//
//  1. [Lookup] finds the peer. A peer is one file with one row a figure, and one row in
//     the table of peer.go; the version that it was read from is its constant.
//  2. [Peer.Figures] takes from the requests the answers that the peer counts, with the
//     moments from which and to which it times them, and computes one figure a row: over
//     what time, by which percentiles.
//  3. A figure that requests.parquet cannot give is left out with its reason, and one
//     that it can give only within bounds has a note. No figure stands under a peer's
//     name that the peer would not have printed.
//
// testdata/peers.json holds what each version's own code says of the same requests.
package peer
