package dataset

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
)

var formatJSONL = format{Ext: ".jsonl", Holds: "objects, one a line", read: jsonLines}

// jsonLines reads objects, one a line. Blank lines are passed over.
func jsonLines(f *os.File, o Options, add func(place string, r *entry) error) error {
	s := bufio.NewScanner(WithoutBOM(f))
	s.Buffer(make([]byte, 64<<10), maxRow)
	n := 0
	for s.Scan() {
		n++
		line := bytes.TrimSpace(s.Bytes())
		if len(line) == 0 {
			continue
		}
		place := fmt.Sprintf(":%d", n)
		r, err := objectRow(line)
		if err != nil {
			return fmt.Errorf("%s%s: %w", o.Name, place, err)
		}
		if err := add(place, r); err != nil {
			return err
		}
	}
	if err := s.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%s:%d: the line is over %d MiB, which is the limit", o.Name, n+1, maxRow>>20)
	} else if err != nil {
		return fmt.Errorf("read %s: %w", o.Name, err)
	}
	return nil
}
