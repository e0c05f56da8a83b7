package main

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// shape is one way of a GPU's power through a window of some length: levels from
// 0 (idle) to 1 (busy), in the order of time. It ends idle unless it says more.
type shape struct {
	name   string
	levels func(r *rand.Rand, length time.Duration) []level
	late   [2]time.Duration // the load begins so long after its process
	flat   bool             // busy before, while and after
	before bool             // busy until 0.3 to 0.9 s before the window
	run    bool             // no command but a whole experiment, with the engine's own load
	quick  bool             // it is run with --quick
	tail   [2]time.Duration // time constant of how power falls when the load has ended; 0: at once
}

type level struct {
	after time.Duration
	part  float64
}

const ms = time.Millisecond

func steady(*rand.Rand, time.Duration) []level { return []level{{0, 1}} }

var shapes = []shape{
	{name: "constant", levels: steady},
	{name: "flat", levels: steady, flat: true},
	{name: "ramp", levels: ramp},
	{name: "llm", levels: llm},
	{name: "drain", levels: drain},
	{name: "bursty", levels: bursty},
	{name: "square", levels: square},
	{name: "end spike", levels: endSpike},
	{name: "late start", levels: steady, late: [2]time.Duration{10 * ms, 75 * ms}},
	{name: "tail", levels: steady, tail: [2]time.Duration{50 * ms, 450 * ms}},
	{name: "busy before", levels: steady, before: true},
	{name: "run", run: true},
	{name: "run --quick", run: true, quick: true},
}

func between(r *rand.Rand, from, to time.Duration) time.Duration {
	if to <= from {
		return from
	}
	return from + time.Duration(r.Int64N(int64(to-from)))
}

func uniform(r *rand.Rand, from, to float64) float64 { return from + (to-from)*r.Float64() }

func ramp(r *rand.Rand, length time.Duration) (out []level) {
	from, to := uniform(r, 0.1, 0.4), uniform(r, 0.8, 1)
	if r.IntN(2) == 0 {
		from, to = to, from
	}
	for t := time.Duration(0); t < length; t += 10 * ms {
		out = append(out, level{t, from + (to-from)*t.Seconds()/length.Seconds()})
	}
	return out
}

// llm is a prefill, then a plateau of decoding that is a little uneven, then a
// batch whose last requests end one by one.
func llm(r *rand.Rand, length time.Duration) []level {
	out := []level{{0, 1}}
	plateau, draining := uniform(r, 0.45, 0.65), length-time.Duration(uniform(r, 0.1, 0.25)*float64(length))
	t := between(r, 100*ms, 400*ms)
	for ; t < draining; t += between(r, 20*ms, 80*ms) {
		out = append(out, level{t, plateau * (1 + 0.04*r.NormFloat64())})
	}
	return append(out, stairs(r, draining, length, plateau)...)
}

func drain(r *rand.Rand, length time.Duration) []level {
	begins := time.Duration(uniform(r, 0.4, 0.7) * float64(length))
	return append([]level{{0, 0.9}}, stairs(r, begins, length, 0.9)...)
}

// stairs go down from a level, by uneven steps.
func stairs(r *rand.Rand, from, to time.Duration, part float64) (out []level) {
	n := 4 + r.IntN(8)
	t := from
	for i := 1; i <= n; i++ {
		out = append(out, level{t, part * (1 - 0.8*float64(i)/float64(n))})
		t += time.Duration(float64(to-t) / float64(n-i+1) * uniform(r, 0.4, 1.6) / 1.6)
	}
	return out
}

func bursty(r *rand.Rand, length time.Duration) (out []level) {
	on := true
	for t := time.Duration(0); t < length; on = !on {
		part, d := uniform(r, 0.05, 0.3), between(r, 20*ms, 400*ms)
		if on {
			part, d = uniform(r, 0.7, 1), between(r, 30*ms, 300*ms)
		}
		out = append(out, level{t, part})
		t += d
	}
	return out
}

func square(r *rand.Rand, length time.Duration) (out []level) {
	half := between(r, 100*ms, 700*ms)
	on := true
	for t := time.Duration(0); t < length; on = !on {
		part := 0.2
		if on {
			part = 1
		}
		out = append(out, level{t, part})
		t += time.Duration(uniform(r, 0.9, 1.1) * float64(half))
	}
	return out
}

func endSpike(r *rand.Rand, length time.Duration) []level {
	return []level{{0, 0.5}, {length - between(r, 30*ms, 90*ms), 1}}
}

// steps are a window's power of one GPU, from the load's start to long after it.
func (s shape) steps(r *rand.Rand, length time.Duration, idle, busy float64) (out []standin.Step) {
	at := func(part float64) float64 { return idle + (busy-idle)*part }
	last := 0.0
	for _, l := range s.levels(r, length) {
		if l.after < length {
			last = l.part
			out = append(out, standin.Step{After: l.after, Watts: at(l.part)})
		}
	}
	switch {
	case s.flat:
	case s.tail[1] > 0:
		tau := between(r, s.tail[0], s.tail[1])
		for d := time.Duration(0); d < 6*tau; d += 5 * ms {
			out = append(out, standin.Step{After: length + d, Watts: at(last * math.Exp(-d.Seconds()/tau.Seconds()))})
		}
		fallthrough
	default:
		out = append(out, standin.Step{After: length + 6*s.tail[1], Watts: idle})
	}
	return out
}
