// Package measure is the protocol of one experiment: what is read when, and
// what the readings mean.
//
// A [Recorder] reads every GPU at a fixed interval from preflight to the end,
// into memory that is there before the window opens, and takes an extra
// reading (an edge) wherever a span opens or closes. All joules are computed
// afterwards from those readings by [EnergyBetween], which is pure: the same
// readings give the same joules, so that a record can be checked from its
// files alone.
//
// Around it stand the phases that need no container: [MeasureBaseline] (bare
// idle GPUs, cached on disk by [BaselineCache]), [Warmup] (a fixed number of
// iterations, or until their latency stops moving) and [ThermalFloor] (a plain
// wait that yields the idle power of the loaded engine). Reasons to doubt a
// number are [Warning]s; their codes, severities and remedies are one table in
// warnings.go.
//
// Energy is read from the driver's counter where there is one and from the
// integral of power where there is none; both are computed wherever both
// exist, and the one not used is the cross-check. Nothing here knows NVML,
// Docker or HTTP.
package measure
