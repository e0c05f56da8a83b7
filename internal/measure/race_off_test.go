//go:build !race

package measure

// raced says that the race detector slows the test down.
const raced = false
