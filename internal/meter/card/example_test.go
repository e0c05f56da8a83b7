package card_test

import (
	"fmt"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/meter/card"
)

func ExampleGainOf() {
	for _, d := range []device.Device{{Name: "NVIDIA A100-SXM4-80GB", ComputeCapability: "8.0"}, {Name: "NVIDIA H200", ComputeCapability: "9.0"}} {
		g := card.GainOf([]device.Device{d})
		fmt.Printf("%s: ± %.0f %%, %s; u of 1000 J: %.1f J\n", d.Name, 100*g.HalfWidth, g.Standing, g.U(1000))
	}
	// Output:
	// NVIDIA A100-SXM4-80GB: ± 6 %, measured by others; u of 1000 J: 34.6 J
	// NVIDIA H200: ± 11 %, uncharacterised; u of 1000 J: 63.5 J
}
