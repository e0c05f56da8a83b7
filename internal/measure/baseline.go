package measure

import (
	"context"
	"fmt"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// Baseline is the idle power of the bare GPUs, or where it came from.
type Baseline struct {
	Power        device.Watts
	U            *device.Watts           // standard uncertainty of Power; nil: unknown
	Components   map[string]device.Watts // of U, independent
	PerGPU       []device.Watts
	Method       string
	Duration     time.Duration
	MeasuredAt   time.Time
	Age          time.Duration // when it was used; 0 for one just measured
	Cached       bool
	Contaminated bool             // a process was on the GPUs while it was measured
	Processes    []device.Process // those seen, each once
	Unlisted     error            // why processes could not be listed at times; nil: they were
}

// processPoll is how often processes are listed while a baseline is taken. Assumed: a
// process that ends within a second goes unseen.
const processPoll = time.Second

// MeasureBaseline reads idle GPUs, one for each sensor, for d and lists processes
// on them all through. It returns an error when the context ends or a GPU gives
// no energy.
func MeasureBaseline(ctx context.Context, r *Recorder, procs device.Processes, sensors []device.Sensor, d time.Duration) (Baseline, error) {
	b := Baseline{MeasuredAt: time.Now().UTC(), Duration: d}
	refresh := make([]time.Duration, len(sensors))
	for g := range sensors {
		refresh[g] = sensors[g].Refresh
	}
	open, err := r.Edge()
	if err == nil {
		err = r.Settle(ctx, refresh)
	}
	if err != nil {
		return b, fmt.Errorf("open baseline: %w", err)
	}
	if err := b.watch(ctx, procs, d); err != nil {
		return b, err
	}
	if err := r.Settle(ctx, refresh); err != nil {
		return b, fmt.Errorf("close baseline: %w", err)
	}
	end, err := r.Edge()
	if err != nil {
		return b, fmt.Errorf("close baseline: %w", err)
	}
	err = b.compute(r.Samples(), sensors, spanOf(open, end))
	return b, err
}

// RecomputeBaseline computes a baseline again from readings, its edges included.
func RecomputeBaseline(samples []device.Sample, sensors []device.Sensor) (Baseline, error) {
	span, ok := phaseSpan(samples, len(sensors), BaselinePhase)
	if !ok {
		return Baseline{}, errNoReading
	}
	var b Baseline
	err := b.compute(samples, sensors, span)
	return b, err
}

// watch lists processes every processPoll until d has passed.
func (b *Baseline) watch(ctx context.Context, procs device.Processes, d time.Duration) error {
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	tick := time.NewTicker(processPoll)
	defer tick.Stop()
	seen := map[int]bool{}
	for {
		list, err := procs.Processes(ctx)
		if err != nil && ctx.Err() == nil {
			b.Unlisted = err
		}
		for _, p := range list {
			if !seen[p.PID] {
				seen[p.PID] = true
				b.Processes = append(b.Processes, p)
				b.Contaminated = true
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-deadline.C:
			return nil
		case <-tick.C:
		}
	}
}

// span is an interval since the recorder's epoch, from the last opening
// reading to the first closing one.
type span struct{ from, to time.Duration }

func spanOf(open, end []device.Sample) span {
	var s span
	for i := range open {
		s.from = max(s.from, open[i].At)
	}
	for i := range end {
		if i == 0 || end[i].At < s.to {
			s.to = end[i].At
		}
	}
	return s
}

// phaseSpan is from the first edge of a phase to its last, of all n GPUs each.
func phaseSpan(samples []device.Sample, n int, p Phase) (s span, ok bool) {
	var edges []device.Sample
	for i := range samples {
		if Phase(samples[i].Phase) == p && samples[i].Edge {
			edges = append(edges, samples[i])
		}
	}
	if n == 0 || len(edges) < 2*n {
		return s, false
	}
	open, end := edges[:n], edges[len(edges)-n:]
	for g := range n {
		if open[g].GPU != int32(g) || end[g].GPU != int32(g) { // one could not be read
			return s, false
		}
	}
	s = spanOf(open, end)
	return s, s.from < s.to
}

// LaunchEnergy is what the GPUs used from the first edge of the launch phase to its
// last, with its standard uncertainty; nil where one of them was not read at both, and
// where nothing shows how certain it is. sensors are by device.
func LaunchEnergy(samples []device.Sample, sensors []device.Sensor) (energy, u *Joules) {
	s, ok := phaseSpan(samples, len(sensors), Launch)
	if !ok {
		return nil, nil
	}
	es := SliceEnergy(samples, sensors, s.from, s.to)
	if energy = Total(es); energy == nil {
		return Total(EnergyBetween(samples, len(sensors), s.from, s.to)), nil
	}
	u, _ = TotalU(es)
	return energy, u
}

func meanPower(samples []device.Sample, n int, s span) ([]device.Watts, string, error) {
	out := make([]device.Watts, n)
	method := ""
	for g := range out {
		e := deviceEnergy(samples, int32(g), s.from, s.to)
		mean, m := counterPower(samples, int32(g), s), MethodCounter
		if mean == nil {
			mean, m = e.Mean, e.Method
		}
		if mean == nil {
			return nil, "", fmt.Errorf("GPU %d: %w", g, errNoReading)
		}
		out[g] = *mean
		method = m
	}
	return out, method, nil
}

// counterPower divides the counter's difference by the time between the very
// readings that gave it, and is nil where there is no counter.
func counterPower(samples []device.Sample, gpu int32, s span) *device.Watts {
	var first, last *device.Sample
	for i := range samples {
		x := &samples[i]
		if x.GPU != gpu || !x.Edge || x.Has&device.HasEnergy == 0 {
			continue
		}
		if x.At <= s.from {
			first = x
		} else if last == nil && x.At >= s.to {
			last = x
		}
	}
	if first == nil || last == nil || last.EnergyMJ <= first.EnergyMJ { // it does not move, or was reset
		return nil
	}
	w := device.Watts(float64(last.EnergyMJ-first.EnergyMJ) / 1000 / (last.At - first.At).Seconds())
	return &w
}

// ThermalFloor waits d, at any temperature, and returns each GPU's mean
// power over the last half: the engine resident and idle. The powers are nil
// when they could not be read.
func ThermalFloor(ctx context.Context, r *Recorder, n int, d time.Duration) ([]device.Watts, error) {
	if err := Sleep(ctx, d/2); err != nil {
		return nil, err
	}
	if r == nil || d == 0 {
		return nil, Sleep(ctx, d-d/2)
	}
	_, _ = r.Edge() // what it lacks is seen below
	if err := Sleep(ctx, d-d/2); err != nil {
		return nil, err
	}
	_, _ = r.Edge()
	return FloorPower(r.Samples(), n), nil
}

// FloorU is the standard uncertainty of the sum of what FloorPower gives; nil where
// nothing shows it. sensors are by device.
func FloorU(samples []device.Sample, sensors []device.Sensor) *device.Watts {
	s, ok := phaseSpan(samples, len(sensors), ThermalFloorPhase)
	if !ok {
		return nil
	}
	var b Baseline
	if b.compute(samples, sensors, s) != nil {
		return nil
	}
	return b.U
}

// FloorPower is each GPU's mean power between the two edges of the thermal floor;
// nil where one of n GPUs was not read at both.
func FloorPower(samples []device.Sample, n int) []device.Watts {
	s, ok := phaseSpan(samples, n, ThermalFloorPhase)
	if !ok {
		return nil
	}
	power, _, err := meanPower(samples, n, s)
	if err != nil {
		return nil
	}
	return power
}

// Sleep waits d or until ctx ends, whichever is first, and returns ctx's error.
func Sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
