package measure

import "math"

// Standings of a gain's limit: who has held this kind of sensor to another meter.
const (
	MeasuredByOthers = "measured by others"
	Extrapolated     = "extrapolated"    // from cards of another kind
	Uncharacterised  = "uncharacterised" // no comparison is published
)

// Gain is a limit on how far the readings of a card's power sensor may be off in
// proportion. The error is common to all runs on the card: no repeat shows it.
type Gain struct {
	HalfWidth float64 // as a share of the energy: 0.06 is ± 6 %
	Source    string
	Standing  string
}

// U is the standard uncertainty that the gain leaves in e: anywhere within the limit
// is as likely.
func (g Gain) U(e Joules) Joules {
	return Joules(g.HalfWidth / math.Sqrt(3) * math.Abs(float64(e)))
}

// OlderGain is that of records from before they said which limit they have. They took
// 5 % for every card, which the driver's header says of its oldest cards only.
var OlderGain = Gain{HalfWidth: 0.05, Source: "taken for every card by the llem that wrote this", Standing: Uncharacterised}

// Scopes of an energy, protocol section 11.
const (
	ScopeGPU    = "gpu"
	ScopeModule = "module" // GPU, CPU and their memory
	ScopeHost   = "host"
)
