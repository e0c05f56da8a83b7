// Package meter reads the energy of GPUs and of the host. It is the only owner of NVML.
//
// In: the driver's library, RAPL's files, Zeus and CodeCarbon. Out: [measure.Sample]s,
// devices, processes, and other instruments' readings.
//
//  1. [Open] loads the driver's library and fails with [ErrNoLibrary], [ErrInit] or
//     [ErrUnavailable]; none of them is a reason not to run. The session stays open from
//     before the baseline until after the last record, because the energy counter starts
//     again when the driver unloads, which it does on a host without persistence mode
//     when its last client goes.
//  2. [NVML.Devices] describes what the host has, [NVML.Select] what the user asked for.
//  3. [NVML.Watch] returns a [Sampler], which reads energy, power, temperature, memory,
//     utilisation and throttle reasons of a fixed list of GPUs.
//  4. [Sampler.PollCounters] reads the counters alone, for their refresh.
//  5. [OpenRAPL] reads the host's CPUs and memory; [OpenZeusd], [OpenZeus] and
//     [OpenCodeCarbon] open instruments beside NVML.
//
// Two properties of NVML shape the code. The binding resolves symbols when they are
// first called, and one that the driver lacks ends the process: every call is made only
// if its symbol is there. And what a GPU offers differs from card to card and field to
// field: each reading keeps its own return code, what can never answer is not asked
// again, and what fails now is left unset, never zero.
//
// The library cannot be linked statically and needs cgo, so without cgo or away from
// Linux this package builds to an Open that says so. Package standin, below this one, is
// a GPU for hosts that have none.
package meter
