package measure

import (
	"math"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// Conditions are what the uncertainty of a window depends on apart from the sensor.
type Conditions struct {
	Idle, Spread device.Watts  // before the window: mean and standard deviation of readings
	Averaged     bool          // power can only be read as a running mean of a second
	Reading      time.Duration // how long it takes to read the GPU
	Busy         device.Watts  // mean power in the window
	// Swing is the RMS of what successive readings in the window differ by, as a
	// share of Busy: 0 for a steady load, 0.2 for one that swings by 20 %.
	Swing float64
}

// AtIdle are the conditions that readings of a GPU before a window show. Reading,
// Busy and Swing are left to be filled in. ok is false with fewer than two
// readings of power.
func AtIdle(samples []device.Sample, gpu int32, s device.Sensor) (c Conditions, ok bool) {
	var rs []reading
	for i := range samples {
		x := &samples[i]
		if p, ok := x.Power(); ok && x.GPU == gpu {
			rs = append(rs, reading{power: float64(p)})
			c.Averaged = c.Averaged || s.Averages(x)
		}
	}
	if len(rs) < 2 {
		return c, false
	}
	mean, spread := meanSpread(rs)
	c.Idle, c.Spread = device.Watts(mean), device.Watts(spread)
	return c, true
}

const (
	// fewestRefreshes is the shortest window for which a test holds the estimator to
	// the truth (TestIntervalsHoldTheTruth).
	fewestRefreshes = 20
	// nearly allows for a refresh that is only known to a fraction of a per cent.
	// Assumed: 1 %.
	nearly = 0.99
	// places in a tick where a window's end is tried. Assumed enough: a term that is
	// smooth in the place is summed.
	places = 16
)

// Expect is the standard uncertainty (k = 1), without the sensor's gain, that
// [WindowEnergy] would state for a window of one GPU whose edges are settled. It
// has the estimator's own terms, with the powers of c in the place of readings.
// ok is false where they do not apply: there is no counter, power is only known
// as a mean while the sensor looks now and then, the ticks are too
// quick to be distinguished, or the window is shorter than 20 refreshes, for which
// no test holds the estimator to the truth.
//
// The GPU is taken to be measured alone: of several, only one ticks where the
// window opens, and the others' opening edge is known less well.
func Expect(s device.Sensor, c Conditions, window time.Duration) (u Joules, ok bool) {
	sensor, T := assume(s), window.Seconds()
	p := power{idle: float64(c.Idle), spread: float64(c.Spread), lowest: float64(c.Idle), first: float64(c.Busy), last: float64(c.Busy), end: float64(c.Busy), jump: c.Swing * float64(c.Busy)}
	p.unsteady = closingJump * p.jump
	poll := (settleEvery + c.Reading).Seconds()
	if s.Refresh <= 0 || poll >= sensor.refresh/2 || c.Busy <= 0 || T < nearly*fewestRefreshes*sensor.refresh {
		return 0, false
	}
	// The window opens at the poll that shows a tick, which is put between two polls. The
	// load begins with it and each tick is shown at once, as far as the first ticks say.
	_, open := opening(tick{-poll / 2, poll, 0}, poll/2, p, sensor)
	unsure := 0.0
	if rise := p.rise(); rise > 0 {
		unsure = math.Hypot(uniform(p.first*poll), p.jump*math.Sqrt(2)*sensor.refresh) / rise
	}
	v := &view{span: stretch{0, T}, sensor: sensor, power: p}
	v.delay = delay{shown: limits{0, 2 * unsure}, begun: 2*sensor.off() + 2*unsure, rose: T, known: true}
	// It ends anywhere in a tick. Power is taken to fall to idle as it mostly does.
	var closing edge
	top, refresh := max(0, p.last-p.idle), sensor.refresh
	for i := range places {
		part := (float64(i) + 0.5) / places * refresh
		e := ending{energy: p.last*part + p.idle*(refresh-part), part: part, rest: refresh - part, within: poll}
		e.energy += fallen(top, e.rest, usualFall)
		for ; e.afters < len(e.after); e.afters++ {
			since := e.rest + float64(e.afters)*refresh
			e.after[e.afters] = p.idle*refresh + fallen(top, since+refresh, usualFall) - fallen(top, since, usualFall)
		}
		if sensor.duty < 1 { // which may have looked when the load had ended
			e.energy = p.idle * refresh
		}
		_, u := e.split(p, sensor, 0)
		closing.load, closing.poll = math.Hypot(closing.load, u.load/math.Sqrt(places)), u.poll
	}
	return v.figure(open, closing).U, true
}

// usualFall is the time constant by which power falls after a load: tenths of a second.
// Assumed.
const usualFall = 0.2

// longestWindow is as far as WindowFor looks. Assumed: no window is longer than
// a day.
const longestWindow = 24 * time.Hour

// WindowFor is how long a window must be for its energy to be known to ± share
// of it (0.01 for 1 %) with 95 % confidence (k = 2), by [Expect], and at least 20
// refreshes. ok is false where Expect says nothing or a day is not enough.
func WindowFor(s device.Sensor, c Conditions, share float64) (window time.Duration, ok bool) {
	enough := func(d time.Duration) bool {
		u, ok := Expect(s, c, d)
		return ok && 2*float64(u) <= share*float64(c.Busy)*d.Seconds()
	}
	short, long := fewestRefreshes*s.Refresh, longestWindow
	if enough(short) {
		return short, true
	}
	if !enough(long) {
		return 0, false
	}
	// No term grows faster than the root of the window, so the share falls with it.
	for long-short > time.Millisecond {
		if middle := (short + long) / 2; enough(middle) {
			long = middle
		} else {
			short = middle
		}
	}
	return long, true
}
