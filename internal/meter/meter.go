package meter

import (
	"errors"

	"github.com/llenergymeasure/llem/internal/device"
)

// Why there is no NVML. Each comes wrapped in what was tried.
var (
	// ErrUnavailable: this binary was built without NVML.
	ErrUnavailable = errors.New("built without NVML (it needs linux and cgo)")
	// ErrNoLibrary: the host has no NVIDIA driver.
	ErrNoLibrary = errors.New("no NVIDIA driver: libnvidia-ml.so.1 cannot be loaded")
	// ErrInit: the library is there and refuses.
	ErrInit = errors.New("NVML does not start")
)

var nvmlRow = Row{Name: "nvml", Open: func(Options) (device.Session, error) { return openNVML() }}
