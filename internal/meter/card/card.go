package card

import (
	"cmp"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
)

// SensorsOf is what is known of the sensors of cards. refresh and jitter are of their
// counters, by card, as measured; a card that they do not reach has no counter.
func SensorsOf(cards []device.Device, refresh, jitter []time.Duration) []device.Sensor {
	out := make([]device.Sensor, len(cards))
	for i, d := range cards {
		out[i] = sensorOf(d)
		if i < len(refresh) {
			out[i].Refresh, out[i].Jitter = refresh[i], jitter[i]
		}
		if d.PowerLimitW != nil {
			out[i].LimitW = *d.PowerLimitW
		}
	}
	return out
}

func sensorOf(d device.Device) device.Sensor {
	s := device.Sensor{Duty: device.LeastDuty, MeanUsage: !instantUsage(d.ComputeCapability)}
	if duty, listed := duties[d.ComputeCapability]; listed {
		s.Duty = duty
	}
	return s
}

// unknownGain is the widest limit that was seen of any card.
var unknownGain = measure.Gain{HalfWidth: 0.11, Source: "no comparison with an external meter found; the widest that was seen of any card", Standing: measure.Uncharacterised}

// GainOf is the widest limit among cards, which share a figure; of none, that of a
// card which is not known.
func GainOf(cards []device.Device) measure.Gain {
	if len(cards) == 0 {
		return unknownGain
	}
	each := make([]measure.Gain, len(cards))
	for i, d := range cards {
		each[i] = gainOf(d)
	}
	return slices.MaxFunc(each, func(a, b measure.Gain) int { return cmp.Compare(a.HalfWidth, b.HalfWidth) })
}

func gainOf(d device.Device) measure.Gain {
	of := unknownGain
	for _, row := range gains {
		if slices.Contains(row.capabilities, d.ComputeCapability) && (row.word == "" || named(d, row.word)) {
			of = measure.Gain{HalfWidth: row.half, Source: row.source, Standing: row.standing}
		}
	}
	return of
}

// ScopeOf says whose energy the counters of cards give.
func ScopeOf(cards []device.Device) string {
	for _, d := range cards {
		if slices.ContainsFunc(modules, func(word string) bool { return named(d, word) }) {
			return measure.ScopeModule
		}
	}
	return measure.ScopeGPU
}

// named says that a word is in the card's name: H100 is not in GH100.
func named(d device.Device, word string) bool {
	words := strings.FieldsFunc(d.Name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, word) })
}
