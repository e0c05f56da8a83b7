package measure

import (
	"math"

	"github.com/llenergymeasure/llem/internal/device"
)

// sensor is what is assumed of a GPU's power sensor.
type sensor struct {
	refresh float64 // seconds from tick to tick of the counter; 0: no counter
	jitter  float64 // standard deviation of the ticks about their grid, in seconds
	duty    float64 // the least share of each refresh that it sees, up to 1
	limit   float64 // of the GPU's power, in watts; 0: not known
}

// assume is the sensor before anything is read.
func assume(s device.Sensor) sensor {
	a := sensor{refresh: s.Refresh.Seconds(), jitter: s.Jitter.Seconds(), duty: s.Duty, limit: s.LimitW}
	if a.duty == 0 {
		a.duty = device.LeastDuty
	}
	return a
}

// off is how far the middle of a look may lie from the middle of its refresh, in seconds.
func (s sensor) off() float64 { return (1 - s.duty) * s.refresh / 2 }

// jumpNoise relates what a sensor that looks a quarter of the time misses in a
// refresh to how its readings jump: 0.45 for steps, 0.61 for noise. Simulated.
const jumpNoise = 0.61

// misses is what a sensor that looks only now and then misses of a load that varies by
// jump watts from look to look, a refresh apart, in a span of so many seconds; in joules.
func (s sensor) misses(jump, refresh, seconds float64) float64 {
	if s.duty >= 1 {
		return 0
	}
	return jumpNoise * jump * math.Sqrt(refresh*seconds)
}

// drift is what such a sensor makes of a load that rises, in joules: it takes each refresh
// for as high as its look, which may be early or late in it.
func (s sensor) drift(p power) float64 { return ends((p.last - p.first) * s.off()) }

// uniform is the standard uncertainty of what may be anywhere in a width.
func uniform(width float64) float64 { return math.Abs(width) / math.Sqrt(12) }

// half is that of what may be anywhere so far to either side.
func half(width float64) float64 { return math.Abs(width) / math.Sqrt(3) }

// ends is that of what may be anywhere so far to either side, and is likelier at an end
// than in the middle (by an arcsine). A sensor that looks at one end of each refresh does
// so in every window, and all that depends on it errs the same way.
func ends(width float64) float64 { return math.Abs(width) / math.Sqrt2 }
