package study

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Trace is a load that was recorded elsewhere: when its requests came, and how long
// they were.
type Trace struct {
	Path     string
	Digest   string // SHA-256 of the file, hexadecimal
	Arrivals []Arrival
}

// Arrival is one request of a trace.
type Arrival struct {
	Due           time.Duration // since the first
	Input, Output int           // tokens, at least 1 of each
	Line          int           // of the file, from 1
}

// maxRequests bounds what an experiment sends, and maxTraceLine one line of a trace.
const (
	maxRequests  = 1e7
	maxTraceLine = 1 << 20
)

// traceFormats read one line, by the file's extension. The first line of a format
// with a header is the header.
var traceFormats = map[string]func() traceFormat{
	".jsonl": func() traceFormat { return mooncake{} },
	".csv":   func() traceFormat { return &azure{} },
}

// traceFormat takes the lines of a trace in turn. ok is false where one holds no
// request. at is in nanoseconds since whatever the format counts from.
type traceFormat interface {
	read(line []byte) (at int64, input, output int, ok bool, err error)
}

// ReadTrace reads a trace whole: Mooncake's, one JSON object a line, from a .jsonl
// file, or Azure's from a .csv file. Blank lines are passed over; the first bad line
// is an error that names it.
func ReadTrace(path string) (Trace, error) {
	t := Trace{Path: path}
	of, ok := traceFormats[filepath.Ext(path)]
	if !ok {
		return t, fmt.Errorf("workload.load.file: %s is neither a .jsonl nor a .csv file", path)
	}
	st, err := os.Stat(path) // before it is opened, which waits for a pipe's writer
	switch {
	case err != nil:
		return t, fmt.Errorf("workload.load.file: %w", err)
	case !st.Mode().IsRegular():
		return t, fmt.Errorf("workload.load.file: %s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return t, fmt.Errorf("workload.load.file: %w", err)
	}
	defer f.Close()
	sum := sha256.New()
	if err := t.lines(io.TeeReader(f, sum), of()); err != nil {
		return t, fmt.Errorf("workload.load.file: %w", err)
	}
	if len(t.Arrivals) == 0 {
		return t, fmt.Errorf("workload.load.file: %s holds no request", path)
	}
	t.Digest = hex.EncodeToString(sum.Sum(nil))
	return t, nil
}

func (t *Trace) lines(r io.Reader, format traceFormat) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxTraceLine)
	n, first := 0, int64(0)
	for s.Scan() {
		n++
		line := bytes.TrimSpace(bytes.TrimPrefix(s.Bytes(), []byte("\uFEFF")))
		if len(line) == 0 {
			continue
		}
		at, in, out, ok, err := format.read(line)
		switch {
		case !utf8.Valid(line):
			err = errors.New("the line is not UTF-8")
		case err == nil && ok && len(t.Arrivals) == 0:
			first = at
		}
		if err == nil && ok {
			err = t.add(Arrival{time.Duration(at - first), in, out, n})
		}
		if err != nil {
			return fmt.Errorf("%s:%d: %w", t.Path, n, err)
		}
	}
	if err := s.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("%s:%d: the line is over %d MiB", t.Path, n+1, maxTraceLine>>20)
	} else if err != nil {
		return fmt.Errorf("read %s: %w", t.Path, err)
	}
	return nil
}

// add holds a request against the one before it.
func (t *Trace) add(a Arrival) error {
	for _, length := range []struct {
		what string
		n    int
	}{{"a prompt", a.Input}, {"an answer", a.Output}} {
		if length.n < 1 || length.n > maxRequests {
			return fmt.Errorf("%s of %d tokens: it has 1 to %.0f", length.what, length.n, float64(maxRequests))
		}
	}
	if n := len(t.Arrivals); n > 0 && a.Due < t.Arrivals[n-1].Due {
		last := t.Arrivals[n-1]
		return fmt.Errorf("it comes %v before the request of line %d: sort the file by time", last.Due-a.Due, last.Line)
	}
	if len(t.Arrivals) == maxRequests {
		return fmt.Errorf("the trace has over %.0f requests: cut it", float64(maxRequests))
	}
	t.Arrivals = append(t.Arrivals, a)
	return nil
}

// mooncake is the format of Mooncake's traces (kvcache-ai/Mooncake, FAST25-release):
// milliseconds, lengths in tokens, and hash_ids, which tell shared prefixes and are
// not read.
type mooncake struct{}

func (mooncake) read(line []byte) (at int64, input, output int, ok bool, err error) {
	var row struct {
		Timestamp *float64 `json:"timestamp"`
		Input     *int     `json:"input_length"`
		Output    *int     `json:"output_length"`
	}
	if err := json.Unmarshal(line, &row); err != nil {
		return 0, 0, 0, false, fmt.Errorf("not an object of a trace: %v", err)
	}
	if row.Timestamp == nil || row.Input == nil || row.Output == nil {
		return 0, 0, 0, false, errors.New("a line of a trace has timestamp (milliseconds), input_length and output_length (tokens)")
	}
	if ns := *row.Timestamp * 1e6; math.Abs(ns) < 1<<62 {
		return int64(math.Round(ns)), *row.Input, *row.Output, true, nil
	}
	return 0, 0, 0, false, fmt.Errorf("timestamp %g is no number of milliseconds", *row.Timestamp)
}

// azureColumns are those of Azure's traces of LLM inference of 2023 and 2024
// (Azure/AzurePublicDataset).
var azureColumns = []string{"TIMESTAMP", "ContextTokens", "GeneratedTokens"}

// azure is their format. No field of it is ever quoted.
type azure struct{ header bool }

func (a *azure) read(line []byte) (at int64, input, output int, ok bool, err error) {
	fields := strings.Split(string(line), ",")
	if !a.header {
		a.header = true
		if got := strings.Join(fields, ","); got != strings.Join(azureColumns, ",") {
			return 0, 0, 0, false, fmt.Errorf("the columns are %.100q, and a trace's are %s", got, strings.Join(azureColumns, ","))
		}
		return 0, 0, 0, false, nil
	}
	if len(fields) != len(azureColumns) {
		return 0, 0, 0, false, fmt.Errorf("%d columns, and a trace has %d: %s", len(fields), len(azureColumns), strings.Join(azureColumns, ","))
	}
	// Fractions of a second are read whether a layout has them or not.
	when, err := time.Parse("2006-01-02 15:04:05", fields[0])
	if err != nil {
		when, err = time.Parse("2006-01-02 15:04:05Z07:00", fields[0])
	}
	if err != nil || when.Year() < 1970 || when.Year() > 2200 {
		return 0, 0, 0, false, fmt.Errorf("TIMESTAMP %.40q is no time such as 2023-11-16 18:17:03.9799600", fields[0])
	}
	var lengths [2]int
	for i, f := range fields[1:] {
		if lengths[i], err = strconv.Atoi(f); err != nil {
			return 0, 0, 0, false, fmt.Errorf("%s %.40q is no number of tokens", azureColumns[i+1], f)
		}
	}
	return when.UnixNano(), lengths[0], lengths[1], true, nil
}
