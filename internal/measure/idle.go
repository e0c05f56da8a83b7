package measure

import (
	"fmt"
	"math"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// Names of a baseline's components, protocol section 4.
const (
	baselineEdges  = "edges"  // when it began and ended, of the counter
	baselineSpread = "spread" // of the readings in it
	baselineAge    = "age"    // how far idle power may have moved since
)

// compute fills power, its uncertainty and its method.
func (b *Baseline) compute(samples []device.Sample, sensors []device.Sensor, s span) (err error) {
	b.PerGPU, b.Method, err = meanPower(samples, len(sensors), s)
	if err != nil {
		return fmt.Errorf("baseline: %w", err)
	}
	aligned, known := true, true
	var edges, spread float64
	for g := range b.PerGPU {
		p, u, ok := tickedPower(samples, int32(g), s, sensors[g])
		if ok {
			b.PerGPU[g] = p
		} else {
			every := sensors[g].Refresh.Seconds()
			if every == 0 {
				every = slowestShown
			}
			u = float64(b.PerGPU[g]) * every / (s.to - s.from).Seconds() / math.Sqrt(6)
		}
		aligned = aligned && ok
		b.Power += b.PerGPU[g]
		rs := idleReadings(samples, int32(g), s, sensors[g])
		if known = known && len(rs) >= 3; known {
			edges, spread = math.Hypot(edges, u), math.Hypot(spread, meanU(rs))
		}
	}
	if aligned {
		b.Method = MethodAligned
	}
	if known {
		b.known(map[string]device.Watts{baselineEdges: device.Watts(edges), baselineSpread: device.Watts(spread)})
	}
	return nil
}

// known sets the uncertainty by its components, of which there is one at least.
func (b *Baseline) known(components map[string]device.Watts) {
	f := Figure{Components: map[string]Joules{}}
	for name, c := range components {
		f.Components[name] = Joules(c)
	}
	u := device.Watts(f.sum().U)
	b.U, b.Components = &u, components
}

// Aged makes b one that was kept for so long. Idle power is assumed to wander by 2 %
// (driftShare) within an hour as a limit, and so in proportion: all GPUs of a host in
// the same sense, since they share its air.
func (b *Baseline) Aged(age time.Duration) {
	b.Age, b.Cached = age, true
	if b.U == nil || len(b.Components) == 0 {
		return
	}
	components := map[string]device.Watts{baselineAge: device.Watts(uniform(driftShare * float64(b.Power) * age.Hours()))}
	for name, c := range b.Components {
		if name != baselineAge {
			components[name] = c
		}
	}
	b.known(components)
}

// tickedPower is a GPU's mean power from the first tick of its counter that readings
// in a span show to the last, which are those at its settled edges, with the standard uncertainty of when
// these were, in watts; ok is false where they do not tell.
func tickedPower(samples []device.Sample, gpu int32, s span, sensor device.Sensor) (p device.Watts, u float64, ok bool) {
	var first, last tick
	var prev *device.Sample
	for i := range samples {
		x := &samples[i]
		if x.GPU != gpu || x.Has&device.HasEnergy == 0 || x.At < s.from || x.At > s.to {
			continue
		}
		if prev != nil && x.EnergyMJ < prev.EnergyMJ {
			return 0, 0, false // it was reset
		}
		if prev != nil && x.EnergyMJ != prev.EnergyMJ && (x.At-prev.At).Seconds() < oneTick*sensor.Refresh.Seconds() {
			last = tick{(prev.At + x.At).Seconds() / 2, (x.At - prev.At + (x.Took+prev.Took)/2).Seconds(), float64(x.EnergyMJ)}
			if first.at == 0 {
				first = last
			}
		}
		prev = x
	}
	took := last.at - first.at
	if took < (s.to-s.from).Seconds()/2 { // not one at either edge; half of the span is assumed to tell
		return 0, 0, false
	}
	mean := (last.mj - first.mj) / 1000 / took
	at := math.Hypot(math.Hypot(uniform(first.within), uniform(last.within)), math.Sqrt2*sensor.Jitter.Seconds())
	return device.Watts(mean), mean * at / took, mean > 0
}

// idleReadings are those of power within a span that are a refresh apart; 5 % less is
// assumed to be the jitter of the readings.
func idleReadings(samples []device.Sample, gpu int32, s span, sensor device.Sensor) (rs []reading) {
	prev := -time.Hour
	for i := range samples {
		x := &samples[i]
		w, ok := x.Power()
		if x.GPU == gpu && ok && !x.Edge && x.At >= s.from && x.At <= s.to && x.At-prev >= sensor.Refresh*95/100 {
			rs = append(rs, reading{power: float64(w)})
			prev = x.At
		}
	}
	return rs
}

// meanU is the standard uncertainty of the mean of readings, three at least, in
// their order: s²/n, times what those that follow each other tell less, by Geyer's
// initial positive sequence of autocovariances (Statistical Science 7, 1992).
func meanU(rs []reading) float64 {
	mean, _ := meanSpread(rs)
	covariance := func(lag int) (sum float64) {
		for i := range rs[lag:] {
			sum += (rs[i].power - mean) * (rs[i+lag].power - mean)
		}
		return sum / float64(len(rs)-1)
	}
	own := covariance(0)
	all := -own
	for lag := 0; lag+1 < len(rs); lag += 2 {
		pair := covariance(lag) + covariance(lag+1)
		if pair <= 0 {
			break
		}
		all += 2 * pair
	}
	return math.Sqrt(max(own, all) / float64(len(rs)))
}
