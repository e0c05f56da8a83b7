// Package lease claims the GPUs of this host for a run or a campaign, and gives them
// back as they were. It knows no experiment: what is asked for is a [Want], what was
// changed is a [Setting].
//
//  1. In: a [Want] and an NVML session. [Lease.Claim] resolves the GPUs, by name, by
//     what the environment grants ([Granted]) or the first that are free, and locks
//     them: two llem never have one GPU. [Untouched] refuses GPUs that a killed run
//     left changed.
//  2. In: a run. [Lease.LockRun] shows other processes that it is alive. Its lock, a
//     [RunLock], names the folder of the result and the container that the daemon is
//     asked for.
//  3. In: a [Tuning]. [Lease.Tune] writes a note of what it will change, then changes
//     it. [Lease.PutBack] undoes it, at the end and at an interrupt.
//  4. Out: who else is on the GPUs. [Strangers] lists them while a window runs.
//  5. Out: what is left of a run that was killed. [LeftSettings] and [RestoreSettings]
//     undo its settings; [CutOff] names the containers that may appear yet, and
//     [CleanRuns] removes the locks of the dead.
//
// A lock is a file that the process holds with flock, so it ends with the process,
// however that dies. What a claim or a setting fails by is a fault of package launch;
// a GPU in use is an [ErrBusy], too.
package lease
