package meter

import "errors"

// Why there is no NVML. Each comes wrapped in what was tried.
var (
	// ErrUnavailable: this binary was built without NVML.
	ErrUnavailable = errors.New("built without NVML (it needs linux and cgo)")
	// ErrNoLibrary: the host has no NVIDIA driver.
	ErrNoLibrary = errors.New("no NVIDIA driver: libnvidia-ml.so.1 cannot be loaded")
	// ErrInit: the library is there and refuses.
	ErrInit = errors.New("NVML does not start")
)

// Backend is a way to find the energy of a window.
type Backend struct {
	Name  string
	Built bool   // this version has it
	Note  string // what it is, or why it is not there
}

// Backends are all that are named in the protocol, in the order in which auto
// tries them.
func Backends() []Backend {
	return []Backend{
		{"zeus", false, "not in this version"},
		{"nvml", true, "the driver's energy counter, else its power readings"},
		{"codecarbon", false, "not in this version"},
		{"none", true, "no energy figure"},
	}
}
