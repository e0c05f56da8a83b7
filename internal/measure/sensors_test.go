package measure

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// watts is the true power of a GPU in steps of a millisecond, and the energy up to each.
type watts struct{ power, energy []float64 }

func draw(seconds float64, at func(t float64) float64) *watts {
	n := int(seconds * 1000)
	w := &watts{make([]float64, n), make([]float64, n+1)}
	for i := range n {
		w.power[i] = at(float64(i) / 1000)
		w.energy[i+1] = w.energy[i] + w.power[i]/1000
	}
	return w
}

// until is the energy from the beginning to t.
func (w *watts) until(t float64) float64 {
	i := min(max(int(t*1000), 0), len(w.power)-1)
	return w.energy[i] + w.power[i]*(t-float64(i)/1000)
}

func (w *watts) mean(from, to float64) float64 { return (w.until(to) - w.until(from)) / (to - from) }

// board is how a GPU's sensor behaves and what its driver shows of it.
type board struct {
	tau, jitter   float64 // of the counter
	powerTau      float64 // of the power; 0: tau
	duty, look    float64 // share of a refresh that is seen; where it begins, 0 to 1-duty
	own           bool    // the counter integrates all the time, also when the sensor of the power does not look
	late, lateP   float64 // from a tick to when it is shown
	lag           float64 // first-order, of power
	mean          bool    // power is a mean of one second and not instantaneous
	call, callMax float64 // how long one call takes
	step          float64 // of the counter, in joules
	low           float64 // share that the counter reads too little
	stuck         bool    // power never moves
	noCounter     bool
	known         device.Sensor // without refresh
}

// hostOf is how late this process gets to run, a mean.
type hostOf float64

// shown is what a driver shows from a time on.
type shown struct{ at, value float64 }

// board.play makes the ticks of one GPU.
func (b board) play(rng *rand.Rand, w *watts, seconds float64) (counter, power []shown) {
	ticks := func(tau float64) (at []float64) {
		for t := tau * rng.Float64(); t < seconds; t += tau {
			at = append(at, t+b.jitter*math.Max(-2.5, math.Min(2.5, rng.NormFloat64())))
		}
		return at
	}
	seen := func(t, tau float64) float64 {
		from := math.Max(0, t-tau+b.look*tau)
		return w.mean(from, from+b.duty*tau+1e-9)
	}
	at := ticks(b.tau)
	sum, prev := 0.0, 0.0
	for _, t := range at {
		if b.own {
			sum = w.until(t)
		} else {
			sum += seen(t, t-prev) * (t - prev)
		}
		prev = t
		j := sum * (1 - b.low)
		if b.step > 0 {
			j = math.Floor(j/b.step) * b.step
		}
		counter = append(counter, shown{t + b.late, j})
	}
	pat, ptau := at, b.tau
	if b.powerTau > 0 {
		ptau = b.powerTau
		pat = ticks(ptau)
	}
	lagged, done := w.power[0], 0
	for _, t := range pat {
		p := seen(t, ptau)
		switch {
		case b.stuck:
			p = 71.5
		case b.mean:
			p = w.mean(math.Max(0, t-1), t)
		case b.lag > 0:
			for ; done < min(int(t*1000), len(w.power)); done++ {
				lagged += (w.power[done] - lagged) * (1 - math.Exp(-0.001/b.lag))
			}
			p = lagged
		}
		power = append(power, shown{t + b.lateP, p})
	}
	return counter, power
}

func at(list []shown, t float64) (v float64, ok bool) {
	lo, hi := 0, len(list)
	for lo < hi {
		if m := (lo + hi) / 2; list[m].at <= t {
			lo = m + 1
		} else {
			hi = m
		}
	}
	if lo == 0 {
		return 0, false
	}
	return list[lo-1].value, true
}

// rigged is a host with n GPUs of one board, and what reads them.
type rigged struct {
	board
	n       int
	host    hostOf
	rng     *rand.Rand
	counter [][]shown
	power   [][]shown
	samples []device.Sample
	now     float64
}

// read takes one reading of every GPU, one after another, from now on. only says which
// are read; nil: all.
func (r *rigged) read(phase Phase, edge bool) {
	for g := range r.n {
		took := 20e-6 + r.call + (r.callMax-r.call)*r.rng.Float64()
		when := r.now + took*r.rng.Float64()
		s := device.Sample{GPU: int32(g), Phase: uint8(phase), Edge: edge, At: time.Duration((r.now + took/2) * 1e9), Took: time.Duration(took * 1e9)}
		if v, ok := at(r.counter[g], when); ok && !r.noCounter {
			s.EnergyMJ, s.Has = uint64(math.Round(v*1000)), s.Has|device.HasEnergy
		}
		if v, ok := at(r.power[g], when); ok {
			mw := uint32(math.Round(math.Max(0, v) * 1000))
			if r.mean {
				s.PowerUsageMW, s.Has = mw, s.Has|device.HasPowerUsage
			} else {
				s.PowerInstMW, s.Has = mw, s.Has|device.HasPowerInstant
			}
		}
		if s.Has != 0 {
			r.samples = append(r.samples, s)
		}
		r.now += took
	}
}

func (r *rigged) sleep(d float64) { r.now += d + float64(r.host)*r.rng.ExpFloat64() }

// settle reads until every counter has moved, as the recorder does.
func (r *rigged) settle(phase Phase, refresh []time.Duration, ticks int) {
	longest, last, moved := 0.0, map[int32]uint64{}, map[int32]int{}
	for _, d := range refresh {
		longest = math.Max(longest, d.Seconds())
	}
	if r.noCounter {
		longest = fallOff.Seconds() / ticksAfter
	}
	deadline := r.now + (settleLimit+float64(ticks-1))*longest
	for ; ; r.sleep(settleEvery.Seconds()) {
		from := len(r.samples)
		r.read(phase, true)
		for _, s := range r.samples[from:] {
			if was, seen := last[s.GPU]; seen && s.EnergyMJ != was {
				moved[s.GPU]++
			}
			last[s.GPU] = s.EnergyMJ
		}
		done := 0
		for _, n := range moved {
			if n >= ticks {
				done++
			}
		}
		if done == r.n || r.now >= deadline || r.noCounter && ticks == 1 {
			return
		}
	}
}

// window plays preflight, idle, a window and what follows it.
func (b board) window(seed uint64, sh shaped, T float64, n int, host hostOf) played {
	rng := rand.New(rand.NewPCG(seed, 77))
	const pre = 9.0
	plan := sh(rng, T)
	t0guess := pre
	r := &rigged{board: b, n: n, host: host, rng: rng}
	// The load is placed when the window opens, which depends on idle ticks alone.
	idle := draw(pre+T+14, func(t float64) float64 { return plan(t - 1e6) })
	gpu := func(w *watts) {
		r.counter, r.power = nil, nil
		sub := rand.New(rand.NewPCG(seed, 5))
		for range n {
			c, p := b.play(sub, w, pre+T+14)
			r.counter, r.power = append(r.counter, c), append(r.power, p)
		}
	}
	opened := func() (refresh, jitter []time.Duration) {
		r.rng, r.samples, r.now = rand.New(rand.NewPCG(seed, 6)), nil, 1
		for seen := 0; seen < 400 && r.now < 4.5; seen++ {
			r.read(Preflight, false)
			r.sleep(PollEvery.Seconds())
		}
		if !b.noCounter {
			refresh, jitter = Refresh(r.samples, n)
		} else {
			refresh, jitter = make([]time.Duration, n), make([]time.Duration, n)
		}
		r.samples = nil
		for r.now = math.Max(r.now, 5); r.now < t0guess-0.3; r.sleep(0.1) {
			r.read(ThermalFloorPhase, false)
		}
		r.settle(WindowPhase, refresh, 1)
		r.sleep(0.0005)
		return refresh, jitter
	}
	gpu(idle)
	opened()
	// Busy before the window is part of the shape at negative times.
	t0 := r.now
	gpu(draw(pre+T+14, func(t float64) float64 { return plan(t - t0) }))
	opened()
	if r.now != t0 { // the load before changed when ticks were seen
		t0 = r.now
	}
	w := draw(pre+T+14, func(t float64) float64 { return plan(t - t0) })
	gpu(w)
	refresh, jitter := opened()
	t0 = r.now
	t1 := t0 + T + float64(host)*rng.ExpFloat64()
	// The recorder's interval keeps its own phase.
	for due := t0 + 0.1*rng.Float64(); due < t1-0.002; due += 0.1 {
		r.now = math.Max(r.now, due+float64(host)*rng.ExpFloat64())
		r.read(WindowPhase, false)
	}
	r.now = math.Max(r.now, t1)
	r.sleep(0.0003)
	r.settle(WindowPhase, refresh, ticksAfter)
	p := played{samples: r.samples, from: time.Duration(t0 * 1e9), to: time.Duration(t1 * 1e9), truth: float64(n) * (w.until(t1) - w.until(t0))}
	for g := range n {
		s := b.known
		s.Refresh, s.Jitter = refresh[g], jitter[g]
		p.sensors = append(p.sensors, s)
	}
	return p
}

// shaped draws a load: power at a time since the window opened.
type shaped func(rng *rand.Rand, T float64) func(t float64) float64

// levels are idle and busy power, and how the power falls after the load.
func levels(rng *rand.Rand) (idle, high, tail float64) {
	idle, high = 40+80*rng.Float64(), 250+400*rng.Float64()
	if rng.IntN(2) == 1 {
		tail = 0.05 + 0.3*rng.Float64()
	}
	return idle, high, tail
}

// framed is a load between idle times.
func framed(rng *rand.Rand, T, begins float64, busy func(t, idle, high float64) float64) func(t float64) float64 {
	idle, high, tail := levels(rng)
	end := busy(T-1e-3, idle, high)
	return func(t float64) float64 {
		switch {
		case t < begins:
			return idle
		case t < T:
			return busy(t, idle, high)
		case tail > 0:
			return idle + (end-idle)*math.Exp(-(t-T)/tail)
		}
		return idle
	}
}

var shapesOf = map[string]shaped{
	"constant": func(rng *rand.Rand, T float64) func(float64) float64 {
		return framed(rng, T, 0, func(_, _, high float64) float64 { return high })
	},
	"ramp": func(rng *rand.Rand, T float64) func(float64) float64 {
		return framed(rng, T, 0, func(t, idle, high float64) float64 { return idle + (high-idle)*(0.4+0.6*t/T) })
	},
	"llm": func(rng *rand.Rand, T float64) func(float64) float64 {
		begins, drain, wave := 0.005+0.02*rng.Float64(), T*(0.8+0.15*rng.Float64()), 0.02*rng.Float64()
		return framed(rng, T, begins, func(t, idle, high float64) float64 {
			p := high * (0.8 + wave*math.Sin(9*t) + 0.01*math.Sin(57*t))
			switch {
			case t < 0.25:
				p = high
			case t > drain:
				p -= (p - idle) * 0.5 * (t - drain) / (T - drain)
			}
			return p
		})
	},
	"bursty": func(rng *rand.Rand, T float64) func(float64) float64 {
		var flips []float64
		for t := 0.0; t < T; t += 0.05 + 0.5*rng.ExpFloat64() {
			flips = append(flips, t)
		}
		return framed(rng, T, 0, func(t, idle, high float64) float64 {
			n := 0
			for _, f := range flips {
				if f <= t {
					n++
				}
			}
			if n%2 == 1 {
				return high
			}
			return idle + 0.3*(high-idle)
		})
	},
	"spike at the end": func(rng *rand.Rand, T float64) func(float64) float64 {
		last := 0.03 + 0.06*rng.Float64()
		return framed(rng, T, 0, func(t, _, high float64) float64 {
			if t > T-last {
				return high
			}
			return 0.6 * high
		})
	},
	"late start": func(rng *rand.Rand, T float64) func(float64) float64 {
		return framed(rng, T, 0.01+0.065*rng.Float64(), func(_, _, high float64) float64 { return high })
	},
	"busy before": func(rng *rand.Rand, T float64) func(float64) float64 {
		f, since := framed(rng, T, 0, func(_, _, high float64) float64 { return high }), 0.3+0.6*rng.Float64()
		return func(t float64) float64 {
			if t < -since && t > -1e5 {
				return f(T / 2)
			}
			return f(t)
		}
	},
}
