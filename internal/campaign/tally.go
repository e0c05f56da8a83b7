package campaign

import (
	"fmt"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
)

// tally is how far a study has come.
type tally struct {
	planned, completed, failed int
	now                        int // of this llem
	spent                      time.Duration
	energy                     string // of the last run
}

// had counts a run that has a whole record.
func (t *tally) had(status string) {
	if status == result.Completed {
		t.completed++
	} else {
		t.failed++
	}
}

func (t *tally) took(d time.Duration) { t.spent += d }

// failures is the error of a study that went through and has failed runs.
func (t *tally) failures() error {
	if t.failed == 0 {
		return nil
	}
	return launch.Faultf(launch.ExperimentFault, "%d of the study's %d runs failed; each has a record that says why", t.failed, t.planned)
}

// last keeps what the last run came to.
func (t *tally) last(r *result.Record) {
	switch {
	case r.Status != result.Completed:
		t.energy = ""
	case r.EnergyPerOutputToken != nil:
		t.energy = "last " + perToken(r)
	case r.TokensPerSecond != nil:
		t.energy = fmt.Sprintf("last %.4g tokens/s, no energy figure", *r.TokensPerSecond)
	}
}

// perToken is a run's J/token with half of its two 95 % intervals, and the digits that
// the wider one bears.
func perToken(r *result.Record) string {
	u, absolute, k := r.Energy.UPerOutputTokenJ, r.Energy.UPerOutputTokenAbsoluteJ, r.Energy.CoverageK
	if u == nil || absolute == nil || !(k**u > 0) || !(*absolute >= *u) {
		return fmt.Sprintf("%.4g J/token, uncertainty not known", *r.EnergyPerOutputToken)
	}
	narrow, wide := k**u, k**absolute
	digits := stats.Digits(wide)
	return fmt.Sprintf("%s J/token, ± %s repeatability, ± %s absolute", stats.Fixed(*r.EnergyPerOutputToken, digits), stats.Fixed(narrow, stats.NarrowDigits(narrow, wide)), stats.Fixed(wide, digits))
}

// line is the status of the study in one line; runs are those of this llem.
func (t *tally) line(runs int) string {
	parts := []string{
		fmt.Sprintf("%d of %d done", t.completed+t.failed, t.planned), fmt.Sprintf("%d failed", t.failed),
		fmt.Sprintf("%d left", t.planned-t.completed-t.failed),
	}
	if left := runs - t.now; t.now > 0 && left > 0 {
		parts = append(parts, fmt.Sprintf("about %s to go", (t.spent/time.Duration(t.now)*time.Duration(left)).Round(time.Second)))
	}
	if t.energy != "" {
		parts = append(parts, t.energy)
	}
	return "study          " + strings.Join(parts, ", ")
}
