package measure

import (
	"fmt"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

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

// slowReading is how long a reading may take before what it read is said to be unsure
// when.
const slowReading = 5 * time.Millisecond

// slow is how long a reading of a GPU took in a span, the median, where that is long.
func slow(samples []device.Sample, gpu int32, from, to time.Duration) (took time.Duration, ok bool) {
	var all []time.Duration
	for i := range samples {
		if s := &samples[i]; s.GPU == gpu && s.At >= from && s.At <= to {
			all = append(all, s.Took)
		}
	}
	if len(all) == 0 {
		return 0, false
	}
	slices.Sort(all)
	took = all[len(all)/2]
	return took, took > slowReading
}
