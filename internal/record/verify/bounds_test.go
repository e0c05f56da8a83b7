package verify

import (
	"fmt"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/result"
)

// A run may be killed after its last samples are written and before the record is. What
// llem clean makes of it is sound; without its note the samples tell of a phase that was
// taken out.
func TestSamplesOfAPhaseThatTheRecordHasNot(t *testing.T) {
	t0 := time.Unix(1_800_000_000, 0).UTC()
	phases := []result.Phase{{Name: "window", Start: t0, Seconds: 10}}
	samples := []result.SampleRow{{Phase: "window", UTCNS: t0.Add(time.Second).UnixNano()}, {Phase: "after", UTCNS: t0.Add(11 * time.Second).UnixNano()}}
	for name, c := range map[string]struct {
		r     result.Record
		wrong int
	}{
		"killed":                          {result.Record{Phases: phases}, 0},
		"killed and finished":             {result.Record{Phases: phases, Files: []result.File{{}}, WarningSeverities: map[string]string{"record_unfinished": "note"}}, 0},
		"whole, and the phase taken out":  {result.Record{Phases: phases, Files: []result.File{{}}}, 1},
		"killed, and the window is wrong": {result.Record{Phases: []result.Phase{{Name: "window", Start: t0.Add(time.Hour), Seconds: 10}}}, 1},
	} {
		var said []string
		boundSamples(&c.r, samples, func(path, format string, args ...any) { said = append(said, path+": "+fmt.Sprintf(format, args...)) })
		if len(said) != c.wrong {
			t.Errorf("%s: %q, want %d", name, said, c.wrong)
		}
	}
}

// A run whose container died waits for a daemon that may be going, and reads the GPUs
// until it knows. A run that completed has no such time between its phases.
func TestSamplesAfterThePhaseInWhichARunFailed(t *testing.T) {
	t0 := time.Unix(1_800_000_000, 0).UTC()
	phases := []result.Phase{
		{Name: "baseline", Start: t0, Seconds: 5}, {Name: "launch", Start: t0.Add(5 * time.Second), Seconds: 3},
		{Name: "record", Start: t0.Add(18 * time.Second), Seconds: 0.1},
	}
	for _, c := range []struct {
		status, phase string
		after         time.Duration
		wrong         int
	}{
		{result.Failed, "launch", 17 * time.Second, 0},
		{result.Interrupted, "launch", 10 * time.Second, 0},
		{result.Failed, "launch", 30 * time.Second, 1},
		{result.Failed, "baseline", 17 * time.Second, 1},
		{result.Completed, "launch", 17 * time.Second, 1},
	} {
		wrong := 0
		r := &result.Record{Status: c.status, Phases: phases, Files: []result.File{{}}}
		samples := []result.SampleRow{{Phase: c.phase, UTCNS: t0.Add(c.after).UnixNano()}}
		boundSamples(r, samples, func(string, string, ...any) { wrong++ })
		if wrong != c.wrong {
			t.Errorf("%s, a sample of %s after %v: %d wrong, want %d", c.status, c.phase, c.after, wrong, c.wrong)
		}
	}
}
