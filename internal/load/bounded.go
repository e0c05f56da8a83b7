package load

import (
	"fmt"
	"io"
)

// maxRow bounds one row of a file of prompts, with all its columns: what reads it holds
// it in memory.
const maxRow = 32 << 20

// errRow is what a row over maxRow is.
var errRow = fmt.Errorf("it is over %d MiB, which is the limit of a row", maxRow>>20)

// bounded ends the reading of one row that is longer than most bytes. Whoever reads by it
// looks ahead by a buffer, which comes on top.
type bounded struct {
	r     io.Reader
	most  int64
	read  int64
	began int64 // where the row at hand begins
}

// begin says where the next row begins, in bytes that were read.
func (b *bounded) begin(at int64) { b.began = at }

func (b *bounded) Read(p []byte) (int, error) {
	if b.read-b.began > b.most {
		return 0, errRow
	}
	n, err := b.r.Read(p)
	b.read += int64(n)
	return n, err
}
