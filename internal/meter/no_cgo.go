//go:build !linux || !cgo

package meter

import "github.com/llenergymeasure/llem/internal/measure"

// openNVML fails with ErrUnavailable.
func openNVML() (measure.GPUs, error) { return nil, ErrUnavailable }
