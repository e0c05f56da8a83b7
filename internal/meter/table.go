package meter

import (
	"slices"

	"github.com/llenergymeasure/llem/internal/device"
)

// Row is a way to reach GPUs, which one file of this package has.
type Row struct {
	Name string
	// Open starts the session with the GPUs. A process has one session of each kind at a
	// time, and closes it at the end.
	Open func(Options) (device.Session, error)
}

// Options are what a session is opened with. Real GPUs need none.
type Options struct {
	Load  *Load       // of simulated GPUs; nil: they idle
	Cards []Simulated // empty: one
}

// rows are the meters, the one that llem uses first.
var rows = []Row{
	nvmlRow,
	simulatedRow,
}

// Rows lists the ways to reach GPUs. The first is the one that llem uses.
func Rows() []Row { return slices.Clone(rows) }
