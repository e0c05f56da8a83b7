package measure

import (
	"context"
	"fmt"
	"time"

	"github.com/llenergymeasure/llem/internal/stats"
)

// WarmupConfig says how long to warm up. With Converge the iterations go on
// after the fixed number until the coefficient of variation (CV) of the last
// Window latencies is under Threshold, or Max iterations have run.
type WarmupConfig struct {
	N         int
	Converge  bool
	Threshold float64
	Max       int
	Window    int
	Min       int
}

// AtLeast is how many iterations run in any case. Convergence adds to N and
// never replaces it.
func (c WarmupConfig) AtLeast() int {
	if !c.Converge {
		return c.N
	}
	return max(c.N, c.Min, c.Window)
}

// AtMost is how many iterations run at the most.
func (c WarmupConfig) AtMost() int {
	if !c.Converge {
		return c.N
	}
	return max(c.Max, c.AtLeast())
}

// WarmupResult is what the warmup did. In fixed mode Converged, FinalCV and
// TargetCV are nil.
type WarmupResult struct {
	Converged  *bool
	FinalCV    *float64
	TargetCV   *float64
	Iterations int
	Max        int
	Latencies  []time.Duration // one an iteration
	Duration   time.Duration
}

// Warmup runs iterations until cfg is content. iterate runs the i-th full
// batch and returns its mean end-to-end latency. What was done before an error
// is returned with it.
func Warmup(ctx context.Context, cfg WarmupConfig, iterate func(ctx context.Context, i int) (time.Duration, error)) (WarmupResult, error) {
	start := time.Now()
	res := newWarmup(cfg)
	for i := range cfg.AtMost() {
		if err := ctx.Err(); err != nil {
			return res, err
		}
		lat, err := iterate(ctx, i)
		res.Duration = time.Since(start)
		if err != nil {
			return res, fmt.Errorf("warmup iteration %d: %w", i+1, err)
		}
		if res.add(cfg, lat) {
			break
		}
	}
	res.Duration = time.Since(start)
	return res, nil
}

// RecomputeWarmup is the warmup whose iterations took so long. It has no duration.
func RecomputeWarmup(cfg WarmupConfig, latencies []time.Duration) WarmupResult {
	res := newWarmup(cfg)
	for _, lat := range latencies {
		if res.add(cfg, lat) {
			break
		}
	}
	return res
}

func newWarmup(cfg WarmupConfig) WarmupResult {
	res := WarmupResult{Max: cfg.AtMost()}
	if cfg.Converge {
		res.TargetCV, res.Converged = &cfg.Threshold, new(false)
	}
	return res
}

// add counts an iteration, and says whether warmup may end.
func (res *WarmupResult) add(cfg WarmupConfig, lat time.Duration) bool {
	res.Iterations++
	res.Latencies = append(res.Latencies, lat)
	return cfg.Converge && res.settled(cfg)
}

// settled updates the CV and says whether warmup may end.
func (res *WarmupResult) settled(cfg WarmupConfig) bool {
	if len(res.Latencies) < cfg.Window {
		return false
	}
	last := make([]float64, cfg.Window)
	for i, l := range res.Latencies[len(res.Latencies)-cfg.Window:] {
		last[i] = l.Seconds()
	}
	cv, ok := stats.CV(last)
	if !ok {
		return false
	}
	res.FinalCV = &cv
	*res.Converged = cv < cfg.Threshold
	return *res.Converged && res.Iterations >= cfg.AtLeast()
}
