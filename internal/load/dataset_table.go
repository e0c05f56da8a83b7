package load

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/parquet-go/parquet-go"
)

// csvRows reads a column of a CSV file with a header.
func csvRows(f *os.File, o PromptsOptions, add func(place, text string) error) error {
	in := withoutBOM(f)
	r := csv.NewReader(in)
	r.ReuseRecord = true
	head, err := r.Read()
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s: %w", o.Name, err)
	}
	name, err := pickColumn(head, o.Column)
	if err != nil {
		return fmt.Errorf("%s:1: %w", o.Name, err)
	}
	at := 0
	for head[at] != name {
		at++
	}
	for {
		row, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("%s: %w", o.Name, err)
		}
		line, _ := r.FieldPos(at)
		if err := add(fmt.Sprintf(":%d", line), row[at]); err != nil {
			return err
		}
	}
}

// parquetBatch is how many values are read at once.
const parquetBatch = 1024

// parquetRows reads a column of strings at the top of a Parquet file.
func parquetRows(f *os.File, o PromptsOptions, add func(place, text string) error) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	table, err := openParquet(f, st.Size())
	if err != nil {
		return fmt.Errorf("%s is no Parquet file: %w", o.Name, err)
	}
	var names []string
	for _, field := range table.Schema().Fields() {
		if field.Leaf() && field.Type().Kind() == parquet.ByteArray && !field.Repeated() {
			names = append(names, field.Name())
		}
	}
	name, err := pickColumn(names, o.Column)
	if err != nil {
		return fmt.Errorf("%s: of its columns of strings: %w", o.Name, err)
	}
	leaf, _ := table.Schema().Lookup(name)
	row := 0
	for _, group := range table.RowGroups() {
		err := eachValue(group.ColumnChunks()[leaf.ColumnIndex], func(v parquet.Value) error {
			row++
			text := ""
			if !v.IsNull() {
				text = string(v.ByteArray())
			}
			return add(fmt.Sprintf(", row %d", row), text)
		})
		var d damage
		if errors.As(err, &d) {
			return fmt.Errorf("%s: after row %d %w", o.Name, row, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// openParquet opens a file, which the library may panic on where it is damaged.
func openParquet(f io.ReaderAt, size int64) (table *parquet.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%v", r)
		}
	}()
	return parquet.OpenFile(f, size)
}

// damage is what the library says of a file that it cannot read on in.
type damage struct{ error }

func (d damage) Error() string { return "the file is damaged: " + d.error.Error() }

func eachValue(c parquet.ColumnChunk, do func(parquet.Value) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = damage{fmt.Errorf("%v", r)}
		}
	}()
	pages := c.Pages()
	defer pages.Close()
	values := make([]parquet.Value, parquetBatch)
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return damage{err}
		}
		r := page.Values()
		for {
			n, err := r.ReadValues(values)
			for _, v := range values[:n] {
				if err := do(v); err != nil {
					return err
				}
			}
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return damage{err}
			}
		}
		parquet.Release(page)
	}
}
