package study

import (
	"fmt"
	"hash/fnv"
	"time"

	"github.com/llenergymeasure/llem/internal/pattern"
)

// waits are what the protocol makes an experiment wait, whatever is measured,
// in seconds.
type waits struct {
	image, endpoint, pull string
	baseline, ttl         float64 // 0: no baseline
	fixed                 float64 // thermal floor, baseline after, the schedule of an open loop, min_seconds
	server                uint64  // the same for points whose containers are started alike, as far as the file tells
	bytes                 float64 // that its result takes on disk, about
}

func waitsOf(e Experiment, trace pattern.Trace) (w waits) {
	w = waits{image: e.Engine.Image, endpoint: e.Engine.Endpoint, pull: e.Engine.Pull, fixed: e.Warmup.ThermalFloorSeconds, server: serverOf(e)}
	n, sending := e.Workload.atLeast(trace)
	defer func() { w.bytes = bytesOf(e, n, w) }()
	w.fixed += sending
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
// settings), thermal floors, schedules of open loops,
// and the gaps between runs that start no container. The start of engines,
// warmups and closed windows come on top, and are not known before.
func (p *Plan) AtLeast() time.Duration {
	clock, last := 0.0, Run{}
	at, long := 0.0, 0.0 // when the last baseline ended, and how long it took
	for r := range p.Runs() {
		w := &p.waits[r.Point]
		if last.Cycle > 0 && (w.endpoint != "" || p.keeps(last, r)) {
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

// serverOf is a hash over what an engine's container is started with.
func serverOf(e Experiment) uint64 {
	r := e.Redacted()
	r.Engine.Pull = ""
	h := fnv.New64a()
	fmt.Fprintln(h, digest(r.Engine), r.Model, r.Revision, r.DType, r.Seed, r.Parallel, r.GPUs)
	return h.Sum64()
}

// keeps says that the study may keep the container of one run for the next, as far
// as its file tells: engines may start theirs by the workload too.
func (p *Plan) keeps(before, after Run) bool {
	return p.Execution.Restart == EngineChange && p.waits[before.Point].server == p.waits[after.Point].server
}

// Starts is how many containers are started, at least.
func (p *Plan) Starts() int {
	n, last := 0, Run{}
	for r := range p.Runs() {
		if p.waits[r.Point].endpoint == "" && (last.Cycle == 0 || !p.keeps(last, r)) {
			n++
		}
		last = r
	}
	return n
}

// Sizes of what a run writes, in bytes, as runs on stand-in GPUs had them: a reading
// of a GPU in samples.parquet, and a request and its tokens in requests.parquet.
const (
	bytesPerReading = 28
	bytesPerRequest = 370
	bytesPerToken   = 1.2
	bytesPerRun     = 64 << 10 // the record and the smaller files
)

// bytesOf is about what a run's result of n requests takes on disk, the engine's log
// aside.
func bytesOf(e Experiment, n int, w waits) float64 {
	const start = 60 // seconds of an engine's start, about
	size := float64(bytesPerRun + n*bytesPerRequest)
	size += float64(n) * float64(e.Workload.MaxOutputTokens) * bytesPerToken
	if e.GPUs.Mode != "none" && e.Output.RawSamples {
		size += (w.baseline + w.fixed + start) * 1000 / float64(e.Measurement.SampleIntervalMS) * float64(e.Parallel.Size()) * bytesPerReading
	}
	return size
}

// Bytes is about what the results take on disk, the engines' logs aside, which may
// be 64 MiB each.
func (p *Plan) Bytes() int64 {
	sum := 0.0
	for _, i := range p.runs {
		sum += p.waits[i].bytes * float64(p.Execution.Cycles)
	}
	return int64(sum)
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
