package measure

import (
	"math"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// SliceEnergy is the energy of a part of a window: nobody polled at its edges, and
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
		v.delay = limits{0, max(v.refresh, slowestDisplay)}
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
		if v.to-v.from < nearly*fewestRefreshes*v.every(method) {
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
	first, gap1, ok1 := v.counterAt(v.from)
	last, gap2, ok2 := v.counterAt(v.to)
	if !ok1 || !ok2 || v.refresh == 0 || last <= first {
		return nil, false
	}
	edge := func(power, gap float64) Joules {
		return Joules(math.Hypot(power*math.Hypot(uniform(v.refresh), uniform(gap)), v.jump*max(v.refresh, gap)/2))
	}
	rise := v.last - v.first
	f := &Figure{Energy: Joules((last-first)/1000 + rise*(v.refresh/2+v.delay.middle())), Components: map[string]Joules{
		openingEdge: edge(v.first, gap1), closingEdge: edge(v.last, gap2), dutyCycle: Joules(v.dutyNoise()),
		sensorLook: Joules(v.drift()), display: Joules(math.Abs(rise) * v.delay.u()), resolution: v.floor(),
	}}
	return f.sum(), true
}

// counterAt is the counter at t, between the readings next to it, which lie gap
// seconds apart; ok is false where there is none on a side, or it went backwards.
func (v *view) counterAt(t float64) (mj, gap float64, ok bool) {
	var prev *reading
	for i := range v.readings {
		r := &v.readings[i]
		switch {
		case !r.counted:
			continue
		case r.at >= t && (prev == nil || r.mj < prev.mj):
			return 0, 0, false
		case r.at >= t:
			gap = r.at - prev.at
			return prev.mj + (r.mj-prev.mj)*(t-prev.at)/gap, gap, true
		}
		prev = r
	}
	return 0, 0, false
}

// EdgeTokensU is the relative standard uncertainty of tokens that are counted by
// arrival between two instants, inFlight at a time: each request's tokens come at
// steps of its own, which an instant falls between.
func EdgeTokensU(inFlight, tokens int) float64 {
	if tokens <= 0 {
		return 0
	}
	return float64(inFlight) / (math.Sqrt(6) * float64(tokens))
}
