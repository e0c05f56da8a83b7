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
