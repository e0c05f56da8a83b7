package measure

import (
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// throttled are readings of GPU 0 every second, whose counter of reason k moves
// by the times of a second given, and whose bits are never seen.
func throttled(k int, seconds ...float64) (out []device.Sample) {
	var sum time.Duration
	for i, s := range append([]float64{0}, seconds...) {
		sum += time.Duration(s * float64(time.Second))
		x := device.Sample{At: time.Duration(i) * time.Second, Phase: uint8(WindowPhase), Has: device.HasThrottle | device.HasThrottled<<k}
		x.Throttled[k] = sum
		out = append(out, x)
	}
	return out
}

func TestThrottledTimesAreTheCountersOfTheSpan(t *testing.T) {
	samples := throttled(2, 0.25, 0.5, 0, 0.125)
	got := ThrottledTimes(samples, 0, time.Second, 3*time.Second)
	if got[2] == nil || *got[2] != 500*time.Millisecond {
		t.Errorf("got %v, want 0.5 s", got[2])
	}
	for k, d := range got {
		if k != 2 && d != nil {
			t.Errorf("%s is not counted and is %v", ThrottleKey(k), *d)
		}
	}
	if got := ThrottledTimes(samples, 1, 0, time.Minute); got[2] != nil {
		t.Errorf("another GPU's: %v", *got[2])
	}
	// Half a second in the second before the window's begin, of which it has half.
	if got := ThrottledTimes(samples, 0, 1500*time.Millisecond, 3500*time.Millisecond); got[2] == nil || *got[2] != 312500*time.Microsecond {
		t.Errorf("clipped: %v, want 0.25 s of the second and 0.0625 s of the last", got[2])
	}
	samples[3].Throttled[2] = 0 // the driver was loaded again
	if got := ThrottledTimes(samples, 0, time.Second, 3*time.Second); got[2] != nil {
		t.Errorf("a counter that went backwards: %v", *got[2])
	}
}

func TestThrottlingBetweenReadingsIsWarnedOf(t *testing.T) {
	for name, c := range map[string]struct {
		samples []device.Sample
		bits    device.Throttle
		code    string
		says    string
	}{
		"counted, never seen":  {throttled(3, 0, 0.031, 0), 0, "throttled", "in the window hardware thermal slowdown for 0.031 s (1.03 %)"},
		"older name":           {throttled(1, 0, 0.5, 0), 0, "throttled", "thermal slowdown for 0.500 s (16.67 %)"},
		"power cap":            {throttled(0, 1, 1, 1), 0x4, "power_capped", "software power cap for 3.000 s (100.00 %)"},
		"seen, not counted":    {throttled(2, 0, 0, 0), 0x80, "throttled", "hardware power brake in 1 of 4 readings"},
		"seen and counted too": {throttled(4, 0, 0.5, 0), 0x88, "throttled", "hardware power brake for 0.500 s (16.67 %), hardware slowdown in 1 of 4"},
		"a moment":             {throttled(3, 0, 0.0029, 0), 0x40, "", ""},
		"two moments":          {throttled(3, 0, 0.0029, 0), 0x80, "throttled", "hardware thermal slowdown for 0.003 s (0.10 %), hardware power brake in"},
		"nothing":              {throttled(2, 0, 0, 0), 0x1, "", ""},
	} {
		c.samples[2].Throttle = c.bits
		f := GPUFacts{Samples: c.samples, From: 0, To: 3 * time.Second}
		for _, w := range f.device(0, device.Device{}, DeviceEnergy{Samples: minSamples}) {
			if w.Code != c.code || !strings.Contains(w.Message, c.says) {
				t.Errorf("%s: %s", name, w)
			}
			c.code = ""
		}
		if c.code != "" {
			t.Errorf("%s: %s was not raised", name, c.code)
		}
	}
}

// What lies before the window and after it, in the polls at its edges, is no
// concern of it.
func TestThrottlingOutsideTheWindowIsNoneOfIt(t *testing.T) {
	samples := throttled(3, 0.5, 0, 0, 0.5)
	samples[0].Throttle, samples[4].Throttle = 0x40, 0x40
	f := GPUFacts{Samples: samples, From: time.Second, To: 3 * time.Second}
	for _, w := range f.device(0, device.Device{}, DeviceEnergy{Samples: minSamples}) {
		t.Errorf("%s", w)
	}
}
