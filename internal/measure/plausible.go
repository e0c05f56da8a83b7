package measure

import "fmt"

const (
	// overLimit is by how much a GPU may draw more than its power limit, as a share: the
	// limit holds for a mean, and the sensor has a gain. Assumed.
	overLimit = 1.25
	// underIdle is the share of the lowest power that was seen which a mean may be under.
	// Assumed.
	underIdle = 0.9
)

// implausible says why readings of one GPU cannot be what it used; empty: they can.
func (v *view) implausible(e *DeviceEnergy) string {
	if e.Energy == nil {
		return ""
	}
	limit, T := v.sensor.limit, v.span.seconds()
	mean := float64(*e.Energy) / T
	switch {
	case limit > 0 && mean*T > overLimit*limit*(T+2*v.sensor.refresh):
		return fmt.Sprintf("%.0f J in %.1f s is more than its power limit of %.0f W allows", mean*T, T, limit)
	case mean < underIdle*v.power.least:
		return fmt.Sprintf("%.0f J in %.1f s is less than its lowest power, %.0f W, makes", mean*T, T, v.power.least)
	case e.Counter == nil:
		return ""
	}
	return v.counter.irregular(v.span, v.pace.step, limit)
}
