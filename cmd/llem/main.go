// Command llem measures how much energy an LLM inference engine uses to do a
// known piece of work.
package main

import "os"

func main() { os.Exit(execute(os.Args[1:], os.Stdout, os.Stderr)) }
