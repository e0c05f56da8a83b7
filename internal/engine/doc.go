// Package engine knows how to start, and how to talk to, each LLM server.
//
// An engine is one file with one row ([Engine]): a pure function from an
// experiment to a container ([launch.Spec]), the dialect of its API, and its flags. It
// makes no I/O but to talk to a running server, so that its spec is tested
// against a golden file. The table in table.go lists them; [Detect] tells one
// from an image. No other package names one.
package engine
