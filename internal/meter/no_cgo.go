//go:build !linux || !cgo

package meter

import "github.com/llenergymeasure/llem/internal/device"

// openNVML fails with ErrUnavailable.
func openNVML() (device.Session, error) { return nil, ErrUnavailable }
