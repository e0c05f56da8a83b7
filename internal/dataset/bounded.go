package dataset

import (
	"fmt"
	"io"
)

// maxRow bounds one row of a file of prompts, with all its columns: what reads it holds
// it in memory.
const maxRow = 32 << 20

// ErrRow is what a row over maxRow is.
var ErrRow = fmt.Errorf("it is over %d MiB, which is the limit of a row", maxRow>>20)

// Bounded ends the reading of one row that is longer than most bytes. Whoever reads by it
// looks ahead by a buffer, which comes on top.
type Bounded struct {
	R     io.Reader
	Most  int64
	read  int64
	began int64 // where the row at hand begins
}

// Begin says where the next row begins, in bytes that were read.
func (b *Bounded) Begin(at int64) { b.began = at }

func (b *Bounded) Read(p []byte) (int, error) {
	if b.read-b.began > b.Most {
		return 0, ErrRow
	}
	n, err := b.R.Read(p)
	b.read += int64(n)
	return n, err
}
