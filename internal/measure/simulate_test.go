package measure

import (
	"math"
	"math/rand/v2"
	"slices"
	"sort"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// load is power over time in pieces of constant power, and the energy up to the
// start of each.
type load struct {
	at, watts, joules []float64
}

func (l *load) add(seconds, watts float64) {
	if len(l.at) == 0 {
		l.at, l.joules = []float64{0}, []float64{0}
	}
	end := l.at[len(l.at)-1] + seconds
	l.watts = append(l.watts, watts)
	l.at = append(l.at, end)
	l.joules = append(l.joules, l.joules[len(l.joules)-1]+seconds*watts)
}

// energy is the truth up to t.
func (l *load) energy(t float64) float64 {
	i := min(max(sort.SearchFloat64s(l.at, t)-1, 0), len(l.watts)-1)
	return l.joules[i] + l.watts[i]*(t-l.at[i])
}

// shapes draw the load of a window of T seconds between idle and high watts.
var shapes = map[string]func(rng *rand.Rand, l *load, T, idle, high float64){
	"constant": func(_ *rand.Rand, l *load, T, _, high float64) { l.add(T, high) },
	"square": func(rng *rand.Rand, l *load, T, idle, high float64) {
		period, low := math.Exp(rng.Float64()*math.Log(20))*0.2, idle+(high-idle)*0.5*rng.Float64()
		for left := T; left > 0; {
			// Real loads are not clocks; one that is, at the refresh's own rate, is
			// what a sensor that looks now and then cannot see.
			p := period * (0.9 + 0.2*rng.Float64())
			a := min(left, p*(0.3+0.4*rng.Float64()))
			l.add(a, high)
			b := min(left-a, p-a)
			if b > 0 {
				l.add(b, low)
			}
			left -= p
		}
	},
	"bursty": func(rng *rand.Rand, l *load, T, idle, high float64) {
		mean := 0.1 + 0.9*rng.Float64()
		for left, on := T, true; left > 0; on = !on {
			d := min(left, mean*rng.ExpFloat64())
			w := high
			if !on {
				w = idle + 0.3*(high-idle)
			}
			l.add(d, w)
			left -= d
		}
	},
	"noisy": func(rng *rand.Rand, l *load, T, _, high float64) {
		spread := high * (0.03 + 0.12*rng.Float64())
		for left := T; left > 0; left -= 0.02 {
			l.add(min(left, 0.02), max(0, high+spread*rng.NormFloat64()))
		}
	},
	"ramping": func(rng *rand.Rand, l *load, T, idle, high float64) {
		low := idle + (high-idle)*0.5*rng.Float64()
		n := int(T / 0.02)
		for i := range n {
			l.add(T/float64(n), low+(high-low)*float64(i)/float64(n))
		}
	},
}

// sense is what polls at the given times read of GPU g, whose counter ticks every
// tau, whose sensor looks at the last part, duty, of each tick, and whose driver's power
// figure is the mean of one second.
func sense(l *load, polls []float64, g int32, tau, phase, duty float64) []device.Sample {
	var ticks []float64
	for t := phase; t <= polls[len(polls)-1]; t = phase + float64(len(ticks))*tau {
		ticks = append(ticks, t)
	}
	return senseAt(l, polls, g, ticks, tau, duty)
}

// senseAt is sense for ticks at any times.
func senseAt(l *load, polls []float64, g int32, ticks []float64, tau, duty float64) (samples []device.Sample) {
	mean := func(from, to float64) float64 {
		if from < 0 {
			return l.watts[0]
		}
		return (l.energy(to) - l.energy(from)) / (to - from)
	}
	var mj, shown []float64
	sum := 0.0
	for k, t := range ticks {
		seen, took := mean(t-duty*tau, t), tau
		if k > 0 {
			took = t - ticks[k-1]
			if duty == 1 {
				seen = mean(ticks[k-1], t)
			}
		}
		sum += seen * took * 1000
		mj, shown = append(mj, sum), append(shown, seen)
	}
	k := 0
	for _, t := range polls {
		for k+1 < len(ticks) && ticks[k+1] <= t {
			k++
		}
		if t < ticks[0] {
			continue
		}
		samples = append(samples, device.Sample{
			GPU: g, At: time.Duration(t * 1e9), Has: device.HasEnergy | device.HasPowerInstant,
			EnergyMJ: uint64(math.Round(mj[k])), PowerInstMW: uint32(math.Round(shown[k] * 1000)),
			PowerUsageMW: uint32(math.Round(mean(t-1, t) * 1000)),
		})
	}
	return samples
}

// played is a run of n GPUs that carry the same load, whose counters tick out of
// phase, each tick a little off its grid.
type played struct {
	samples  []device.Sample
	from, to time.Duration
	sensors  []device.Sensor
	truth    float64 // of all GPUs
}

// simulate plays one run: idle, polls until every GPU has ticked, the load, polls
// until every GPU has ticked. The process that reads and sends gets to run late, so
// that the window opens before the load and closes after it.
func simulate(rng *rand.Rand, shape func(*rand.Rand, *load, float64, float64, float64), n int) played {
	tau := []float64{0.02, 0.1, 0.5}[rng.IntN(3)]
	duty := []float64{1, 0.25}[rng.IntN(2)]
	idle, high := 40+80*rng.Float64(), 200+500*rng.Float64()
	shortest := max(0.6, 20*tau) // three readings at least
	T := shortest * math.Exp(rng.Float64()*math.Log(120/shortest))
	const pre = 3.0
	jitter := 0.003 * rng.Float64()
	wake := []float64{0.0001, 0.002, 0.01}[rng.IntN(3)] // how late this process gets to run, a mean
	ticks := make([][]float64, n)
	phase := tau * rng.Float64()
	for g := range ticks {
		for t := phase; t < pre+max(T, 30)+4; t += tau {
			ticks[g] = append(ticks[g], t+jitter*max(-2.5, min(2.5, rng.NormFloat64())))
		}
		phase = tau * rng.Float64()
	}
	ticked := func(t float64) (last float64) { // when every GPU has after t
		for g := range ticks {
			last = max(last, ticks[g][sort.SearchFloat64s(ticks[g], t)])
		}
		return last
	}
	polls, edges := []float64{}, map[time.Duration]bool{}
	for t := 0.1; t < pre; t += 0.1 {
		polls = append(polls, t+wake*rng.ExpFloat64())
	}
	edge := func(t float64, ticks int) float64 {
		until := ticked(t)
		for range ticks - 1 {
			until = ticked(until + 1e-9)
		}
		for ; ; t += 0.005 + (0.0004+wake/4)*rng.ExpFloat64() {
			polls, edges[time.Duration(t*1e9)] = append(polls, t), true
			if t > until {
				return t
			}
		}
	}
	t0 := edge(pre+0.01, 1) + 0.0005 + wake*rng.ExpFloat64()
	var l load
	l.add(t0, idle)
	shape(rng, &l, T, idle, high)
	t1 := l.at[len(l.at)-1] + wake*rng.ExpFloat64() // the last byte is stamped late
	endPower := l.watts[len(l.watts)-1]
	if decays := rng.IntN(2) == 1; decays {
		tc := 0.05 + 0.4*rng.Float64()
		for k := range 200 {
			l.add(0.01, idle+(endPower-idle)*math.Exp(-float64(k)*0.01/tc))
		}
	}
	l.add(5, idle)
	for t := t0 + 0.1; t < t1; t += 0.1 {
		at := t + wake*rng.ExpFloat64()
		switch r := rng.Float64(); {
		case r < 0.01:
			continue // missed
		case r < 0.02:
			at += 0.2 * rng.Float64() // late
		}
		if at < t1 && at > polls[len(polls)-1] {
			polls = append(polls, at)
		}
	}
	edge(t1+0.0005+wake*rng.ExpFloat64(), ticksAfter)
	p := played{from: time.Duration(t0 * 1e9), to: time.Duration(t1 * 1e9), truth: float64(n) * (l.energy(t1) - l.energy(t0))}
	for g := range ticks {
		last := sort.SearchFloat64s(ticks[g], polls[len(polls)-1])
		p.samples = append(p.samples, senseAt(&l, polls, int32(g), ticks[g][:last], tau, duty)...)
		p.sensors = append(p.sensors, device.Sensor{
			Refresh: time.Duration(tau * (1 + 0.0005*rng.NormFloat64()) * 1e9), Duty: duty, Jitter: found(rng, jitter),
		})
	}
	for i := range p.samples {
		p.samples[i].Edge = edges[p.samples[i].At]
	}
	return p
}

// found is the jitter that is measured, out of ten ticks.
func found(rng *rand.Rand, jitter float64) time.Duration {
	var off []float64
	for range 10 {
		off = append(off, math.Abs(rng.NormFloat64()*jitter))
	}
	slices.Sort(off)
	return time.Duration(1.4826 * (off[4] + off[5]) / 2 * 1e9)
}

// uncounted is p as GPUs without a counter show it: ticks are not polled for, and
// the refresh is not known.
func (p played) uncounted() played {
	out := played{from: p.from, to: p.to, truth: p.truth}
	for i, s := range p.samples {
		next := i+1 < len(p.samples) && p.samples[i+1].GPU == s.GPU && p.samples[i+1].At < p.from
		prev := i > 0 && p.samples[i-1].GPU == s.GPU && p.samples[i-1].At > p.to
		if s.Edge && (s.At < p.from && next || s.At > p.to && prev) {
			continue
		}
		s.Has &^= device.HasEnergy
		out.samples = append(out.samples, s)
	}
	for _, s := range p.sensors {
		out.sensors = append(out.sensors, device.Sensor{Duty: s.Duty})
	}
	return out
}

// edged marks readings outside the span as edges, as the recorder does.
func edged(samples []device.Sample, from, to time.Duration) []device.Sample {
	for i := range samples {
		samples[i].Edge = samples[i].At <= from || samples[i].At >= to
	}
	return samples
}
