package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// outcome is one window: what was true, and what llem said of it. A pointer is
// null where llem said nothing.
type outcome struct {
	Condition string             `json:"condition"`
	Quantity  string             `json:"quantity"` // energy_total_j and so on
	Host      string             `json:"host"`     // quiet or busy
	K         int                `json:"k"`
	Load      float64            `json:"load"` // of the host, as it began
	Error     string             `json:"error,omitempty"`
	Seconds   float64            `json:"seconds"`
	StartLag  float64            `json:"start_lag_s"` // from t0 to the load's first watt
	EndLag    float64            `json:"end_lag_s"`   // from the load's end to t1
	Gap       float64            `json:"gap_s"`       // idle before t0; 0: all the time
	Truth     float64            `json:"truth"`
	Said      *float64           `json:"said"`
	U         *float64           `json:"u"`
	Valid     bool               `json:"valid"`
	Reasons   []string           `json:"reasons"`
	Method    string             `json:"method"`
	Parts     map[string]float64 `json:"components,omitempty"`
	Warned    []string           `json:"warnings"` // codes that doubt or void
}

// bench is what all windows share.
type bench struct {
	llem, library, self string
	seed                uint64
	short, long         time.Duration // of a window
	keep                string        // folder for files of windows; empty: they are removed
}

// command is what is read of `llem measure --json`.
type command struct {
	Runs []struct {
		StartedAt         time.Time          `json:"started_at"`
		Seconds           float64            `json:"seconds"`
		Valid             bool               `json:"valid"`
		Reasons           []string           `json:"reasons"`
		EnergyTotalJ      *float64           `json:"energy_total_j"`
		URepeatabilityJ   *float64           `json:"u_repeatability_j"`
		Method            string             `json:"method"`
		Components        map[string]float64 `json:"components"`
		WarningSeverities map[string]string  `json:"warning_severities"`
	} `json:"runs"`
}

// window measures one window, with llem measure or in a whole experiment. Its
// numbers follow from the seed, the condition and k alone, and not from what runs beside it.
func (b *bench) window(ctx context.Context, c condition, k int) []outcome {
	o := outcome{Condition: c.name(), Quantity: "energy_total_j", K: k, Load: loadAverage()}
	dir, err := os.MkdirTemp(b.keep, "llem-accuracy-")
	if err == nil {
		err = os.Chmod(dir, 0o755) // an engine's container runs as another user
	}
	if err != nil {
		o.Error = err.Error()
		return []outcome{o}
	}
	if b.keep == "" {
		defer func() { _ = os.RemoveAll(dir) }()
	}
	if c.shape.run {
		all, err := b.experiment(ctx, c, k, dir, o)
		if err == nil {
			return all
		}
		o.Error = err.Error()
	} else if err := b.measure(ctx, c, k, dir, &o); err != nil {
		o.Error = err.Error()
	}
	return []outcome{o}
}

func (b *bench) measure(ctx context.Context, c condition, k int, dir string, o *outcome) error {
	r := rand.New(rand.NewPCG(b.seed, hash(c.name())+uint64(k)))
	l, gpus, err := b.draw(r, c)
	if err != nil {
		return err
	}
	l.File, l.Report = filepath.Join(dir, "gpus"), filepath.Join(dir, "load.json")
	control, err := standin.New(l.File, gpus...)
	if err != nil {
		return err
	}
	defer func() { _ = control.Close() }()
	spec := filepath.Join(dir, "spec.json")
	if err := writeJSON(spec, l); err != nil {
		return err
	}
	env := hostEnv(dir, l.File, b.library)
	if c.shape.before {
		env = append(env, standin.LogEnv+"="+filepath.Join(dir, "calls"))
		ctx, stop := context.WithCancel(ctx)
		defer stop()
		go quieten(ctx, filepath.Join(dir, "calls"), control, l, gpus[0].Refresh, between(r, 300*ms, 900*ms))
	}
	clocks := realMinusMonotonic()
	said, err := runLLEM(ctx, b.llem, dir, env, "measure", "--json", "--", b.self, "-role", "load", "-spec", spec)
	if err != nil {
		return err
	}
	if moved := (realMinusMonotonic() - clocks).Abs(); moved > ms {
		return fmt.Errorf("the host's clock was set by %v meanwhile", moved)
	}
	return o.judge(said, control, l, clocks)
}

// fewest is how many refreshes a window has at least.
const fewest = 21

// draw is a window's load and GPUs.
func (b *bench) draw(r *rand.Rand, c condition) (l loadSpec, gpus []standin.GPU, err error) {
	l.Length = between(r, b.short, b.long)
	if least := fewest * c.instrument.every(); l.Length < least { // shorter ones are refused
		l.Length += least
	}
	l.Late = between(r, c.shape.late[0], c.shape.late[1])
	l.Early = between(r, 0, 60*ms)
	l.Fault, l.Joules = c.instrument.fault, c.instrument.joules
	idle, busy, shared := uniform(r, 40, 90), uniform(r, 180, 350), r.Uint64()
	for range c.gpus {
		g, err := c.instrument.draw(r)
		if err != nil {
			return l, nil, err
		}
		i, p := idle*uniform(r, 0.9, 1.1), busy*uniform(r, 0.9, 1.1)
		g.Power = i
		if c.shape.flat || c.shape.before {
			g.Power = p
		}
		// The GPUs carry the same load.
		l.GPUs = append(l.GPUs, c.shape.steps(rand.New(rand.NewPCG(shared, 0)), l.Length, i, p))
		l.Idle = append(l.Idle, i)
		gpus = append(gpus, g)
	}
	return l, gpus, nil
}

// judge fills in what llem said and what was true.
func (o *outcome) judge(said []byte, control *standin.Control, l loadSpec, clocks time.Duration) error {
	var out command
	if err := json.Unmarshal(said, &out); err != nil {
		return fmt.Errorf("read what llem measure printed: %w", err)
	}
	if len(out.Runs) != 1 {
		return fmt.Errorf("llem measure printed %d runs", len(out.Runs))
	}
	run := out.Runs[0]
	var load loadReport
	if err := readJSON(l.Report, &load); err != nil {
		return err
	}
	t0 := time.Duration(run.StartedAt.UnixNano()) - clocks
	t1 := t0 + time.Duration(run.Seconds*float64(time.Second))
	var err error
	if o.Truth, err = truth(control, t0, t1); err != nil {
		return err
	}
	o.Seconds, o.StartLag, o.EndLag = run.Seconds, (load.Start - t0).Seconds(), (t1 - load.End).Seconds()
	if load.Quiet > 0 {
		o.Gap = (t0 - load.Quiet).Seconds()
	}
	o.Said, o.U, o.Valid, o.Reasons, o.Method, o.Parts = run.EnergyTotalJ, run.URepeatabilityJ, run.Valid, run.Reasons, run.Method, run.Components
	o.Warned = codes(run.WarningSeverities)
	return nil
}

// codes are the warnings that doubt or void a figure.
func codes(severities map[string]string) (out []string) {
	for _, code := range slices.Sorted(maps.Keys(severities)) {
		if severities[code] != "note" {
			out = append(out, code)
		}
	}
	return out
}

// truth is what all GPUs used between two instants, in joules.
func truth(c *standin.Control, from, to time.Duration) (sum float64, err error) {
	for i := range c.GPUs() {
		j, err := c.Truth(i, from, to)
		if err != nil {
			return 0, err
		}
		sum += j
	}
	return sum, nil
}

// quieten ends what keeps GPUs busy before the window, some time before llem
// starts its command. That moment is not known yet: it is taken from when llem's
// regular readings begin, which ask for temperatures.
func quieten(ctx context.Context, calls string, control *standin.Control, l loadSpec, refresh, gap time.Duration) {
	for ctx.Err() == nil {
		if begun, ok := firstReading(calls); ok {
			ends := begun + idleBefore + refresh/2 - gap
			for i, watts := range l.Idle {
				control.Schedule(i, ends, standin.Step{Watts: watts})
			}
			// The load's process says it in its report.
			_ = os.WriteFile(l.Report+".quiet", fmt.Appendf(nil, "%d", ends), 0o600)
			return
		}
		time.Sleep(20 * ms)
	}
}

// idleBefore is how long llem measure reads idle GPUs before it starts its command
// and, at the next tick, the window.
const idleBefore = 2200 * ms

func firstReading(calls string) (at time.Duration, ok bool) {
	f, err := os.Open(calls)
	if err != nil {
		return 0, false
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if strings.Contains(lines.Text(), "nvmlDeviceGetTemperature") {
			_, err := fmt.Sscan(lines.Text(), (*int64)(&at))
			return at, err == nil
		}
	}
	return 0, false
}
