// Package standin is a GPU without a GPU: a libnvidia-ml.so.1 whose power draw
// is whatever a test says, and so one whose joules are known.
//
// [Build] compiles the library (lib/nvml.c, by cc) and returns the folder to put
// on LD_LIBRARY_PATH. [New] makes the file that the library plays from; its path
// goes into the environment variable LLEM_STANDIN of every program that shall
// see the GPUs. Any process that has the file, in a container or not, may switch
// power through [Open] while others measure: lib/standin.h describes the file,
// and all of it hangs on CLOCK_MONOTONIC, which containers share. [Control.Truth]
// is what was really used between two instants.
//
// Unless its sensor is described otherwise, the energy counter is the exact integral
// of power, shown as it was at the counter's last tick, as a driver shows it.
// Instantaneous power is that of the last tick, usage the mean of the second
// before it. Calls can be made to fail
// one by one ([Control.Fail]) and be logged to a file ([ReadCalls]).
//
// A GPU's [Sensor] may see less than that: a part of each refresh, late, by steps,
// behind a lag, at ticks that jitter, through slow calls, with a counter that
// fails. [Control.Schedule] writes a whole load down beforehand, to the
// nanosecond; [Control.Hold] has the clock stand for tests.
//
// What it does not do: it knows no MIG instances and no clocks that follow load.
//
// The package is pure Go and imports nothing of this module, so that a static
// program can carry it into a container; cmd/standin is one for shells.
package standin
