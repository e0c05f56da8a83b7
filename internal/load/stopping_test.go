package load

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llenergymeasure/llem/internal/pattern"
	"github.com/llenergymeasure/llem/internal/study"
)

// counted is a client that takes a second for each request, whatever its number.
func counted() *slow {
	return &slow{take: func(int) time.Duration { return second }, sent: make([]time.Duration, 1000)}
}

// A closed loop stops by prompts and by seconds; what was started is drained, and
// what comes back is what was sent.
func TestAClosedLoopStops(t *testing.T) {
	more := func(n int) (Request, error) { return Request{ID: n}, nil }
	for name, c := range map[string]struct {
		Config
		sent int
		end  time.Duration
		out  time.Duration
	}{
		"by prompts":                       {Config{Requests: requests(9)}, 9, 5 * second, 0},
		"at the most":                      {Config{Requests: requests(9), Max: 2500 * time.Millisecond}, 6, 3 * second, 0},
		"by prompts before the most":       {Config{Requests: requests(4), Max: 2500 * time.Millisecond}, 4, 2 * second, 0},
		"not before the least":             {Config{Requests: requests(9), AtLeast: 1, Min: 2500 * time.Millisecond}, 6, 3 * second, 0},
		"with more prompts than were made": {Config{Requests: requests(3), Min: 2500 * time.Millisecond, More: more}, 6, 3 * second, 0},
		"with more prompts than seconds":   {Config{Requests: requests(9), Min: 2500 * time.Millisecond, More: more}, 9, 5 * second, 0},
		"at both":                          {Config{Requests: requests(9), AtLeast: 1, Min: 3 * second, Max: 3 * second}, 6, 3 * second, 0},
		"without a prompt":                 {Config{Requests: requests(4), Min: 9 * second}, 4, 2 * second, 2 * second},
		"when no more can be made": {Config{Requests: requests(2), Min: 9 * second, More: func(n int) (Request, error) {
			if n == 6 {
				return Request{}, errors.New("too short")
			}
			return more(n)
		}}, 6, 3 * second, 3 * second},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := counted()
			c.Client, c.Pattern = s, Closed(2)
			run, err := Drive(t.Context(), c.Config)
			if unmade := name == "when no more can be made"; (run.Unmade != nil) != unmade || unmade && run.Unmade.Error() != "make request 7: too short" {
				t.Errorf("%s: %v", name, run.Unmade)
			}
			if err != nil || run.Timings.Len() != c.sent || s.most != 2 || time.Since(run.T0) != c.end || run.Out != c.out {
				t.Errorf("%s: %d sent, %d at once, ended after %v, none left at %v, %v; want %d, %v, %v", name, run.Timings.Len(), s.most, time.Since(run.T0), run.Out, err, c.sent, c.end, c.out)
			}
			for i, tr := range run.Timings.All() {
				if tr.Status != StatusOK || tr.ID != i {
					t.Errorf("%s: request %d: %+v", name, i, tr)
				}
			}
		})
	}
}

// An open loop's seconds are reckoned into its schedule: all that is due before the
// last second is sent, however late.
func TestAnOpenLoopStops(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		w    study.Workload
		want int
	}{
		"by prompts":                 {study.Workload{Prompts: 7}, 7},
		"at the most":                {study.Workload{Prompts: 100, MaxSeconds: 2.5}, 10},
		"on the last due time":       {study.Workload{Prompts: 100, MaxSeconds: 2}, 8},
		"not before the least":       {study.Workload{Prompts: 1, MinSeconds: 2.5}, 10},
		"by prompts after the least": {study.Workload{Prompts: 30, MinSeconds: 2.5}, 30},
		"at both":                    {study.Workload{Prompts: 1, MinSeconds: 3, MaxSeconds: 3}, 12},
	} {
		c.w.Load = pattern.Load{Pattern: "constant", RatePerSecond: 4}
		p, err := New(c.w, 1)
		if n, _ := c.w.Planned(c.w.Load.Due); err != nil || p.N != c.want || n != c.want {
			t.Errorf("%s: %d are sent, %d were planned, %v; want %d", name, p.N, n, err, c.want)
		}
	}
	w := study.Workload{Prompts: 1, MinSeconds: 1000, Load: pattern.Load{Pattern: "poisson", RatePerSecond: 10}}
	p, err := New(w, 3)
	if last, _ := p.Pattern.At(p.N - 1); err != nil || p.N < 9700 || p.N > 10300 || last >= 1000*second || last < 990*second {
		t.Errorf("%d at random, the last after %v, %v", p.N, last, err)
	}
}

// A server that is too slow for its load is still sent all that is due before the end.
func TestAnOverloadIsNotCutAtTheMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := study.Workload{Prompts: 100, MaxSeconds: 2, Load: pattern.Load{Pattern: "constant", RatePerSecond: 4, MaxInFlight: 1}}
		p, err := New(w, 1)
		if err != nil {
			t.Fatal(err)
		}
		run, err := Drive(t.Context(), Config{Client: counted(), Requests: requests(p.N), Pattern: p.Pattern, AtLeast: p.N, Max: 2 * second, wait: byRuntime})
		f := Summarise(run.Timings, true)
		if err != nil || f.Completed != 8 || f.E2EScheduled.Max != 6250 { // due at 1.75 s, ended at 8 s
			t.Errorf("%d completed, at most %g ms from the schedule, %v", f.Completed, f.E2EScheduled.Max, err)
		}
	})
}
