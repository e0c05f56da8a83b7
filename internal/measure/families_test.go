package measure

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/llenergymeasure/llem/internal/device"
)

// What is known of cards: most of Ampere and Ada, GH100 and unknown ones, and Volta.
var (
	seesAll     = device.Sensor{Duty: 1, MeanUsage: true}
	seesQuarter = device.Sensor{Duty: 0.25, MeanUsage: true}
	seesHalf    = device.Sensor{Duty: 0.5}
)

// boards are sensors that behave otherwise than any one model has them.
var boards = map[string]board{
	"looks all the time":                          {tau: 0.1, duty: 1, known: seesAll},
	"looks all the time, 20 ms":                   {tau: 0.02, duty: 1, known: seesAll},
	"looks all the time, 500 ms":                  {tau: 0.5, duty: 1, known: seesAll},
	"shown 10 ms late":                            {tau: 0.1, duty: 1, late: 0.01, lateP: 0.01, known: seesAll},
	"shown 30 ms late":                            {tau: 0.1, duty: 1, late: 0.03, lateP: 0.03, known: seesAll},
	"shown 50 ms late":                            {tau: 0.1, duty: 1, late: 0.05, lateP: 0.05, known: seesAll},
	"calls of 5 to 30 ms":                         {tau: 0.1, duty: 1, call: 0.005, callMax: 0.03, known: seesAll},
	"H100, a counter that misses nothing":         {tau: 0.1, duty: 0.25, look: 0.75, own: true, known: seesQuarter},
	"H100, first quarter":                         {tau: 0.1, duty: 0.25, look: 0, known: seesQuarter},
	"H100, middle quarter":                        {tau: 0.1, duty: 0.25, look: 0.4, known: seesQuarter},
	"H100, last quarter":                          {tau: 0.1, duty: 0.25, look: 0.75, known: seesQuarter},
	"H100, last quarter of 500 ms":                {tau: 0.5, duty: 0.25, look: 0.75, known: seesQuarter},
	"H100, refresh of 1 s":                        {tau: 1, duty: 0.25, look: 0.75, known: seesQuarter},
	"unlisted card (10.0), a quarter":             {tau: 0.1, duty: 0.25, look: 0.3, known: seesQuarter},
	"no capability, first quarter":                {tau: 0.1, duty: 0.25, look: 0, known: seesQuarter},
	"V100, last half":                             {tau: 0.02, duty: 0.5, look: 0.5, known: seesHalf},
	"counter in steps of 15 J":                    {tau: 0.1, duty: 1, step: 15, known: seesAll},
	"ticks off by 30 ms":                          {tau: 0.1, duty: 1, jitter: 0.03, known: seesAll},
	"no counter":                                  {tau: 0.1, duty: 1, noCounter: true, known: seesAll},
	"no counter, power each 1 s":                  {tau: 1, duty: 1, noCounter: true, known: seesAll},
	"no counter, power lags by 1 s":               {tau: 0.1, duty: 1, lag: 1, noCounter: true, known: seesAll},
	"no counter, power never moves":               {tau: 0.1, duty: 1, stuck: true, noCounter: true, known: seesAll},
	"no counter, a mean of 1 s":                   {tau: 0.1, duty: 1, mean: true, noCounter: true, known: seesAll},
	"no counter, a mean of 1 s on a card without": {tau: 0.1, duty: 1, mean: true, noCounter: true, known: seesHalf},
	"counter, and a mean of 1 s":                  {tau: 0.1, duty: 1, mean: true, known: seesAll},
	"counter 3 % low":                             {tau: 0.1, duty: 1, low: 0.03, known: seesAll},
	"power each 500 ms beside a counter":          {tau: 0.1, powerTau: 0.5, duty: 1, known: seesAll},
	"power lags by 1 s beside a counter":          {tau: 0.1, lag: 1, duty: 1, known: seesAll},
}

// tally is what became of the windows of one board.
type tally struct {
	covered, refused int
	bias             float64
	errs, widths     []float64 // relative to the truth, half-widths at k = 2
}

func (t *tally) add(p played) {
	es := WindowEnergy(p.samples, p.sensors, p.from, p.to)
	total := Total(es)
	u, _ := TotalU(es)
	if total == nil || u == nil {
		t.refused++
		return
	}
	e := float64(*total) - p.truth
	if math.Abs(e) <= 2*float64(*u) {
		t.covered++
	}
	t.bias += e / p.truth
	t.errs, t.widths = append(t.errs, math.Abs(e)/p.truth), append(t.widths, 2*float64(*u)/p.truth)
}

func (t *tally) join(o *tally) {
	t.covered, t.refused, t.bias = t.covered+o.covered, t.refused+o.refused, t.bias+o.bias
	t.errs, t.widths = append(t.errs, o.errs...), append(t.widths, o.widths...)
}

// row is the tally in the table.
func (t *tally) row(name string) string {
	n := len(t.errs)
	if n == 0 {
		return fmt.Sprintf("| %s | none of %d | – | – | – |\n", name, t.refused)
	}
	slices.Sort(t.errs)
	slices.Sort(t.widths)
	return fmt.Sprintf("| %s | %.1f %% of %d, %d refused | %+.2f %% | %.2f %% | %.2f %% |\n", name, 100*float64(t.covered)/float64(n), n, t.refused, 100*t.bias/float64(n), 100*t.errs[n*95/100], 100*t.widths[n/2])
}

// windows plays so many of a board under one load.
func (b board) windows(shape string, gpus, n int) *tally {
	t := &tally{}
	for seed := range uint64(n) {
		T := 3 + 7*float64(seed%8)/7
		if b.tau >= 0.5 {
			T += 7
		}
		t.add(b.window(seed, shapesOf[shape], T, gpus, []hostOf{0.0002, 0.003}[seed%2]))
	}
	return t
}

// For each kind of sensor the stated 95 % interval holds the truth in 93 % of the windows,
// or no interval is stated. Windows are of 3 to 10 s, on 1 and 4 GPUs, under seven loads.
func TestIntervalsHoldOnAnySensor(t *testing.T) {
	n := 24
	if raced || testing.Short() {
		n = 4
	}
	var mu sync.Mutex
	var playing sync.WaitGroup
	place := make(chan struct{}, 4)
	seen := map[string]*tally{}
	for name := range boards {
		seen[name] = &tally{}
	}
	for name, b := range boards {
		for shape := range shapesOf {
			for _, gpus := range []int{1, 4} {
				playing.Go(func() {
					place <- struct{}{}
					defer func() { <-place }()
					got := b.windows(shape, gpus, n)
					mu.Lock()
					defer mu.Unlock()
					seen[name].join(got)
				})
			}
		}
	}
	playing.Wait()
	var rows []string
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		got := seen[name]
		rows = append(rows, got.row(name))
		if windows := len(got.errs); float64(got.covered) < leastOf(windows)*float64(windows) {
			t.Errorf("%s: %d of %d intervals hold the truth", name, got.covered, len(got.errs))
		}
	}
	if *update && !raced && !testing.Short() {
		rewrite(t, "sensors", append([]string{"| sensor | intervals that hold the truth | bias | 95 % of errors under | median half-width (2 u) |\n|---|---|---|---|---|\n"}, rows...))
	}
}

// Power that no look of the sensor shows, of a prefill at the start or a spike at the end, is
// in the interval.
func TestIntervalsHoldWhatNoLookShows(t *testing.T) {
	for _, name := range []string{"H100, first quarter", "H100, middle quarter", "H100, last quarter of 500 ms", "unlisted card (10.0), a quarter"} {
		for _, shape := range []string{"llm", "spike at the end"} {
			t.Run(name+"/"+shape, func(t *testing.T) {
				t.Parallel()
				got := boards[name].windows(shape, 1, 24)
				if n := len(got.errs); n == 0 || float64(got.covered) < leastOf(n)*float64(n) {
					t.Errorf("%d of %d intervals hold the truth", got.covered, n)
				}
			})
		}
	}
}

// What the tick of the end holds too much may be of a load that went on, or be shown late:
// both add linearly.
func TestWhatLateTicksAndALoadThatWentOnExplainAddsLinearly(t *testing.T) {
	v := &view{sensor: sensor{duty: 1}, power: power{end: 300, idle: 100, last: 300}, delay: delay{shown: limits{0, 0.02}}}
	together := func(more float64) float64 {
		f := v.figure(edge{}, edge{load: more, more: more})
		return float64(f.U)
	}
	if alone, both := together(0), together(2); math.Abs(both-alone-2) > 0.01 {
		t.Errorf("%.3f J of ticks shown late, and 2 J of a load that went on: %.3f J", alone, both)
	}
}

// A prefill makes up for what is shown late at the start, so that the start does not show it.
func TestABurstAtTheStartHidesThatTicksAreShownLate(t *testing.T) {
	missed := 0
	const n = 48
	prefill := func(rng *rand.Rand, T float64) func(float64) float64 {
		long := 0.1 + 0.1*rng.Float64()
		return framed(rng, T, 0, func(t, idle, high float64) float64 {
			if t < long {
				return high
			}
			return idle + 0.5*(high-idle)
		})
	}
	for seed := range uint64(n) {
		p := boards["shown 50 ms late"].window(seed, prefill, 8, 1, 0.0002)
		v, ok := see(p.samples, 0, p.from, p.to, p.sensors[0])
		if !ok {
			t.Fatal("too little was seen")
		}
		v.begin(0)
		if v.delay.shown.least > 0.05 || v.delay.shown.most < 0.045 {
			missed++
		}
	}
	if float64(n-missed) < leastOf(n)*n {
		t.Errorf("the range of the delay lacks 50 ms in %d of %d windows", missed, n)
	}
}

// Where idle ticks do not fill a step of the counter, they are off their grid, and the step
// is in the uncertainty nonetheless: 15 J at either edge.
func TestStepsThatIdleTicksDoNotFillAreInTheInterval(t *testing.T) {
	b, uneven := boards["counter in steps of 15 J"], 0
	for seed := range uint64(40) {
		p := b.window(seed, shapesOf["llm"], 6, 1, 0.0002)
		es := WindowEnergy(p.samples, p.sensors, p.from, p.to)
		if s := p.sensors[0]; es[0].U == nil || s.Jitter.Seconds() <= fine*s.Refresh.Seconds() {
			continue
		}
		uneven++
		if r := float64(es[0].Components[resolution]); r < math.Sqrt2*uniform(15) {
			t.Errorf("window %d: the resolution is %.3f J", seed, r)
		}
	}
	if uneven < 5 {
		t.Errorf("%d windows of a counter whose ticks are off their grid", uneven)
	}
}
