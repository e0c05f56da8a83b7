package load

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/llenergymeasure/llem/internal/table"
)

// csvRows reads a column of a CSV file with a header.
func csvRows(f *os.File, o PromptsOptions, add func(place, text string) error) error {
	limit := &bounded{r: withoutBOM(f), most: maxRow}
	r := csv.NewReader(limit)
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
		limit.begin(r.InputOffset())
		before, _ := r.FieldPos(0)
		row, err := r.Read()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errRow):
			return fmt.Errorf("%s: the row after line %d: %w", o.Name, before, err)
		case err != nil:
			return fmt.Errorf("%s: %w", o.Name, err)
		}
		line, _ := r.FieldPos(at)
		if err := add(fmt.Sprintf(":%d", line), row[at]); err != nil {
			return err
		}
	}
}

// parquetRows reads a column of strings at the top of a Parquet file.
func parquetRows(f *os.File, o PromptsOptions, add func(place, text string) error) error {
	st, err := f.Stat()
	if err != nil {
		return err
	}
	file, err := table.Open(f, st.Size())
	if err != nil {
		return fmt.Errorf("%s is no Parquet file that can be read: %w", o.Name, err)
	}
	var names []string
	columns := map[string]table.Column{}
	for _, c := range file.Columns() {
		if c.Type == table.Text && len(c.Path) == 1 && !c.List {
			names = append(names, c.Path[0])
			columns[c.Path[0]] = c
		}
	}
	name, err := pickColumn(names, o.Column)
	if err != nil {
		return fmt.Errorf("%s: of its columns of strings: %w", o.Name, err)
	}
	var mine error
	err = file.Read([]table.Column{columns[name]}, maxRow, func(row int64, cells []table.Cell) error {
		mine = add(fmt.Sprintf(", row %d", row), cells[0].Text())
		return mine
	})
	if err != nil && mine == nil {
		return fmt.Errorf("%s is damaged: %w", o.Name, err)
	}
	return err
}
