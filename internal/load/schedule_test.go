package load

import (
	"math"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/llenergymeasure/llem/internal/pattern"
	"github.com/llenergymeasure/llem/internal/study"
)

// gaps are those between n requests of a pattern, in units of their planned mean.
func gaps(t *testing.T, l pattern.Load, n int, seed int64) []float64 {
	t.Helper()
	p, err := New(study.Workload{Load: l, Prompts: n}, seed)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, n-1)
	last, _ := p.Pattern.At(0)
	if last != 0 {
		t.Errorf("the first is due at %v", last)
	}
	for i := range out {
		at, open := p.Pattern.At(i + 1)
		if !open || at < last {
			t.Fatalf("request %d is due at %v, before %v", i+1, at, last)
		}
		out[i], last = (at-last).Seconds()*l.RatePerSecond, at
	}
	return out
}

// kolmogorov is the greatest distance of a sample from a distribution, times √n:
// over 1.63 once in a hundred samples of that distribution.
func kolmogorov(sample []float64, cdf func(float64) float64) float64 {
	slices.Sort(sample)
	n, d := float64(len(sample)), 0.0
	for i, x := range sample {
		d = max(d, cdf(x)-float64(i)/n, float64(i+1)/n-cdf(x))
	}
	return d * math.Sqrt(n)
}

// gammaCDF is that of shape k and mean 1: the series of the incomplete gamma
// function (Abramowitz and Stegun 6.5.29).
func gammaCDF(k float64) func(float64) float64 {
	return func(x float64) float64 {
		if x <= 0 {
			return 0
		}
		z := x * k
		lg, _ := math.Lgamma(k + 1)
		sum, term := 1.0, 1.0
		for i := 1.0; term > 1e-16*sum; i++ {
			term *= z / (k + i)
			sum += term
		}
		return min(1, math.Exp(k*math.Log(z)-z-lg)*sum)
	}
}

// The gaps are drawn from what the pattern promises (Kolmogorov–Smirnov), and from
// nothing else: each is rejected as a sample of its neighbours.
func TestGapsAreOfTheirDistribution(t *testing.T) {
	t.Parallel()
	const n = 20_000
	shapes := []float64{0.25, 0.5, 1, 3.5}
	for _, k := range shapes {
		l := pattern.Load{Pattern: "gamma", RatePerSecond: 40, Burstiness: k}
		sample := gaps(t, l, n, 7)
		if d := kolmogorov(sample, gammaCDF(k)); d > 1.63 {
			t.Errorf("gamma %g: D·√n = %.2f", k, d)
		}
		for _, other := range shapes {
			if d := kolmogorov(sample, gammaCDF(other)); other != k && d < 5 {
				t.Errorf("gamma %g passes for gamma %g: D·√n = %.2f", k, other, d)
			}
		}
	}
	poisson := gaps(t, pattern.Load{Pattern: "poisson", RatePerSecond: 3}, n, 11)
	if d := kolmogorov(poisson, func(x float64) float64 { return 1 - math.Exp(-x) }); d > 1.63 {
		t.Errorf("poisson: D·√n = %.2f", d)
	}
}

// A schedule is the seed's alone, on any machine and with any release of Go.
func TestSchedulesStay(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		load  pattern.Load
		want  []time.Duration
		drawn bool
	}{
		"poisson":        {pattern.Load{Pattern: "poisson", RatePerSecond: 10}, []time.Duration{0, 168997777, 346251453, 358605905, 359337406, 422996932}, true},
		"bursty gamma":   {pattern.Load{Pattern: "gamma", RatePerSecond: 10, Burstiness: 0.5}, []time.Duration{0, 2557694, 30220309, 37119100, 43629765, 157417443}, true},
		"even gamma":     {pattern.Load{Pattern: "gamma", RatePerSecond: 10, Burstiness: 4}, []time.Duration{0, 141002325, 227092262, 292099467, 332797144, 366211416}, true},
		"burst":          {pattern.Load{Pattern: "burst", RatePerSecond: 2, BurstSize: 3}, []time.Duration{0, 0, 0, 1500e6, 1500e6}, false},
		"ramp":           {pattern.Load{Pattern: "ramp", RatePerSecond: 1, RateEndPerSecond: 3, RampSeconds: 2}, []time.Duration{0, 732050808, 1236067977, 1645751311, 2e9, 2333333333}, false},
		"a falling ramp": {pattern.Load{Pattern: "ramp", RatePerSecond: 3, RateEndPerSecond: 1, RampSeconds: 2}, []time.Duration{0, 354248689, 763932023, 1267949192, 2e9, 3e9}, false},
		"steps":          {pattern.Load{Pattern: "steps", Steps: []string{"1@2", "4@0.5", "2@1"}}, []time.Duration{0, 1e9, 2e9, 2250e6, 2500e6, 3e9, 3500e6, 4e9, 4500e6}, false},
	} {
		n := max(6, len(c.want))
		w := study.Workload{Load: c.load, Prompts: n}
		p, err := New(w, 42)
		if err != nil {
			t.Fatal(err)
		}
		again, _ := New(w, 42)
		other, _ := New(w, 43)
		var got []time.Duration
		same := true
		for i := range n {
			at, _ := p.Pattern.At(i)
			b, _ := again.Pattern.At(i)
			o, _ := other.Pattern.At(i)
			got, same = append(got, at), same && at == o
			if at != b {
				t.Errorf("%s: request %d is due at %v, and then at %v", name, i, at, b)
			}
		}
		if c.drawn && same {
			t.Errorf("%s: another seed draws the same", name)
		}
		if !slices.Equal(got[:len(c.want)], c.want) {
			t.Errorf("%s: due at %v, want %v", name, got, c.want)
		}
	}
}

// A server that cannot follow makes requests wait, which their latencies from the
// schedule show: no request is left out, and none is sent at a later due time.
func TestAnOverloadShowsInTheScheduledLatencies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const n = 40
		p, err := New(study.Workload{Load: pattern.Load{Pattern: "poisson", RatePerSecond: 10, MaxInFlight: 1}, Prompts: n}, 5)
		if err != nil {
			t.Fatal(err)
		}
		s := &slow{take: func(int) time.Duration { return 200 * time.Millisecond }, sent: make([]time.Duration, n)} // half of what comes
		run, err := Drive(t.Context(), Config{Client: s, Requests: requests(n), Pattern: p.Pattern, wait: byRuntime})
		if err != nil || run.Timings.Len() != n {
			t.Fatalf("%d timings, %v", run.Timings.Len(), err)
		}
		for i := range run.Timings.All() {
			if due, _ := p.Pattern.At(i); run.Timings.At(i).Scheduled != due {
				t.Errorf("request %d is due at %v, want %v", i, run.Timings.At(i).Scheduled, due)
			}
		}
		f := Summarise(run.Timings, true)
		if f.E2E.Max > 201 || f.E2EScheduled.Max < 3000 || f.E2EScheduled.N != n {
			t.Errorf("from the send at most %g ms, from the schedule %g ms of %d", f.E2E.Max, f.E2EScheduled.Max, f.E2EScheduled.N)
		}
	})
}
