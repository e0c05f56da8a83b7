// Package standin is a server whose truth is known, to hold the load's client
// to: it streams completions on a schedule, or as fast as it can, and stamps
// its own writes on the clock that all processes of a host share.
//
// It runs as a process of its own, so that its CPU time is told apart from the
// client's: [Start] starts a command that calls [Main], on one core if it is
// told one.
package standin
