package study

import (
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/pattern"
)

// Flags whose meaning depends on the load that the file describes. A [Set] with
// one of these as its Source is translated by meant; all others set one key.
const (
	FlagConcurrency = "--concurrency"
	FlagRequestRate = "--request-rate"
	FlagInputLen    = "--input-len"
	FlagOutputLen   = "--output-len"
	FlagDuration    = "--duration"
	FlagNumPrompts  = "--num-prompts"
	FlagRepeat      = "--repeat"
)

// meant is what a value from a flag or the environment sets, given what the file
// and the flags before it have set. ok is false where it was refused.
func (d *decoder) meant(s Set) (sets []Set, ok bool) {
	w := d.e.Workload
	d.layer = place{source: s.Source}
	to := func(path, value string) Set { return Set{Path: path, Value: value, Source: s.Source} }
	switch s.Source {
	case FlagConcurrency:
		if w.Load.Open() {
			return []Set{to(maxInFlight, s.Value)}, true
		}
	case FlagRequestRate:
		return d.rate(s, to)
	case FlagDuration:
		return d.duration(s, to)
	case FlagInputLen:
		return []Set{s}, d.lengthIsOurs(s, "workload.lengths.input", w.Lengths.Input, true)
	case FlagOutputLen:
		return []Set{s}, d.lengthIsOurs(s, "workload.lengths.output", w.Lengths.Output, false)
	}
	return []Set{s}, true
}

// rate makes a closed load one that comes at random, at that rate. inf is all at
// once, which --concurrency then bounds: a closed load.
func (d *decoder) rate(s Set, to func(path, value string) Set) ([]Set, bool) {
	l := d.e.Workload.Load
	switch infinite := IsInfinite(s.Value); {
	case infinite && l.Rated():
		for _, k := range loadKeys {
			d.forget(loadPath + "." + k.Name)
		}
		return []Set{to(patternPath, pattern.Default)}, true
	case infinite && !l.Open():
		return nil, true
	case infinite:
		d.bad(nil, s.Path, "inf sends requests as soon as it may, and the file's load sends them by its own schedule (%s): leave the flag out, or change workload.load.pattern", l.Pattern)
		return nil, false
	case l.Open():
		return []Set{to("workload.load.rate_per_second", s.Value)}, true
	}
	d.forget("workload.load.concurrency")
	return []Set{to(patternPath, pattern.AtRandom), to("workload.load.rate_per_second", s.Value)}, true
}

// IsInfinite says whether a rate is written as no limit.
func IsInfinite(rate string) bool {
	f, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(rate), "."), 64) // YAML's is .inf
	return err == nil && math.IsInf(f, 1)
}

// duration bounds the window. Requests start until then; with --num-prompts until
// as many have started, if that is sooner.
func (d *decoder) duration(s Set, to func(path, value string) Set) ([]Set, bool) {
	seconds, err := ReadSeconds(s.Value)
	if err != nil {
		d.bad(nil, s.Path, "%v", err)
		return nil, false
	}
	value := plain(seconds)
	if d.set["workload.prompts"].source == FlagNumPrompts {
		d.forget("workload.min_seconds")
		return []Set{to("workload.max_seconds", value)}, true
	}
	d.forget("workload.prompts")
	return []Set{to("workload.min_seconds", value), to("workload.max_seconds", value)}, true
}

// ReadSeconds reads 60, 60s, 5m or 1h30m.
func ReadSeconds(text string) (float64, error) {
	text = strings.TrimSpace(text)
	f, err := strconv.ParseFloat(text, 64)
	if err != nil {
		var t time.Duration
		if t, err = time.ParseDuration(text); err == nil {
			f = t.Seconds()
		}
	}
	if err != nil || !(f > 0 && f <= pattern.Week) {
		return 0, fmt.Errorf("want a time above 0 and up to 7 days, such as 60 (seconds), 90s, 5m or 1h, not %q", text)
	}
	return f, nil
}

// lengthIsOurs refuses a length where something else already says how long
// requests are.
func (d *decoder) lengthIsOurs(s Set, path, drawn string, input bool) bool {
	w := d.e.Workload
	switch {
	case w.Load.Recorded():
		d.bad(nil, s.Path, "the trace has a length for each request: leave the flag out")
	case w.Lengths.File != "":
		d.bad(nil, s.Path, "the lengths are read from workload.lengths.file: leave the flag out")
	case drawn != "":
		d.bad(nil, s.Path, "the lengths are drawn by %s: %s: leave the flag out, or change that key", path, drawn)
	case input && w.Source != "synthetic":
		d.bad(nil, s.Path, "the prompts of %s are sent whole, whatever their length: leave the flag out", w.Source)
	default:
		return true
	}
	return false
}

// forget makes a key as if no file and no variable had set it.
func (d *decoder) forget(path string) {
	k, _ := row(path)
	d.field(path).Set(reflect.ValueOf(d.blankField(k)))
	delete(d.set, path)
}

// repeated says whether --repeat is among the flags.
func repeated(flags []Set) bool {
	return slices.ContainsFunc(flags, func(s Set) bool { return s.Source == FlagRepeat })
}

// repeat makes the one experiment of a file a study of one point. The flag itself
// sets execution.cycles.
func (s *Study) repeat(parts map[string]pair) {
	d := s.shared
	for _, name := range []string{"sweep", "experiments"} {
		if p, ok := parts[name]; ok {
			d.bad(p.key, name, "makes the file a study, and --repeat is of one experiment: set execution.cycles here instead")
			return
		}
	}
	s.explicit = []option{{}}
	if x, ok := parts["execution"]; ok {
		d.execution(&s.Execution, x.value)
	}
}
