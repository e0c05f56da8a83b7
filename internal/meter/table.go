package meter

import (
	"cmp"
	"errors"

	"github.com/llenergymeasure/llem/internal/device"
)

// Row is a way to reach GPUs, which one file of this package has.
type Row struct {
	Name string // in records, too
	// Invents says that its GPUs are not the host's: a measurement never takes them unasked.
	Invents bool
	// Open starts the session with the GPUs. A process has one session of each kind at a
	// time, and closes it at the end.
	Open func(Options) (device.Session, error)
}

// Options are what a session is opened with. Real GPUs need none.
type Options struct {
	Load  *Load       // of simulated GPUs; nil: they idle
	Cards []Simulated // empty: one
}

// rows are the meters, in the order in which llem looks for GPUs.
var rows = []Row{
	nvmlRow,
	simulatedRow,
}

// Open starts the session with the GPUs of this host: that of the first row whose driver
// is there, even if it refuses. Where none is, the error is that of the first row.
func Open() (device.Session, error) {
	var none error
	for _, r := range rows {
		if r.Invents {
			continue
		}
		s, err := r.Open(Options{})
		if !errors.Is(err, ErrNoLibrary) && !errors.Is(err, ErrUnavailable) {
			return s, err
		}
		none = cmp.Or(none, err)
	}
	return nil, none
}
