// Package harness runs one experiment from its configuration to its record. It
// is the only package that sees the whole: the daemon and NVML reach it through
// the interfaces in seams.go, everything else it calls by name.
//
// [Runner.Execute] is the way of one experiment, one method a phase, in the
// order of the protocol: preflight, baseline, launch, warmup, thermal floor,
// window, record, after. A phase that fails ends the measuring, never the
// keeping: what was measured is mapped into the record (record.go is the only
// file that knows both sides), the record is written, and only then is the
// container stopped and the record written again with what came after.
//
// Failures are told apart by [Fault]: of the configuration, of the host, of
// the experiment. Locks (lock.go) keep two llem off one GPU and tell `llem
// clean` which containers have lost their owner.
package harness
