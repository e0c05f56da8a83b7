// Package job makes the job of an experiment: all that is known of a run before anything
// of it starts. A dry run, a pull and the check of a study end here; the harness runs a job.
//
// In: a [study.Experiment], and a [Finder] with the launcher, the keys and the versions
// that are taken in place of what the experiment names. Out: a [Job].
//
//  1. A [Job] holds the experiment and the run that a container is labelled with.
//  2. [Finder.Prompts] plans the load and reads trace and prompts; [LocalModel] looks for a
//     model that is named by its path; [Finder.Daemon] asks where the daemon is.
//  3. The caller selects the GPUs, since only a run locks them.
//  4. [Finder.Server] reads the key (credentials.go), finds the image and tells the engine
//     from it (image.go), or looks at a server that already runs (endpoint.go); finds or
//     downloads the model (model.go, mounts.go), and sees that what is sent fits it (context.go).
//  5. Last, from the values of the job alone, it makes the spec (spec.go).
//  6. [Finder.Count] counts the model's parameters, for the record.
//
// [Finder.DryRun] goes this way and downloads nothing; [Finder.Pull] only downloads. What
// fails is a [launch.Fault].
//
// A run goes on to fill in what only a started server can say: the prompts of synthetic
// workloads ([Prompts.Draw]), since it may know the vocabulary; the tokens of prompts that
// it counts; the model that it serves ([Job.Pick]).
package job
