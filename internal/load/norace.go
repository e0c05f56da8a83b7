//go:build !race

package load

// raceDetector: the build has it.
const raceDetector = false
