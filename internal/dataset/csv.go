package dataset

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

var formatCSV = format{Ext: ".csv", Holds: "a table with named columns", read: csvRows}

// csvRows reads a column of a CSV file with a header.
func csvRows(f *os.File, o Options, add func(place string, r *entry) error) error {
	limit := &Bounded{R: WithoutBOM(f), Most: maxRow}
	r := csv.NewReader(limit)
	r.ReuseRecord = true
	head, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.Name, err)
	}
	names := slices.Clone(head)
	if twice := duplicate(names); twice != "" {
		return fmt.Errorf("%s:1: there are two columns %q", o.Name, twice)
	}
	if _, err := o.shape.prompt(textRow(names, nil)); err != nil {
		return fmt.Errorf("%s:1: %w", o.Name, err)
	}
	for {
		limit.Begin(r.InputOffset())
		before, _ := r.FieldPos(0)
		row, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, ErrRow):
			return fmt.Errorf("%s: the row after line %d: %w", o.Name, before, err)
		case err != nil:
			return fmt.Errorf("%s: %w", o.Name, err)
		}
		line, _ := r.FieldPos(0)
		if err := add(fmt.Sprintf(":%d", line), textRow(names, row)); err != nil {
			return err
		}
	}
}

// duplicate is a name that is there twice; empty: all differ.
func duplicate(names []string) string {
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return name
		}
	}
	return ""
}

// textRow is a row of a table of texts; without cells they are all empty.
func textRow(names, cells []string) *entry {
	r := &entry{fields: make([]field, len(names))}
	for i, name := range names {
		r.fields[i].name = name
		if cells != nil && cells[i] != "" {
			r.fields[i].kind, r.fields[i].text = text, cells[i]
		}
	}
	return r
}
