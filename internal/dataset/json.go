package dataset

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

var formatJSON = format{Ext: ".json", Holds: "objects in an array", read: jsonArray}

// jsonArray reads objects in an array, such as those of ShareGPT.
func jsonArray(f *os.File, o Options, add func(place string, r *entry) error) error {
	limit := &Bounded{R: WithoutBOM(f), Most: maxRow}
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
		limit.Begin(dec.InputOffset())
		if err := dec.Decode(&raw); errors.Is(err, ErrRow) {
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
