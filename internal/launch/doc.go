// Package launch says what a launcher of LLM servers is: it finds images, starts
// servers in containers, and removes what ended runs left. A launcher implements
// these interfaces; nothing else of llem knows which one it is.
//
//  1. In: an image's name. [Launcher] resolves it to an [Image], pulled where it must
//     be, or says [ErrNoImage].
//  2. In: a [Spec], which package engine builds from an experiment and the harness
//     names for its run. [Launcher] starts a [Server] that takes requests.
//  3. Out: a [Server] that ended says how, as an [*Exited]; one that never answered
//     is a [*NotReady]. [Ready] asks one question about readiness, with the
//     redirects of [SameServer].
//  4. Out: an error in the launcher's words that [errors.Is] finds to be of one of the
//     kinds below, which [Mark] gives it. No error is known by its text.
//
// The package imports study for the experiment's container keys and nothing else of
// llem, and starts nothing.
package launch
