package record

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/result"
)

// A cached baseline has no readings in its run: what its age adds is computed again
// from the parts that the earlier run gave.
func TestVerifyAgesACachedBaselineAgain(t *testing.T) {
	b := measure.Baseline{Power: 61.7, PerGPU: []device.Watts{61.7}, Method: measure.MethodAligned, Components: map[string]device.Watts{"edges": 0.1, "spread": 0.2}}
	u := device.Watts(0.3)
	b.U = &u
	b.Aged(1234567891 * time.Microsecond)
	p := &Recomputed{of: &result.Record{}}
	was := p.Host.baseline(&b)
	p.of.Energy.Baseline = was
	again, err := p.baselineOf()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(was, p.Host.baseline(again), cmp.FilterPath(func(p cmp.Path) bool {
		return p.String() == "DurationSeconds" || p.String() == "MeasuredAt"
	}, cmp.Ignore())); diff != "" {
		t.Error(diff)
	}
	was.AgeSeconds *= 2
	again, err = p.baselineOf()
	if err != nil || float64(*again.U) == *was.UW {
		t.Errorf("another age goes unseen: u %g W, %v", float64(*again.U), err)
	}
}

// A record from before tokens could be unknown is computed again as it was: chunks
// were tokens, and those of failed requests counted.
func TestOlderRecordsAreComputedAgainAsTheyWere(t *testing.T) {
	t.Parallel()
	some := func(n int32) *int32 { return &n }
	var timings load.List
	for _, row := range []result.RequestRow{
		{Status: "ok", InputTokens: some(0), OutputTokens: some(5), ReasoningTokens: some(1)},
		{Status: "failed", InputTokens: some(0), OutputTokens: some(2), ReasoningTokens: some(0)},
		{Status: "ok", InputTokens: some(0), OutputTokens: some(0), ReasoningTokens: some(0)}, // [DONE] alone
	} {
		timings = append(timings, timingOf(&row, "chunks"))
	}
	fig := olderTotals(load.Summarise(timings, false), timings)
	got := []int64{*fig.InputTokens, *fig.OutputTokens, *fig.ReasoningTokens}
	if want := []int64{0, 7, 1}; !slices.Equal(got, want) {
		t.Errorf("%v in, out and reasoning, want %v", got, want)
	}
}

// A run that removes the container of the run before reads the GPUs in preflight until its
// memory is released. These readings, seconds apart, are no polls of the counter.
func TestEdgesOfPreflightAreNoPolls(t *testing.T) {
	t.Parallel()
	var samples []device.Sample
	read := func(at time.Duration, edge bool) {
		samples = append(samples, device.Sample{Has: device.HasEnergy, At: at, EnergyMJ: uint64(at / (100 * time.Millisecond) * 6000), Edge: edge})
	}
	for at := time.Second; at < 2*time.Second; at += measure.PollEvery {
		read(at, false)
	}
	polls := len(samples)
	for at := 3 * time.Second; at < 10*time.Second; at += 700 * time.Millisecond {
		read(at, true)
	}
	p := &Recomputed{of: &result.Record{Environment: result.Environment{GPUs: make([]result.GPU, 1)}}}
	p.splitPolls(samples)
	want, _ := measure.Refresh(samples[:polls], 1)
	if len(p.Readings.Polls) != polls || len(p.Readings.Samples) != len(samples)-polls || p.Host.Refresh[0] != want[0] {
		t.Errorf("%d polls and %d samples, a refresh of %v, want %d, %d and %v", len(p.Readings.Polls), len(p.Readings.Samples), p.Host.Refresh, polls, len(samples)-polls, want)
	}
}
