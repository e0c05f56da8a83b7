// Package device is a GPU in terms of no vendor: what is known of it, how it is read,
// and what can be set. It imports nothing of this module, computes no energy and talks
// to no driver.
//
// In: what a driver says. Out: the types by which the other packages speak of GPUs.
//
//  1. A [Session] is one with a driver. It lists GPUs as [Device]s, a nil field for what
//     the driver does not say, and sets what an administrator may set ([Tuner]).
//  2. [Session].Watch gives a [Watcher] of chosen GPUs, which reads [Sample]s. Has says
//     which fields of a Sample were read; the others are not 0 but unknown.
//  3. A [Sensor] says how the GPU's power sensor behaves: how often it refreshes, which
//     share of that it sees, and whether its power is a mean.
//
// Units are in the names: mJ, mW, W, MHz, °C, bytes. Instants are monotonic, since an
// epoch that the caller gives.
package device
