package measure

import (
	"math"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// SliceEnergy is the energy of a part of a window: its edges were not polled, and
// the GPU was as busy before it as in it. The counter is read between the readings
// next to each edge; where there is none, power is integrated. sensors are by
// device.
func SliceEnergy(samples []device.Sample, sensors []device.Sensor, from, to time.Duration) []DeviceEnergy {
	out := make([]DeviceEnergy, len(sensors))
	for g := range out {
		e := &out[g]
		v, seen := see(samples, int32(g), from, to, sensors[g])
		if !seen {
			continue
		}
		f, ok := v.sliced()
		method := MethodCounter
		if !ok {
			method = MethodIntegral
			f, ok = v.integrated()
			reaches, _ := bears(samples, int32(g), from, to, hasPower)
			ok = ok && reaches
		}
		if !ok {
			continue
		}
		e.Method, e.Energy = method, &f.Energy
		if v.short(method) {
			e.Refused = fewRefreshes
			continue
		}
		e.U, e.Components = &f.U, f.Components
	}
	return out
}

// sliced reads the counter at both edges. It shows what was used until its last
// tick, on the average half a refresh ago.
func (v *view) sliced() (*Figure, bool) {
	first, gap1, ok1 := v.counter.at(v.span.from)
	last, gap2, ok2 := v.counter.at(v.span.to)
	refresh, p, late := v.sensor.refresh, v.power, v.delay.shown
	if !ok1 || !ok2 || refresh == 0 || last <= first {
		return nil, false
	}
	edge := func(power, gap float64) Joules {
		return Joules(math.Hypot(power*math.Hypot(uniform(refresh), uniform(gap)), p.jump*max(refresh, gap)/2))
	}
	rise := p.last - p.first
	f := &Figure{Energy: Joules((last-first)/1000 + rise*(refresh/2+late.middle())), Components: map[string]Joules{
		openingEdge: edge(p.first, gap1), closingEdge: edge(p.last, gap2), dutyCycle: v.missed(),
		sensorLook: Joules(v.sensor.drift(p)), display: Joules(math.Abs(rise) * late.u()), resolution: v.resolution(),
	}}
	return f.sum(), true
}

// EdgeTokensU is the relative standard uncertainty of tokens that are counted by
// arrival between two instants, inFlight at a time: the tokens of each request come at
// steps that an instant falls between.
func EdgeTokensU(inFlight, tokens int) float64 {
	if tokens <= 0 {
		return 0
	}
	return float64(inFlight) / (math.Sqrt(6) * float64(tokens))
}
