package study

import (
	"fmt"
	"math"
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

// meaning is what a value from a flag sets, and which keys it makes as if nothing had set
// them before; or why it is refused.
type meaning struct {
	sets   []Set
	forget []string
	wrong  string
}

// meant is what a value from a flag or the environment sets, given what the file
// and the flags before it have set. ok is false where it was refused.
func (d *decoder) meant(s Set) (sets []Set, ok bool) {
	d.in.layer = place{source: s.Source}
	m := meant(s, d.e.Workload, d.set["workload.prompts"].source == FlagNumPrompts)
	if m.wrong != "" {
		d.in.bad(nil, s.Path, "%s", m.wrong)
	}
	for _, path := range m.forget {
		d.field(path).Set(newDecoder(d.quick).field(path))
		delete(d.set, path)
	}
	return m.sets, m.wrong == ""
}

// meant is what s means for the workload w, whose number of prompts a flag has set or not.
func meant(s Set, w Workload, counted bool) meaning {
	m := meaning{sets: []Set{s}}
	switch s.Source {
	case FlagConcurrency:
		if w.Load.Open() {
			m.sets = []Set{s.as(maxInFlight, s.Value)}
		}
	case FlagRequestRate:
		return rate(s, w.Load)
	case FlagDuration:
		return duration(s, counted)
	case FlagInputLen:
		m.wrong = lengthIsNotOurs(w, "workload.lengths.input", w.Lengths.Input, true)
	case FlagOutputLen:
		m.wrong = lengthIsNotOurs(w, "workload.lengths.output", w.Lengths.Output, false)
	}
	return m
}

// as is the same flag, as a value of another key.
func (s Set) as(path, value string) Set { return Set{Path: path, Value: value, Source: s.Source} }

// rate makes a closed load one that comes at random, at that rate. inf is all at
// once, which --concurrency then bounds: a closed load.
func rate(s Set, l pattern.Load) meaning {
	const key = "workload.load.rate_per_second"
	switch infinite := IsInfinite(s.Value); {
	case infinite && l.Rated():
		m := meaning{sets: []Set{s.as(patternPath, pattern.Default)}}
		for _, k := range loadKeys {
			m.forget = append(m.forget, loadPath+"."+k.Name)
		}
		return m
	case infinite && !l.Open():
		return meaning{}
	case infinite:
		return meaning{wrong: fmt.Sprintf("inf sends requests as soon as it may, and the file's load sends them by its own schedule (%s): leave the flag out, or change workload.load.pattern", l.Pattern)}
	case l.Open():
		return meaning{sets: []Set{s.as(key, s.Value)}}
	}
	return meaning{sets: []Set{s.as(patternPath, pattern.AtRandom), s.as(key, s.Value)}, forget: []string{"workload.load.concurrency"}}
}

// IsInfinite says whether a rate is written as no limit.
func IsInfinite(rate string) bool {
	f, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(rate), "."), 64) // YAML's is .inf
	return err == nil && math.IsInf(f, 1)
}

// duration bounds the window. Requests start until then; with --num-prompts, where
// counted, until as many have started, if that is sooner.
func duration(s Set, counted bool) meaning {
	seconds, err := ReadSeconds(s.Value)
	if err != nil {
		return meaning{wrong: err.Error()}
	}
	most := s.as("workload.max_seconds", plain(seconds))
	if counted {
		return meaning{sets: []Set{most}, forget: []string{"workload.min_seconds"}}
	}
	return meaning{sets: []Set{s.as("workload.min_seconds", plain(seconds)), most}, forget: []string{"workload.prompts"}}
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

// lengthIsNotOurs says what else says how long requests are; empty: nothing does.
func lengthIsNotOurs(w Workload, path, drawn string, input bool) string {
	switch {
	case w.Load.Recorded():
		return "the trace has a length for each request: leave the flag out"
	case w.Lengths.File != "":
		return "the lengths are read from workload.lengths.file: leave the flag out"
	case drawn != "":
		return fmt.Sprintf("the lengths are drawn by %s: %s: leave the flag out, or change that key", path, drawn)
	case input && w.Source != "synthetic":
		return fmt.Sprintf("the prompts of %s are sent whole, at any length: leave the flag out", w.Source)
	}
	return ""
}

// repeated says whether --repeat is among the flags.
func repeated(flags []Set) bool {
	return slices.ContainsFunc(flags, func(s Set) bool { return s.Source == FlagRepeat })
}

// repeat makes the one experiment of a file a study of one point. The flag itself
// sets execution.cycles.
func (s *Study) repeat(parts map[string]pair) {
	in := &s.shared.in
	for _, name := range []string{"sweep", "experiments"} {
		if p, ok := parts[name]; ok {
			in.bad(p.key, name, "makes the file a study, and --repeat is of one experiment: set execution.cycles here instead")
			return
		}
	}
	s.explicit = []option{{}}
	if x, ok := parts["execution"]; ok {
		s.Execution.read(in, x.value)
	}
}
