package main

import (
	"errors"
	"fmt"

	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// each reads the results at paths and says, in a line for each, which cannot be read
// and which are not as they were written; code is then not 0. One bad folder among
// many, such as that of a killed run, hides no other. It ends at the first error of do.
func (a *app) each(paths []string, do func(r *result.Record, dir string) error) (code int, err error) {
	return a.read(paths, func(r *result.Record, dir string) (int, error) {
		code := a.vouch(r, dir)
		return code, do(r, dir)
	})
}

// read is each without a word about records that are not as they were written.
func (a *app) read(paths []string, do func(r *result.Record, dir string) (int, error)) (code int, err error) {
	for _, path := range paths {
		r, dir, err := result.Read(path)
		if err != nil {
			fmt.Fprintln(a.stderr, "llem:", err)
			code = exitUsage
			continue
		}
		one, err := spared(r, dir, do)
		if errors.Is(err, errNonsense) {
			fmt.Fprintln(a.stderr, "llem:", err)
			one, err = exitUsage, nil
		}
		if code = max(code, one); err != nil {
			return code, err
		}
	}
	return code, nil
}

// errNonsense is a record whose figures nothing can be done with.
var errNonsense = errors.New("the result holds what no run leaves, and cannot be read further")

// spared is do of a result that may hold anything: what do panics of is an error of
// this one result, and hides no other.
func spared(r *result.Record, dir string, do func(r *result.Record, dir string) (int, error)) (code int, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: %w (%v)", dir, errNonsense, p)
		}
	}()
	return do(r, dir)
}

// vouch says of a record in dir that is not as it was written. One that was altered
// has no figure that may be ranked, and its exit code is 1; one that is unfinished was
// measured whole.
func (a *app) vouch(r *result.Record, dir string) (code int) {
	switch r.State {
	case result.Altered:
		fmt.Fprintf(a.stderr, "llem: %s was altered after it was written: llem verify %s says where; restore it from a copy\n", dir, dir)
		mark(r, measure.Warn("record_altered", "the record has another checksum than it was written with or none, a key twice, or keys that no llem writes"))
		return exitFailed
	case result.Unfinished:
		fmt.Fprintf(a.stderr, "llem: %s is unfinished: its run has not ended yet, or llem was killed after the window; llem clean finishes it, and so does llem run --resume of its study\n", dir)
	}
	return exitDone
}

// mark adds a warning that makes a record's energy invalid.
func mark(r *result.Record, w measure.Warning) {
	r.MeasurementWarnings = append(r.MeasurementWarnings, w.String())
	if r.WarningSeverities == nil {
		r.WarningSeverities = map[string]string{}
	}
	r.WarningSeverities[w.Code] = string(w.Severity)
	r.Energy.Valid = false
	r.Energy.Reasons = append(r.Energy.Reasons, w.Code)
}

// ended is the error of a command that looked at results, each of which is said.
func ended(err error, code int) error {
	if err == nil && code != exitDone {
		return silent(code)
	}
	return err
}
