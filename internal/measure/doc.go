// Package measure is the arithmetic of the protocol: what is read when, and what the
// readings mean. Nothing here knows a vendor, Docker or HTTP.
//
// In: a [device.Sampler] that reads GPUs, and the moments at which phases begin and end.
// Out: joules with their uncertainty, by component, and [Warning]s.
//
//  1. A [Recorder] reads every GPU at a fixed interval from preflight to the end, into
//     memory that is there before the window opens, and takes an extra reading (an edge)
//     wherever a span opens or closes.
//  2. [Refresh] finds from the polls of preflight how often each energy counter moves.
//     A [device.Sensor] has that, and what package meter/card knows of the card.
//  3. [MeasureBaseline] reads the bare idle GPUs; [BaselineCache] has it on disk.
//  4. [Warmup] runs a fixed number of iterations, or until their latency is steady.
//  5. [ThermalFloor] is a plain wait that yields the idle power of the loaded engine.
//  6. [Window.Energy] computes the joules of the window, afterwards and from the readings
//     alone: from the driver's counter where there is one, and from the integral of
//     power, which is the cross-check. The same readings give the same joules, so that
//     `llem verify` can check a record from its files. [SliceEnergy] is for a part of it,
//     [Unaligned] for an instrument that reads the counter when it is called, and [Expect]
//     for a window that is still to come. All but the last begin with a view of each GPU
//     (view.go): the sensor as it is assumed, how often it was read, the ticks of its
//     counter, the levels of power in the window, the powers around it, the tick that the
//     end falls into, and the delay that these show.
//  7. [GPUWarnings] and its like say what makes a number doubtful. Codes, severities and
//     remedies are one table in warning_table.go.
package measure
