package measure

import (
	"fmt"
	"math"
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
	// standing is for how many refreshes a counter may show the same value.
	standing = 4
)

// implausible says why readings of one GPU cannot be what it used; empty: they can.
func (v *view) implausible(e *DeviceEnergy, limitW float64) string {
	if e.Energy == nil {
		return ""
	}
	T, mean := v.to-v.from, float64(*e.Energy)/(v.to-v.from)
	switch {
	case limitW > 0 && mean*T > overLimit*limitW*(T+2*v.refresh):
		return fmt.Sprintf("%.0f J in %.1f s is more than its power limit of %.0f W allows", mean*T, T, limitW)
	case mean < underIdle*v.least:
		return fmt.Sprintf("%.0f J in %.1f s is less than its lowest power, %.0f W, makes", mean*T, T, v.least)
	case e.Counter == nil:
		return ""
	}
	return v.irregular(limitW)
}

// irregular says how the counter did not count all along; empty: it did.
func (v *view) irregular(limitW float64) string {
	if limitW <= 0 {
		for _, r := range v.readings {
			limitW = max(limitW, 2*r.power)
		}
	}
	var prev *reading
	var moved float64 // when
	for i := range v.readings {
		r := &v.readings[i]
		switch {
		case r.at < v.opened.at-v.refresh || r.at > v.to+2*v.refresh:
			continue
		case !r.counted && prev != nil && r.at < v.to, r.counted && prev == nil && r.at > v.from:
			return "the energy counter was not there in all of the window"
		case !r.counted:
			continue
		case prev == nil || r.mj != prev.mj:
			moved = r.at
		case r.at <= v.to && r.at-moved > standing*v.refresh+v.step && v.quantum == 0:
			return fmt.Sprintf("the energy counter stood still for %.1f s in the window", r.at-moved)
		}
		if prev != nil && limitW > 0 && (r.mj-prev.mj)/1000 > 1.5*limitW*(r.at-prev.at+2*v.refresh+r.took) {
			return fmt.Sprintf("the energy counter jumped by %.0f J within %.2f s", (r.mj-prev.mj)/1000, r.at-prev.at)
		}
		prev = r
	}
	return ""
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

// restless says that power was still falling before the span.
func (v *view) restless() bool {
	return v.idleSpread > leastRise*math.Abs(v.first-v.least) && v.idleSpread > leastRise*v.first/2
}
