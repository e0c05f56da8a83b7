package measure

import (
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// Methods of reading energy, protocol section 3, best first.
const (
	MethodAligned  = "counter_edge_aligned" // the counter, with the ticks at both edges known
	MethodCounter  = "counter"
	MethodIntegral = "power_integral"
)

// DeviceEnergy is what one GPU used over a span. Nil is unknown.
type DeviceEnergy struct {
	Method      string            // which one Energy is; empty: none could be read
	Energy      *Joules           // the figure
	U           *Joules           // its standard uncertainty (k = 1) without the sensor's gain
	Components  map[string]Joules // of U, independent
	UIntegral   *Joules           // of Integral
	Counter     *Joules           // from the driver's counter
	Integral    *Joules           // from power, by the trapezoid rule
	Samples     int               // readings of power inside the span, edges not counted
	Mean        *device.Watts     // Energy over the span's length
	Peak        *device.Watts     // highest reading of power inside the span
	Reset       bool              // the counter went backwards: Counter is nil
	Still       bool              // the counter did not move: Counter is nil
	every       float64           // seconds from tick to tick; 0: not known
	phase       float64           // when one of them was
	Refused     string            // why there is no U; empty: there is
	Implausible bool              // readings cannot be what the GPU used, as Refused says
	Restless    bool              // power was still falling before the span
	Lost        bool              // the GPU was read, but not at both ends: all energies are nil
}

// EnergyBetween computes the energy of each of n devices between from and to
// (since the recorder's epoch) out of all readings, which are in time order.
//
// The counter's difference is taken between the last edge reading at or before
// from and the first edge at or after to. Power is integrated by the trapezoid
// rule over the readings' own times, interpolated at from and to, or held from
// the nearest reading where there is none beyond; repeated values are held and
// never dropped. Where the readings end well before to, or begin well after from,
// there is no figure: see [DeviceEnergy.Lost].
func EnergyBetween(samples []device.Sample, n int, from, to time.Duration) []DeviceEnergy {
	out := make([]DeviceEnergy, n)
	for g := range out {
		out[g] = deviceEnergy(samples, int32(g), from, to)
	}
	return out
}

// Total adds the energies of several GPUs; nil when any of them is unknown.
func Total(es []DeviceEnergy) *Joules {
	var sum Joules
	for _, e := range es {
		if e.Energy == nil {
			return nil
		}
		sum += *e.Energy
	}
	if len(es) == 0 {
		return nil
	}
	return &sum
}

func deviceEnergy(samples []device.Sample, gpu int32, from, to time.Duration) DeviceEnergy {
	var e DeviceEnergy
	e.Counter, e.Reset = counterDifference(samples, gpu, from, to)
	if e.Counter != nil && *e.Counter == 0 { // a GPU that is on draws power
		e.Counter, e.Still = nil, to-from > slowestRefresh
	}
	e.Integral = integrate(samples, gpu, from, to)
	counted, anyCounter := bears(samples, gpu, from, to, hasCounter)
	powered, anyPower := bears(samples, gpu, from, to, hasPower)
	if !counted {
		e.Counter, e.Still = nil, false
	}
	if !powered {
		e.Integral = nil
	}
	e.Lost = !counted && !powered && (anyCounter || anyPower)
	for i := range samples {
		s := &samples[i]
		if s.GPU != gpu || s.At < from || s.At > to {
			continue
		}
		if p, ok := s.Power(); ok {
			if !s.Edge {
				e.Samples++
			}
			if e.Peak == nil || p > *e.Peak {
				e.Peak = &p
			}
		}
	}
	switch {
	case e.Counter != nil:
		e.Method, e.Energy = MethodCounter, e.Counter
	case e.Integral != nil:
		e.Method, e.Energy = MethodIntegral, e.Integral
	}
	if e.Energy != nil && to > from {
		mean := device.Watts(float64(*e.Energy) / (to - from).Seconds())
		e.Mean = &mean
	}
	return e
}

// slowestRefresh is the longest that a driver lets a counter stand: its
// RMRusdPollingInterval is at most 1 s (nvrm_registry.h of NVIDIA's open GPU kernel
// modules). Assumed: 0.2 s more for a busy driver.
const slowestRefresh = 1200 * time.Millisecond

// counterDifference is nil when an edge has no counter or the counter went
// backwards anywhere between them.
func counterDifference(samples []device.Sample, gpu int32, from, to time.Duration) (*Joules, bool) {
	var first, last, prev *device.Sample
	for i := range samples {
		s := &samples[i]
		if s.GPU != gpu || s.Has&device.HasEnergy == 0 {
			continue
		}
		if s.Edge && s.At <= from {
			first, prev = s, s
			continue
		}
		if first == nil {
			continue
		}
		if s.EnergyMJ < prev.EnergyMJ {
			return nil, true
		}
		prev = s
		if s.Edge && s.At >= to {
			last = s
			break
		}
	}
	if first == nil || last == nil {
		return nil, false
	}
	j := Joules(float64(last.EnergyMJ-first.EnergyMJ) / 1000)
	return &j, false
}

// integrate is the energy of one device between from and to by the trapezoid rule over its
// readings of power; nil when fewer than two of them lie in the span.
func integrate(samples []device.Sample, gpu int32, from, to time.Duration) *Joules {
	var sum float64
	var used int
	var prevAt time.Duration
	var prevP float64
	var have bool
	for i := range samples {
		s := &samples[i]
		p, ok := s.Power()
		if s.GPU != gpu || !ok {
			continue
		}
		switch {
		case have:
			sum += trapezoid(prevAt, s.At, prevP, float64(p), from, to)
		case s.At > from: // nothing before the span: the first reading is held back to its start
			sum += float64(p) * (min(s.At, to) - from).Seconds()
		}
		if s.At >= from && s.At <= to {
			used++
		}
		prevAt, prevP, have = s.At, float64(p), true
		if s.At >= to {
			break
		}
	}
	if have && prevAt < to {
		sum += prevP * (to - max(prevAt, from)).Seconds()
	}
	if used < 2 {
		return nil
	}
	j := Joules(sum)
	return &j
}

// trapezoid is the energy under the line from (a, pa) to (b, pb), clipped to
// [from, to].
func trapezoid(a, b time.Duration, pa, pb float64, from, to time.Duration) float64 {
	lo, hi := max(a, from), min(b, to)
	if hi <= lo || b == a {
		return 0
	}
	slope := (pb - pa) / (b - a).Seconds()
	plo := pa + slope*(lo-a).Seconds()
	phi := pa + slope*(hi-a).Seconds()
	return (plo + phi) / 2 * (hi - lo).Seconds()
}
