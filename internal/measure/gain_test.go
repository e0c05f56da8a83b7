package measure

import (
	"math"
	"testing"
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
		{"Tesla V100-SXM2-16GB", "7.0", 0.06, MeasuredByOthers, ScopeGPU},
		{"NVIDIA TITAN V", "7.0", 0.06, MeasuredByOthers, ScopeGPU},
		{"NVIDIA GeForce RTX 2080 Ti", "7.5", 0.11, MeasuredByOthers, ScopeGPU},
		{"Tesla T4", "7.5", 0.11, MeasuredByOthers, ScopeGPU},
		{"NVIDIA A100-SXM4-80GB", "8.0", 0.06, MeasuredByOthers, ScopeGPU},
		{"NVIDIA GeForce RTX 3090", "8.6", 0.06, MeasuredByOthers, ScopeGPU},
		{"NVIDIA L40S", "8.9", 0.06, MeasuredByOthers, ScopeGPU},
		{"NVIDIA H100 80GB HBM3", "9.0", 0.06, Extrapolated, ScopeGPU},
		{"NVIDIA H100 PCIe", "9.0", 0.06, Extrapolated, ScopeGPU},
		{"NVIDIA H100 NVL", "9.0", 0.06, Extrapolated, ScopeGPU},
		{"NVIDIA H200", "9.0", 0.11, Uncharacterised, ScopeGPU},
		{"NVIDIA H20", "9.0", 0.11, Uncharacterised, ScopeGPU},
		{"NVIDIA H800", "9.0", 0.11, Uncharacterised, ScopeGPU},
		{"NVIDIA GH200 480GB", "9.0", 0.11, Uncharacterised, ScopeModule},
		{"NVIDIA GH200 144G HBM3e", "9.0", 0.11, Uncharacterised, ScopeModule},
		{"NVIDIA B200", "10.0", 0.11, Uncharacterised, ScopeGPU},
		{"NVIDIA GB200", "10.0", 0.11, Uncharacterised, ScopeModule},
		{"NVIDIA GeForce RTX 5090", "12.0", 0.11, Uncharacterised, ScopeGPU},
		{"Tesla P100-PCIE-16GB", "6.0", 0.11, Uncharacterised, ScopeGPU},
		{"Orin", "8.7", 0.11, Uncharacterised, ScopeGPU},
		{"Xavier", "7.2", 0.11, Uncharacterised, ScopeGPU},
		{"NVIDIA A100-SXM4-80GB", "", 0.11, Uncharacterised, ScopeGPU},
		{"NVIDIA H100 80GB HBM3", "", 0.11, Uncharacterised, ScopeGPU},
		{"", "8.0", 0.06, MeasuredByOthers, ScopeGPU},
		{"", "9.0", 0.11, Uncharacterised, ScopeGPU},
		{"", "", 0.11, Uncharacterised, ScopeGPU},
	} {
		cards := []Device{{Name: c.name, ComputeCapability: c.capability}}
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
	a100, h100, unknown := Device{ComputeCapability: "8.0"}, Device{Name: "NVIDIA H100 PCIe", ComputeCapability: "9.0"}, Device{}
	grace := Device{Name: "NVIDIA GH200 480GB", ComputeCapability: "9.0"}
	for name, c := range map[string]struct {
		cards []Device
		half  float64
		scope string
	}{
		"none":             {nil, 0.11, ScopeGPU},
		"two of one kind":  {[]Device{a100, a100}, 0.06, ScopeGPU},
		"equal limits":     {[]Device{a100, h100}, 0.06, ScopeGPU},
		"one is not known": {[]Device{a100, unknown, h100}, 0.11, ScopeGPU},
		"one is a module":  {[]Device{a100, grace}, 0.11, ScopeModule},
	} {
		if g := GainOf(c.cards); g.HalfWidth != c.half {
			t.Errorf("%s: %g, want %g", name, g.HalfWidth, c.half)
		}
		if got := ScopeOf(c.cards); got != c.scope {
			t.Errorf("%s: scope %s, want %s", name, got, c.scope)
		}
	}
}

// Any error within the limit is as likely: its standard deviation is the limit / √3.
func TestTheGainsUncertainty(t *testing.T) {
	for _, c := range []struct {
		g    Gain
		e    Joules
		want float64
	}{
		{Gain{HalfWidth: 0.06}, 6000, 207.846}, {Gain{HalfWidth: 0.11}, -100, 6.3509}, {OlderGain, 6000, 173.205}, {Gain{}, 6000, 0}, {OlderGain, 0, 0},
	} {
		if got := float64(c.g.U(c.e)); math.Abs(got-c.want) > 1e-3 {
			t.Errorf("%g of %g J: %g, want %g", c.g.HalfWidth, float64(c.e), got, c.want)
		}
	}
}
