package card

import (
	"fmt"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
)

// The limit of the sensor's gain is by what others have measured of such a card, and
// the widest where no one has.
func TestTheGainIsOfTheCard(t *testing.T) {
	for _, c := range []struct {
		name, capability string
		half             float64
		standing         string
		scope            string
	}{
		{"Tesla V100-SXM2-16GB", "7.0", 0.06, measure.MeasuredByOthers, measure.ScopeGPU},
		{"NVIDIA TITAN V", "7.0", 0.06, measure.MeasuredByOthers, measure.ScopeGPU},
		{"NVIDIA GeForce RTX 2080 Ti", "7.5", 0.11, measure.MeasuredByOthers, measure.ScopeGPU},
		{"Tesla T4", "7.5", 0.11, measure.MeasuredByOthers, measure.ScopeGPU},
		{"NVIDIA A100-SXM4-80GB", "8.0", 0.06, measure.MeasuredByOthers, measure.ScopeGPU},
		{"NVIDIA GeForce RTX 3090", "8.6", 0.06, measure.MeasuredByOthers, measure.ScopeGPU},
		{"NVIDIA L40S", "8.9", 0.06, measure.MeasuredByOthers, measure.ScopeGPU},
		{"NVIDIA H100 80GB HBM3", "9.0", 0.06, measure.Extrapolated, measure.ScopeGPU},
		{"NVIDIA H100 PCIe", "9.0", 0.06, measure.Extrapolated, measure.ScopeGPU},
		{"NVIDIA H100 NVL", "9.0", 0.06, measure.Extrapolated, measure.ScopeGPU},
		{"NVIDIA H200", "9.0", 0.11, measure.Uncharacterised, measure.ScopeGPU},
		{"NVIDIA H20", "9.0", 0.11, measure.Uncharacterised, measure.ScopeGPU},
		{"NVIDIA H800", "9.0", 0.11, measure.Uncharacterised, measure.ScopeGPU},
		{"NVIDIA GH200 480GB", "9.0", 0.11, measure.Uncharacterised, measure.ScopeModule},
		{"NVIDIA GH200 144G HBM3e", "9.0", 0.11, measure.Uncharacterised, measure.ScopeModule},
		{"NVIDIA B200", "10.0", 0.11, measure.Uncharacterised, measure.ScopeGPU},
		{"NVIDIA GB200", "10.0", 0.11, measure.Uncharacterised, measure.ScopeModule},
		{"NVIDIA GeForce RTX 5090", "12.0", 0.11, measure.Uncharacterised, measure.ScopeGPU},
		{"Tesla P100-PCIE-16GB", "6.0", 0.11, measure.Uncharacterised, measure.ScopeGPU},
		{"Orin", "8.7", 0.11, measure.Uncharacterised, measure.ScopeGPU},
		{"Xavier", "7.2", 0.11, measure.Uncharacterised, measure.ScopeGPU},
		{"NVIDIA A100-SXM4-80GB", "", 0.11, measure.Uncharacterised, measure.ScopeGPU},
		{"NVIDIA H100 80GB HBM3", "", 0.11, measure.Uncharacterised, measure.ScopeGPU},
		{"", "8.0", 0.06, measure.MeasuredByOthers, measure.ScopeGPU},
		{"", "9.0", 0.11, measure.Uncharacterised, measure.ScopeGPU},
		{"", "", 0.11, measure.Uncharacterised, measure.ScopeGPU},
	} {
		cards := []device.Device{{Name: c.name, ComputeCapability: c.capability}}
		g := GainOf(cards)
		if g.HalfWidth != c.half || g.Standing != c.standing || g.Source == "" {
			t.Errorf("%q (%s): %+v, want %g %s", c.name, c.capability, g, c.half, c.standing)
		}
		if got := ScopeOf(cards); got != c.scope {
			t.Errorf("%q: scope %s, want %s", c.name, got, c.scope)
		}
	}
}

func TestCardsOfSeveralKindsHaveTheWidestGain(t *testing.T) {
	a100, h100, unknown := device.Device{ComputeCapability: "8.0"}, device.Device{Name: "NVIDIA H100 PCIe", ComputeCapability: "9.0"}, device.Device{}
	grace := device.Device{Name: "NVIDIA GH200 480GB", ComputeCapability: "9.0"}
	for name, c := range map[string]struct {
		cards []device.Device
		half  float64
		scope string
	}{
		"none":             {nil, 0.11, measure.ScopeGPU},
		"two of one kind":  {[]device.Device{a100, a100}, 0.06, measure.ScopeGPU},
		"equal limits":     {[]device.Device{a100, h100}, 0.06, measure.ScopeGPU},
		"one is not known": {[]device.Device{a100, unknown, h100}, 0.11, measure.ScopeGPU},
		"one is a module":  {[]device.Device{a100, grace}, 0.11, measure.ScopeModule},
	} {
		if g := GainOf(c.cards); g.HalfWidth != c.half {
			t.Errorf("%s: %g, want %g", name, g.HalfWidth, c.half)
		}
		if got := ScopeOf(c.cards); got != c.scope {
			t.Errorf("%s: scope %s, want %s", name, got, c.scope)
		}
	}
}

func TestTheSensorIsOfTheCard(t *testing.T) {
	limit := 300.0
	for kind, want := range map[string]string{
		"7.0": "0.5 false", "8.0": "0.25 false", "8.6": "1 true", "9.0": "0.25 true", "12.0": "0.25 true", "": "0.25 true",
		"gfx942": "0.25 true",
	} {
		cards := []device.Device{{ComputeCapability: kind}, {ComputeCapability: kind, PowerLimitW: &limit}}
		got := SensorsOf(cards, []time.Duration{time.Second}, []time.Duration{time.Millisecond})
		for i, s := range got {
			if got := fmt.Sprint(s.Duty, " ", s.MeanUsage); got != want {
				t.Errorf("%q: %+v, want %s", kind, s, want)
			}
			if (s.Refresh == time.Second && s.Jitter == time.Millisecond) != (i == 0) || (s.LimitW == limit) != (i == 1) {
				t.Errorf("%q: card %d has %+v", kind, i, s)
			}
		}
	}
}

func TestCardsBeforeVoltaHaveNoCounter(t *testing.T) {
	for kind, want := range map[string]bool{"6.1": false, "7.0": true, "12.0": true, "": true, "gfx942": true} {
		if got := Counts(device.Device{ComputeCapability: kind}); got != want {
			t.Errorf("%q: %v, want %v", kind, got, want)
		}
	}
}
