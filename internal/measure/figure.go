package measure

import (
	"maps"
	"math"
	"slices"
)

// Figure is an energy with its standard uncertainty (k = 1), by component.
type Figure struct {
	Energy     Joules
	U          Joules
	Components map[string]Joules
}

// Names of components, protocol section 4.
const (
	openingEdge  = "opening_edge"
	closingEdge  = "closing_edge"
	dutyCycle    = "sensor_duty_cycle"
	sampling     = "sampling"
	gaps         = "gaps"
	disagreement = "sensor_disagreement"
	callDelay    = "call_delay"
	polling      = "polling"     // of ticks at the edges
	sensorLook   = "sensor_look" // which part of a refresh the sensor looks at
	resolution   = "resolution"  // of stamps and readings
	display      = "display"     // how late readings are shown, and when the load began
	loadEnd      = "load_end"    // when the load ended, before its last byte was stamped
)

// Compare grows f by what another instrument says otherwise, where that is more
// than three times what both allow; ok says that it is not. The errors of the two
// are taken to be independent: whether the counter integrates the very looks of the sensor
// that are read as power, the driver's makers do not say.
func (f *Figure) Compare(other *Figure) (ok bool) { return f.compare(other, 0) }

// CompareCounter is Compare for two that read the same counter: of a load that
// varies it missed for both what its sensor did not look at.
func (f *Figure) CompareCounter(other *Figure) (ok bool) {
	return f.compare(other, 2*float64(f.Components[dutyCycle])*float64(other.Components[dutyCycle]))
}

// compare is for two figures whose errors have this covariance, twice.
func (f *Figure) compare(other *Figure, covariance float64) (ok bool) {
	u, v := float64(f.U), float64(other.U)
	diff := math.Abs(float64(f.Energy - other.Energy))
	if diff <= disagreementLimit*math.Sqrt(max(0, u*u+v*v-covariance)) {
		return true
	}
	f.Components[disagreement] = Joules(diff / math.Sqrt(3))
	f.sum()
	return false
}

// disagreementLimit is from how many joint standard uncertainties on two instruments
// disagree: protocol section 4. Two that agree are so far apart in 0.3 % of all windows.
const disagreementLimit = 3

// TotalU is the uncertainty of several GPUs' sum, all of it and by component; nil
// when any is unknown. GPUs that share a job rise, fall and end together, and what
// is not known of one has the same sign on the others: components add linearly.
// Where a tick fell between two polls is each GPU's own, and adds in quadrature; so does
// what sensors miss that look at different times (see alike).
func TotalU(es []DeviceEnergy) (u *Joules, components map[string]Joules) {
	f := Figure{Components: map[string]Joules{}}
	for _, e := range es {
		if e.U == nil {
			return nil, map[string]Joules{}
		}
		for name, c := range e.Components {
			switch name {
			case polling:
				f.Components[name] = Joules(math.Hypot(float64(f.Components[name]), float64(c)))
			case dutyCycle: // below
			default:
				f.Components[name] += c
			}
		}
	}
	if missed := missedTogether(es); missed >= 0 {
		f.Components[dutyCycle] = Joules(missed)
	}
	if len(es) == 0 {
		return nil, f.Components
	}
	return &f.sum().U, f.Components
}

// missedTogether is what the sensors of GPUs under one load missed of it in all; below 0
// where none of them says.
func missedTogether(es []DeviceEnergy) float64 {
	sum, known := 0.0, false
	for i := range es {
		a, ok := es[i].Components[dutyCycle]
		known = known || ok
		for j := range es {
			sum += float64(a*es[j].Components[dutyCycle]) * alike(&es[i], &es[j])
		}
	}
	if !known {
		return -1
	}
	return math.Sqrt(sum)
}

// alike is how much two sensors miss the same of a load that both carry, from 0 to 1. Of a
// step somewhere in a refresh each sees too much or too little in proportion to where
// it is from its look, so that their errors are a sawtooth, and at a distance d of
// their ticks, as a share of the refresh, correlate by 1 - 6d(1 - d). What is below 0
// is not taken to make the sum better known.
func alike(a, b *DeviceEnergy) float64 {
	if a == b {
		return 1
	}
	if a.every <= 0 || math.Abs(a.every-b.every) > 0.01*a.every {
		return 1 // their distance is not known, or changes
	}
	d := math.Abs(a.phase-b.phase) / a.every
	d -= math.Floor(d)
	return max(0, 1-6*d*(1-d))
}

// sum settles a figure from its components, which are independent. They are
// added in one order, since another one may give another last digit.
func (f *Figure) sum() *Figure {
	var s float64
	for _, name := range slices.Sorted(maps.Keys(f.Components)) {
		u := float64(f.Components[name])
		s += u * u
	}
	f.U = Joules(math.Sqrt(s))
	return f
}
