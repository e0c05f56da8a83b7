package result

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/parquet-go/parquet-go"
)

// Table is results as rows of flat columns: those of [ExportRow], then those of
// the configuration in which they differ.
type Table struct {
	columns []string
	rows    []reflect.Value // of one struct with a field for each column
	kind    reflect.Type
}

// NewTable makes a row of each record; dirs says where each lies. Keys of the
// configuration that are named have a column whether or not the records differ in
// them.
func NewTable(records []*Record, dirs []string, named ...string) *Table {
	fields := reflect.VisibleFields(reflect.TypeFor[ExportRow]())
	fixed := len(fields)
	configs := make([]map[string]any, len(records))
	for i, r := range records {
		configs[i] = r.ConfigValues()
	}
	keys := slices.Compact(slices.Sorted(slices.Values(append(Differing(configs), named...))))
	for i, key := range keys {
		tag := strconv.Quote("config." + strings.ReplaceAll(key, ",", "%2C") + ",optional") // a comma ends a name
		fields = append(fields, reflect.StructField{Name: fmt.Sprint("Config", i), Type: reflect.PointerTo(columnType(configs, key)), Tag: reflect.StructTag("parquet:" + tag)})
	}
	for i := range fields {
		fields[i].Index, fields[i].Offset = nil, 0
	}
	t := &Table{kind: reflect.StructOf(fields)}
	for _, f := range fields {
		name, _, _ := strings.Cut(f.Tag.Get("parquet"), ",")
		t.columns = append(t.columns, name)
	}
	for i, r := range records {
		row, from := reflect.New(t.kind).Elem(), reflect.ValueOf(exportRow(r, dirs[i]))
		for j := range fixed {
			row.Field(j).Set(from.Field(j))
		}
		for j, key := range keys {
			if v, there := configs[i][key]; there {
				f := row.Field(fixed + j)
				f.Set(reflect.New(f.Type().Elem()))
				f.Elem().Set(columnValue(v, f.Type().Elem()))
			}
		}
		t.rows = append(t.rows, row)
	}
	return t
}

// columnType is that of all values at key where they share one, else text.
func columnType(configs []map[string]any, key string) reflect.Type {
	var kind reflect.Type
	for _, c := range configs {
		switch v := c[key]; {
		case v == nil:
		case kind == nil:
			kind = reflect.TypeOf(v)
		case kind != reflect.TypeOf(v):
			return reflect.TypeFor[string]()
		}
	}
	if kind == nil { // no record has it
		return reflect.TypeFor[string]()
	}
	return kind
}

func columnValue(v any, kind reflect.Type) reflect.Value {
	if reflect.TypeOf(v) != kind {
		v = fmt.Sprint(v)
	}
	return reflect.ValueOf(v)
}

// CSV writes the table with a line of names; unknown is empty.
func (t *Table) CSV(w io.Writer) error {
	c := csv.NewWriter(w)
	names := make([]string, len(t.columns))
	for i, name := range t.columns {
		names[i] = inert(name)
	}
	if err := c.Write(names); err != nil {
		return err
	}
	for _, row := range t.rows {
		line := make([]string, len(t.columns))
		for i := range line {
			line[i] = cell(row.Field(i))
		}
		if err := c.Write(line); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

func cell(v reflect.Value) string {
	if v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return ""
		}
		v = v.Elem()
	}
	switch v := v.Interface().(type) {
	case float64:
		return strconv.FormatFloat(v, 'g', -1, 64)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case string:
		return inert(v)
	default:
		return fmt.Sprint(v)
	}
}

// inert is text that a spreadsheet does not run: one that begins as a formula gets an
// apostrophe before it. Numbers stay as they are.
func inert(text string) string {
	if text == "" || !strings.ContainsRune("=+-@\t\r\n|%", rune(text[0])) {
		return text
	}
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return text
	}
	return "'" + text
}

// JSONL writes one JSON object a line, with the columns in order; unknown is null.
func (t *Table) JSONL(w io.Writer) error {
	for _, row := range t.rows {
		line := bytes.NewBufferString("{")
		for i, name := range t.columns {
			key, err := json.Marshal(name)
			if err != nil {
				return err
			}
			value, err := json.Marshal(row.Field(i).Interface())
			if err != nil {
				return fmt.Errorf("column %s: %w", name, err)
			}
			if i > 0 {
				line.WriteByte(',')
			}
			line.Write(key)
			line.WriteByte(':')
			line.Write(value)
		}
		line.WriteString("}\n")
		if _, err := w.Write(line.Bytes()); err != nil {
			return err
		}
	}
	return nil
}

// Parquet writes the table as one Parquet file.
func (t *Table) Parquet(w io.Writer) error {
	p := parquet.NewWriter(w, parquet.SchemaOf(reflect.New(t.kind).Interface()), parquet.Compression(&parquet.Zstd),
		parquet.KeyValueMetadata("llem.schema_version", SchemaVersion))
	for _, row := range t.rows {
		if err := p.Write(row.Addr().Interface()); err != nil {
			return err
		}
	}
	return p.Close()
}
