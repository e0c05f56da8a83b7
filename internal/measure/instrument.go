package measure

import (
	"math"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// Reading is what another instrument measured from its opening to its closing.
type Reading struct {
	GPU    *Joules  // of all the GPUs that it was asked for; nil: none was
	PerGPU []Joules // by device; nil where it does not tell them apart

	// The host's, by CodeCarbon.
	CPU, RAM    Joules
	CPUMethod   string
	CPUMeasured bool    // else a model of the CPU; its memory always is one
	Carbon      *Carbon // nil: none
}

// Carbon is an energy's greenhouse gas, by CodeCarbon.
type Carbon struct {
	KgCO2eq          float64
	Country          string // ISO 3166, three letters
	IntensityGPerKWh float64
	Source           string  // of the intensity
	PUE              float64 // which the gas contains and no energy here does
}

// Edges are the powers around a window, by which another instrument's counter
// readings are judged. The zero value tells nothing.
type Edges struct{ v *view }

// Unaligned finds the edges of each GPU. Another instrument reads the counters
// when it is called, wherever their ticks stand.
func Unaligned(samples []device.Sample, sensors []device.Sensor, from, to time.Duration) []Edges {
	out := make([]Edges, len(sensors))
	for g := range out {
		if v, ok := see(samples, int32(g), from, to, sensors[g]); ok && v.sensor.refresh > 0 {
			v.begin(0)
			out[g].v = v
		}
	}
	return out
}

// Figure is the uncertainty of an instrument that may have opened so early before
// the window and closed so late after it. It has no energy, which is the
// instrument's; ok is false where nothing is known.
func (e Edges) Figure(early, late time.Duration) (f *Figure, ok bool) {
	v := e.v
	if v == nil {
		return nil, false
	}
	p, refresh := v.power, v.sensor.refresh
	// The counter is up to a refresh old when it is read: at the opening that much
	// idle power is in the figure, at the closing that much load is not.
	bias := (p.last - p.idle) * (refresh/2 + v.delay.shown.most)
	f = &Figure{Components: map[string]Joules{
		openingEdge: Joules(math.Hypot(uniform(p.idle*refresh), half(p.rise()*2*v.sensor.off()))),
		closingEdge: Joules(math.Hypot(math.Hypot(uniform(p.last*refresh), bias), closingJump*p.jump*refresh/2)),
		callDelay:   Joules(math.Hypot(p.idle*early.Seconds(), p.last*late.Seconds()) / math.Sqrt(3)),
		dutyCycle:   v.missed(),
		sensorLook:  Joules(v.sensor.drift(p)),
		loadEnd:     Joules(p.endsBefore(v.pace.wake)),
		resolution:  v.resolution(),
	}}
	return f.sum(), true
}
