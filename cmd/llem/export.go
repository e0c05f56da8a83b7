package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/llenergymeasure/llem/internal/result"
)

type exportCmd struct {
	CSV     *string  `name:"csv" xor:"format" required:"" predictor:"file" placeholder:"FILE" help:"Write comma-separated values; - is standard output."`
	Parquet *string  `xor:"format" required:"" predictor:"file" placeholder:"FILE" help:"Write Parquet."`
	JSONL   *string  `name:"jsonl" xor:"format" required:"" predictor:"file" placeholder:"FILE" help:"Write one JSON object a line."`
	Results []string `arg:"" name:"result" predictor:"result" help:"Directories of runs, their result.json, or folders that hold runs."`
}

func (c *exportCmd) Run(a *app) error {
	file := c.file()
	if err := exportable(file); err != nil {
		return usageError{err}
	}
	list, code, err := a.entries(c.Results)
	if err != nil {
		return err
	}
	if len(list) > 0 {
		records, dirs := make([]*result.Record, len(list)), make([]string, len(list))
		for i, e := range list {
			records[i], dirs[i] = e.Record, e.Dir
		}
		if err := c.write(a, file, result.NewTable(records, dirs)); err != nil {
			return err
		}
	}
	return ended(nil, code)
}

// file is that of the one format that was asked for.
func (c *exportCmd) file() string {
	for _, f := range []*string{c.CSV, c.Parquet, c.JSONL} {
		if f != nil {
			return *f
		}
	}
	return ""
}

// exportable refuses to write over a result: the flag's file comes first, and
// `llem export --csv results/*` forgets it.
func exportable(file string) error {
	if file == "" {
		return errors.New("export: blank file: name the file to write, or - for standard output")
	}
	if st, err := os.Stat(file); err == nil && (st.IsDir() || st.Name() == result.RecordFile) {
		return fmt.Errorf("export: %s is for reading: name the file to write first, then the results", file)
	}
	if dir := filepath.Dir(file); file != "-" {
		if st, err := os.Stat(dir); err != nil || !st.IsDir() {
			return fmt.Errorf("export: there is no folder %s: make it with mkdir -p %s", dir, shellWord(dir))
		}
	}
	return nil
}

func (c *exportCmd) write(a *app, file string, t *result.Table) error {
	write := t.CSV
	switch {
	case c.Parquet != nil:
		write = t.Parquet
	case c.JSONL != nil:
		write = t.JSONL
	}
	switch {
	case file == "-" && c.Parquet == nil && isScreen(a.out.stdout):
		return write(a.stdout) // a terminal obeys nothing of it
	case file == "-":
		return write(a.out.stdout) // the same bytes as in a file
	}
	return result.WriteTo(file, write)
}
