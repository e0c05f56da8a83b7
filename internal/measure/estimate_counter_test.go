package measure

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// lateEnd is a window of 10 s at 600 W between idle at 80 W whose last byte is
// stamped so many seconds after the power fell (at once, or by an exponential of
// decay seconds), and after whose end the first poll comes so many seconds later.
func lateEnd(late, decay, poll float64) (samples []device.Sample, from, to time.Duration, truth float64) {
	const t0, t1 = 3.105, 13.105
	var polls []float64
	add := func(a, b, every float64) {
		for ; a < b; a += every {
			polls = append(polls, a)
		}
	}
	add(0.1, 3, 0.1)
	add(3, 3.1, 0.005)
	for k := range 99 { // this process wakes as late as the one that stamps the byte
		polls = append(polls, 3.2+0.1*float64(k)+late*float64(k%4/3))
	}
	add(t1+poll, t1+poll+0.32, 0.005)
	var l load
	l.add(t0, 80)
	l.add(t1-t0-late, 600)
	for k := range 200 {
		if decay > 0 {
			l.add(0.005, 80+520*math.Exp(-(float64(k)+0.5)*0.005/decay))
		}
	}
	l.add(3, 80)
	from, to = time.Duration(t0*1e9), time.Duration(t1*1e9)
	return edged(sense(&l, polls, 0, 0.1, 0.03, 1), from, to), from, to, l.energy(t1) - l.energy(t0)
}

// The client stamps the last byte when the power has fallen, or polls late, after
// the tick that the window ends in: on a busy host by tens of milliseconds.
func TestTheIntervalHoldsALateEnd(t *testing.T) {
	sensor := []device.Sensor{{Refresh: 100 * time.Millisecond, Duty: 1}}
	for _, late := range []float64{0, 0.01, 0.03, 0.06, 0.09} {
		for _, decay := range []float64{0, 0.02, 0.1} {
			for _, poll := range []float64{0.001, 0.02, 0.04, 0.09} {
				name := fmt.Sprintf("stamped %g s late, decay %g s, polled %g s later", late, decay, poll)
				samples, from, to, truth := lateEnd(late, decay, poll)
				e := WindowEnergy(samples, sensor, from, to)[0]
				if e.Method != MethodAligned || e.U == nil {
					t.Errorf("%s: %s, u %v", name, e.Method, e.U)
					continue
				}
				if diff := float64(*e.Energy) - truth; math.Abs(diff) > 2*float64(*e.U) || float64(*e.U) > 8+520*(late+poll) {
					t.Errorf("%s: off by %.2f J, u %.2f J", name, diff, float64(*e.U))
				}
			}
		}
	}
}
