package study

import "time"

// waits are what the protocol makes an experiment wait, whatever is measured,
// in seconds.
type waits struct {
	image, endpoint, pull string
	baseline, ttl         float64 // 0: no baseline
	fixed                 float64 // thermal floor, baseline after, the schedule of a constant rate
}

func waitsOf(e Experiment) waits {
	w := waits{image: e.Engine.Image, endpoint: e.Engine.Endpoint, pull: e.Engine.Pull, fixed: e.Warmup.ThermalFloorSeconds}
	if l := e.Workload.Load; l.Pattern == "constant" {
		w.fixed += float64(e.Workload.Prompts-1) / l.RatePerSecond
	}
	if w.endpoint != "" || e.GPUs.Mode == "none" {
		return w
	}
	if e.Baseline.Enabled {
		w.baseline, w.ttl = e.Baseline.DurationSeconds, e.Baseline.CacheTTLSeconds
	}
	if e.Baseline.After {
		w.fixed += e.Baseline.DurationSeconds
	}
	return w
}

// AtLeast is the time that the plan takes by the protocol's own waits: baselines
// (each as long as its cache holds, as if all were of the same GPUs under the same
// settings), thermal floors, schedules of constant rates,
// and the gaps between runs that start no container. The start of engines,
// warmups and closed windows come on top, and are not known before.
func (p *Plan) AtLeast() time.Duration {
	clock, last := 0.0, Run{}
	at, long := 0.0, 0.0 // when the last baseline ended, and how long it took
	for r := range p.Runs() {
		w := &p.waits[r.Point]
		if last.Cycle > 0 && w.endpoint != "" {
			clock += p.Gap(last, r).Seconds()
		}
		if w.baseline > 0 && (clock-at >= w.ttl || long < w.baseline) {
			clock += w.baseline
			at, long = clock, w.baseline
		}
		clock += w.fixed
		last = r
	}
	return Seconds(clock)
}

// Gap is the pause that the file asks for between two runs, one after the other.
// Where a container is started between them it is skipped.
func (p *Plan) Gap(before, after Run) time.Duration {
	if before.Cycle != after.Cycle && p.Execution.Order != Sequential {
		return Seconds(p.Execution.CycleGapSeconds)
	}
	return Seconds(p.Execution.GapSeconds)
}

// Image is one that the plan's runs need, and when it is pulled.
type Image struct{ Ref, Pull string }

// Images are those of the runs, each once, in the order of the points.
func (p *Plan) Images() []Image {
	var out []Image
	seen := map[Image]bool{}
	for _, i := range p.runs {
		w := p.waits[i]
		one := Image{w.image, w.pull}
		if w.image != "" && !seen[one] {
			seen[one] = true
			out = append(out, one)
		}
	}
	return out
}

// Nameless is the number of points that are run and name neither an image nor an
// endpoint, so that nobody can run them yet.
func (p *Plan) Nameless() int {
	n := 0
	for _, i := range p.runs {
		if p.waits[i].image == "" && p.waits[i].endpoint == "" {
			n++
		}
	}
	return n
}
