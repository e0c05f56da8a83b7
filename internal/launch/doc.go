// Package launch says what a launcher of LLM servers is: it finds images, starts
// servers in containers, and removes what ended runs left. A launcher is one package
// with one [Row]; the table of rows is in cmd/llem, and nothing else of llem knows
// which launcher it uses.
//
//  1. In: [Options]. A [Row] opens a [Daemon], or says how it can be reached; what
//     that daemon is, is a [DaemonInfo]; how people call it, and what to do about it, are [Words].
//  2. In: an image's name. [Launcher] resolves it to an [Image], pulled where it must
//     be, or says [ErrNoImage].
//  3. In: a [Spec], which package engine builds from an experiment and the harness
//     names for its run. [Launcher] starts a [Server] that takes requests.
//     [Ready] asks it once, with the redirects of [SameServer].
//  4. Out: a [Server] that ended says how, as an [*Exited]; one that never answered
//     is a [*NotReady]. It says which processes of the host are its own.
//  5. Out: what is left after a run. A [Reaper] finds containers whose run is gone;
//     [Volumes] keep what engines compiled.
//  6. Out: an error in the launcher's words that [errors.Is] finds to be of one of the
//     kinds below, which [Mark] gives it. No error is known by its text. A [Fault] is any
//     failure of a run, and says whose it is: the configuration's, the host's, the experiment's.
//
// The package imports study for the experiment's container keys and nothing else of
// llem, and starts nothing.
package launch
