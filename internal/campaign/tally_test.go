package campaign

import (
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
)

// The line of a study gives its last run's energy with both uncertainties.
func TestAStudysLineNamesBothUncertainties(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*result.Record)
		want   string
	}{
		"both":           {func(*result.Record) {}, "last 5.99 J/token, ± 0.0006 repeatability, ± 0.35 absolute"},
		"no uncertainty": {func(r *result.Record) { r.Energy.UPerOutputTokenJ = nil }, "last 5.994 J/token, uncertainty not known"},
		"no absolute":    {func(r *result.Record) { r.Energy.UPerOutputTokenAbsoluteJ = nil }, "last 5.994 J/token, uncertainty not known"},
		"thousands": {func(r *result.Record) {
			r.EnergyPerOutputToken, r.Energy.UPerOutputTokenJ, r.Energy.UPerOutputTokenAbsoluteJ = new(25432.1), new(64.0), new(737.0)
		}, "last 25400 J/token, ± 130 repeatability, ± 1500 absolute"},
		"no energy": {func(r *result.Record) { r.EnergyPerOutputToken = nil }, "last 707.2 tokens/s, no energy figure"},
		"failed":    {func(r *result.Record) { r.Status = result.Failed }, ""},
	} {
		r := &result.Record{Status: result.Completed, EnergyPerOutputToken: new(5.99442), TokensPerSecond: new(707.2)}
		r.Energy.UPerOutputTokenJ, r.Energy.UPerOutputTokenAbsoluteJ, r.Energy.CoverageK = new(0.00031), new(0.173), 2
		c.change(r)
		s := tally{planned: 2, completed: 1}
		s.last(r)
		want := "study          1 of 2 done, 0 failed, 1 left"
		if c.want != "" {
			want += ", " + c.want
		}
		if got := s.line(2); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
}
