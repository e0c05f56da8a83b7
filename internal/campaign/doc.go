// Package campaign carries a study out, from its first run to its end, over as many llem
// processes as that takes: open, run, resume, change, close.
//
// In: a [Source], which is a study's file with all that is set above and below it, or the
// folder of a campaign that was stopped; and an [Executor], which runs the experiments
// where the GPUs are. Out: the study's folder, with the record of every run.
//
//  1. [New] decodes and expands the file; [Resume] does so again for a folder, and says what
//     has changed since the study was begun. Neither writes anything.
//  2. [Campaign.Hold] opens the journal of a study that goes on, which keeps another llem out.
//  3. [Campaign.Open] gets the executor ready: images, models and GPUs are there, and each
//     engine was asked whether it can do its points. Then it makes the study's folder with
//     its plan, or gives the runs of a changed study their folders (change.go).
//  4. [Campaign.Run] goes through the plan (runs.go). Which runs are done, the records in the
//     study's folder say (folder.go). A run is one call of the [Executor] between two lines of the
//     journal, which is repeated while its failure may pass (patience.go). What is not as it
//     was when the study began is a doubt of the runs to come (doubts.go).
//  5. [Campaign.Close] lets another llem go on with the study.
//
// What is only looked at, as by a dry run or a pull, is in [PlanOf] and [Experiments].
package campaign
