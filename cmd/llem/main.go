// Command llem measures how much energy an LLM inference engine uses to do a
// known piece of work.
package main

import (
	"os"
	"runtime/debug"
)

// gcPercent is how much garbage may come to what a load of many requests holds, which is
// without pointers and costs a collection nothing.
const gcPercent = 50

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr))
}
