package measure

import (
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// stretch is a span in seconds since the recorder's epoch.
type stretch struct{ from, to float64 }

func (s stretch) seconds() float64 { return s.to - s.from }

// view is what one GPU showed around a span: each part is found from those above it.
type view struct {
	span     stretch
	sensor   sensor
	readings []reading
	pace     pace
	counter  counter
	profile  profile
	power    power
	ending   ending // the tick that the end of the span falls into
	ended    bool   // it was seen
	delay    delay
}

// see collects the readings of one GPU, and finds what they show around a span. ok is
// false when too few bear on it.
func see(samples []device.Sample, gpu int32, from, to time.Duration, s device.Sensor) (v *view, ok bool) {
	v = &view{span: stretch{from.Seconds(), to.Seconds()}, sensor: assume(s)}
	var averaged bool
	v.readings, averaged = readingsOf(samples, gpu, s)
	near := surround(v.readings, v.span, v.sensor.refresh)
	if len(near.idle) < 2 || len(near.inside) < 3 {
		return nil, false
	}
	v.pace = near.pace(v.readings, v.span, v.sensor.refresh)
	v.pace.averaged = averaged
	v.counter = counter{readings: v.readings, refresh: v.sensor.refresh, jitter: v.sensor.jitter}
	v.counter.opened = v.counter.tickBefore(v.span.from)
	v.power = near.rest(v.span.from - max(restBefore, 3*v.pace.shows))
	if idle, spread, ok := v.counter.rest(v.power.idle); ok {
		v.power.idle, v.power.spread = idle, spread
		v.power.least = min(v.power.least, idle)
	}
	shown := shownLevels(v.readings, v.span, v.pace.usual())
	v.profile = profile{list: shown, jump: jump(shown)}
	list, quantum, ok := v.counter.levels(v.span, averaged)
	if v.counter.quantum = quantum; ok {
		v.profile.list, v.profile.byTicks = list, true
	}
	if v.sensor.jitter > fine*v.sensor.refresh {
		v.counter.uneven = v.counter.quantised()
	}
	if len(v.profile.list) < 3 {
		return nil, false
	}
	v.power.heights(v.profile.list, v.span.from+v.pace.shows)
	v.power.unrest()
	v.ending, v.ended = v.counter.ending(v.span.to)
	if v.owned() {
		v.sensor.duty = 1
	}
	v.aftermath()
	v.delay = unknownDelay(v.sensor.refresh)
	return v, true
}

// aftermath finds the power right after the span, and how low it fell, as far as the
// ticks after the end show them.
func (v *view) aftermath() {
	p, e := &v.power, v.ending
	p.end = p.last
	if !v.ended || v.sensor.duty < 1 || v.counter.coarse(p.lowest) || e.rest <= 0 {
		return
	}
	for _, tick := range e.after[:e.afters] {
		p.lowest = min(p.lowest, tick/v.sensor.refresh)
	}
	z, _ := e.split(*p, v.sensor, v.pace.wake)
	p.end = (e.energy - z) / e.rest
}

// begin deduces how late ticks are shown from a load that had its first power from the
// start of the span on, and from its end. begun is by when the load had begun, at the
// latest, after the start; 0: not known.
func (v *view) begin(begun time.Duration) {
	if begun > 0 {
		v.delay.begun = begun.Seconds()
	}
	if lacks, u, ok := v.counter.lacking(v.power, v.span, v.pace.step); ok {
		v.delay.opening(lacks, u, v.power, v.sensor.refresh)
		v.delay.rose = v.counter.rose(v.power, v.span)
	}
	if v.ended && v.sensor.duty >= 1 && !v.counter.coarse(v.power.lowest) && v.ending.rest > 0 {
		v.delay.closing(v.ending, v.power, v.sensor, v.pace.wake)
	}
}
