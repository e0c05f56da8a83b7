// Package meter reads the energy of GPUs and of the host. It is the only owner of NVML.
//
// In: the driver's library, RAPL's files, Zeus and CodeCarbon; of simulated GPUs a [Load].
// Out: [device.Sample]s, devices, processes, and other instruments' readings.
//
//  1. The rows of a table are the ways to reach GPUs: NVML, and GPUs that are simulated.
//     [Open] starts a [device.Session] of the first whose driver is there, and fails with [ErrNoLibrary], [ErrInit] or
//     [ErrUnavailable]; none of them is a reason not to run. The session stays open from
//     before the baseline until after the last record, because the energy counter starts
//     again when the driver unloads, which it does on a host without persistence mode
//     when its last client goes.
//  2. Its Devices describes what the host has, its Select what the user asked for.
//  3. Its Watch returns a [device.Watcher], which reads energy, power, temperature,
//     memory, utilisation and throttle reasons of a fixed list of GPUs, and the counters
//     alone, for their refresh. What the driver numbers and names is neutral from there on.
//  4. [Simulate] makes GPUs whose power follows a load; [Simulation.Truth] is what they used.
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
// Linux the row of NVML says so and nothing else. Package standin, below this one, is a
// driver's library for hosts that have none.
package meter
