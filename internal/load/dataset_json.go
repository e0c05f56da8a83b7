package load

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// jsonLines reads objects, one a line. Blank lines are passed over.
func jsonLines(f *os.File, o PromptsOptions, add func(place string, r *entry) error) error {
	s := bufio.NewScanner(withoutBOM(f))
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

// jsonArray reads objects in an array, such as those of ShareGPT.
func jsonArray(f *os.File, o PromptsOptions, add func(place string, r *entry) error) error {
	limit := &bounded{r: withoutBOM(f), most: maxRow}
	dec := json.NewDecoder(limit)
	first, err := dec.Token()
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		return fmt.Errorf("%s: not JSON: %w", o.Name, err)
	case first != json.Delim('['):
		return fmt.Errorf("%s: want an array of objects; one object a line is a .jsonl file", o.Name)
	}
	for n := 1; dec.More(); n++ {
		var raw json.RawMessage
		place := fmt.Sprintf(", row %d", n)
		limit.begin(dec.InputOffset())
		if err := dec.Decode(&raw); errors.Is(err, errRow) {
			return fmt.Errorf("%s%s: %w", o.Name, place, err)
		} else if err != nil {
			return fmt.Errorf("%s%s: not JSON: %w", o.Name, place, err)
		}
		r, err := objectRow(raw)
		if err != nil {
			return fmt.Errorf("%s%s: %w", o.Name, place, err)
		}
		if err := add(place, r); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return fmt.Errorf("%s: the array does not end: %w", o.Name, err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: something stands behind the array's end", o.Name)
	}
	return nil
}
