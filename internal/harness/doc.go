// Package harness runs experiments and observes what they do. A launcher
// reaches it through package launch, GPUs through the interfaces of package device,
// everything else it calls by name.
//
// In: a [Runner], and an experiment. Out: an [Outcome], and the result's folder.
//
// [Runner.Execute] is the way of one experiment, one function a phase, in the order of
// protocol section 1. A [launch.Fault] says whose a failure is: the configuration's, the host's
// or the experiment's.
//
//  1. Preflight makes the [job.Job], claims the GPUs (package lease keeps two llem off
//     one GPU) and opens what reads them: the setup, to which the launch adds the server.
//  2. Baseline, launch, warmup, thermal floor and window measure. Each fills in its part of
//     the [record.Observation]. One that fails ends the measuring, never the writing of
//     what was measured.
//  3. Record hands all that was observed (observe.go) to package record, which maps it. It
//     is written (saver.go) before anything else can fail.
//  4. After stops the container, and the record is written again with what came after.
//
// A [Pool] does that for each run of a campaign, which share what it holds: GPUs, images, a
// server that is kept. [Runner.DryRun] and [Runner.Pull] end with the job.
package harness
