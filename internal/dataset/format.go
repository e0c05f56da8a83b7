package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// format is one row of the table.
type format struct {
	Ext   string // of its files, with the dot
	Holds string // what a file holds, for docs/load.md
	read  source
}

// formats is the table, in the order of the docs.
var formats = []format{
	formatJSONL,
	formatJSON,
	formatCSV,
	formatParquet,
}

// source reads the rows of a file in order, and calls add with each and with where it
// is, in words that follow the file's name.
type source func(f *os.File, o Options, add func(place string, r *entry) error) error

// reader is that of a file's format.
func reader(o Options) (source, error) {
	i := slices.IndexFunc(formats, func(f format) bool { return f.Ext == filepath.Ext(o.Path) })
	if i < 0 {
		ext := Extensions()
		return nil, fmt.Errorf("%s is no file of prompts: it ends neither in %s nor in %s", o.Name, ext[0], either(ext[1:]))
	}
	return formats[i].read, nil
}

// Extensions lists those of files of prompts, with the dot.
func Extensions() []string {
	var out []string
	for _, f := range formats {
		out = append(out, f.Ext)
	}
	return out
}

// Either is the extensions in words.
func Either() string { return either(Extensions()) }

func either(ext []string) string {
	last := len(ext) - 1
	return strings.Join(ext[:last], ", ") + " or " + ext[last]
}

// Table is the rows of docs/load.md about files.
func Table() string {
	var b strings.Builder
	for _, f := range formats {
		fmt.Fprintf(&b, "| `FILE%s` | %s |\n", f.Ext, f.Holds)
	}
	return b.String()
}
