package measure

import (
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
)

// A GPU that stops answering gives no energy, by any method: what it did after its
// last reading is not known. One that is only read late now and then does.
func TestAGPUThatIsLostInTheWindow(t *testing.T) {
	sensor := []device.Sensor{{Refresh: 100 * time.Millisecond, Duty: 1}}
	for name, c := range map[string]struct {
		gone, back float64 // seconds since the epoch, not answering between them
		without    device.Field
		lost       bool
	}{
		"all along":             {99, 99, 0, false},
		"from the middle on":    {7, 99, 0, true},
		"by power from there":   {7, 99, device.HasEnergy, true},
		"by counter from there": {7, 99, device.HasPowerInstant, true},
		"before it opens":       {2, 99, 0, true},
		"until the middle":      {2, 7, 0, true},
		"for half a second":     {7, 7.5, 0, false},
		"just before the end":   {12.95, 99, device.HasEnergy, false},
	} {
		all, from, to := steps(0.005)
		var samples []device.Sample
		for _, s := range all {
			if at := s.At.Seconds(); at < c.gone || at >= c.back {
				s.Has &^= c.without
				samples = append(samples, s)
			}
		}
		e := WindowEnergy(samples, sensor, from, to)[0]
		if e.Lost != c.lost || (e.Energy == nil) != c.lost || c.lost && (e.U != nil || e.Counter != nil || e.Integral != nil) {
			t.Errorf("%s: %+v, want lost: %v", name, e, c.lost)
		}
		slice := SliceEnergy(samples, sensor, from+2*time.Second, to-time.Second)[0]
		if c.gone == 7 && c.back == 99 && slice.Energy != nil {
			t.Errorf("%s: a slice of it has %g J", name, float64(*slice.Energy))
		}
	}
	if e := WindowEnergy(nil, sensor, 0, time.Second)[0]; e.Lost {
		t.Error("a GPU that was never read is not lost")
	}
}
