package pattern

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
	"unicode/utf8"
)

// Trace is a load that was recorded elsewhere: when its requests came, and how long
// they were.
type Trace struct {
	Path     string
	Digest   string // SHA-256 of the file, hexadecimal
	Unit     string // of the file's times: ms, s or dates; empty: all are the same
	Arrivals []Arrival
}

// Units of a trace's times.
const (
	milliseconds = "ms"
	inSeconds    = "s"
	dates        = "dates"
)

// Arrival is one request of a trace.
type Arrival struct {
	Due           time.Duration // since the first
	Input, Output int           // tokens, at least 1 of each
	Line          int           // of the file, from 1
}

// MaxRequests bounds what an experiment sends, and maxTraceLine one line of a trace.
const (
	MaxRequests  = 1e7
	maxTraceLine = 1 << 20
)

// traceFormats read one line, by the file's extension. unit is what the user says
// that times are in; empty: nothing.
var traceFormats = map[string]func(unit string) traceFormat{
	".jsonl": func(unit string) traceFormat { return &objects{unit: unit} },
	".csv":   func(unit string) traceFormat { return &columns{unit: unit} },
}

// traceFormat takes the lines of a trace in turn. ok is false where one holds no
// request. at is in nanoseconds since whatever the format counts from.
type traceFormat interface {
	read(line []byte) (at int64, input, output int, ok bool, err error)
	// timeUnit is what the times so far are in; empty: it is not known, and they were read
	// as milliseconds.
	timeUnit() string
}

// ReadTrace reads the trace of a load whole: objects with Mooncake's keys, one a line, from
// a .jsonl file, or a .csv file with the columns of Azure's, BurstGPT's or those keys. Blank
// lines are passed over; the first bad line is an error that names it, and so is
// a file whose times are in an unknown unit.
func ReadTrace(l Load) (Trace, error) {
	t := Trace{Path: l.File}
	if err := t.read(l.TimeUnit); err != nil {
		return t, fmt.Errorf("workload.load.file: %w", err)
	}
	return t, nil
}

func (t *Trace) read(unit string) error {
	of, ok := traceFormats[filepath.Ext(t.Path)]
	if !ok {
		return fmt.Errorf("%s is neither a .jsonl nor a .csv file", t.Path)
	}
	st, err := os.Stat(t.Path) // before it is opened, which waits for a pipe's writer
	switch {
	case err != nil:
		return err
	case !st.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", t.Path)
	}
	f, err := os.Open(t.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	format := of(unit)
	if err := t.lines(io.TeeReader(f, sum), format); err != nil {
		return err
	}
	if len(t.Arrivals) == 0 {
		return fmt.Errorf("%s holds no request", t.Path)
	}
	t.Digest = hex.EncodeToString(sum.Sum(nil))
	t.Unit = format.timeUnit()
	return t.unitKnown()
}

// unitKnown refuses times of an unknown unit, unless all are the same.
func (t *Trace) unitKnown() error {
	n := len(t.Arrivals)
	span := t.Arrivals[n-1].Due
	if t.Unit != "" || span == 0 {
		return nil
	}
	return fmt.Errorf("%s does not say in which unit its timestamps are: do %d requests come within %s (milliseconds, as in Mooncake's traces) or within %s (seconds, as vLLM and GuideLLM read them)? Set workload.load.time_unit: ms, or s",
		t.Path, n, roughly(span.Seconds()), roughly(1000*span.Seconds()))
}

// roughly is a time as people say it.
func roughly(seconds float64) string {
	for _, u := range []struct {
		seconds float64
		name    string
	}{{48 * 3600, "days"}, {2 * 3600, "h"}, {120, "min"}} {
		if seconds >= u.seconds {
			return fmt.Sprintf("%.3g %s", seconds/map[string]float64{"days": 24 * 3600, "h": 3600, "min": 60}[u.name], u.name)
		}
	}
	return fmt.Sprintf("%.3g s", seconds)
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
			err = t.add(Arrival{time.Duration(at - first), in, out, n}, format.timeUnit() != "")
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
func (t *Trace) add(a Arrival, unitKnown bool) error {
	for _, length := range []struct {
		what string
		n    int
	}{{"a prompt", a.Input}, {"an answer", a.Output}} {
		if length.n < 1 || length.n > MaxRequests {
			return fmt.Errorf("%s of %d tokens: it has 1 to %.0f", length.what, length.n, float64(MaxRequests))
		}
	}
	if n := len(t.Arrivals); n > 0 && a.Due < t.Arrivals[n-1].Due {
		last := t.Arrivals[n-1]
		if !unitKnown {
			return fmt.Errorf("its time is before that of line %d: sort the file by time", last.Line)
		}
		return fmt.Errorf("it comes %v before the request of line %d: sort the file by time", last.Due-a.Due, last.Line)
	}
	if len(t.Arrivals) == MaxRequests {
		return fmt.Errorf("the trace has over %.0f requests: cut it", float64(MaxRequests))
	}
	t.Arrivals = append(t.Arrivals, a)
	return nil
}
