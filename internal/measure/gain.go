package measure

import (
	"math"
	"slices"
	"strings"
	"unicode"
)

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
// 5 % for every card, which nvml.h says of Fermi and Kepler only
// (nvmlDeviceGetPowerUsage).
var OlderGain = Gain{HalfWidth: 0.05, Source: "taken for every card by the llem that wrote this", Standing: Uncharacterised}

// unknownGain is the widest limit that was seen of any card in the table below.
var unknownGain = Gain{0.11, "no comparison with an external meter found; the widest of those below that were compared", Uncharacterised}

// gains are the limits by compute capability and, where cards of one capability differ
// in what is known of them, by a word of the card's name. Protocol section 11.
//
// Jetson modules (7.2, 8.7) have other sensors than boards, and are not in it.
var gains = []struct {
	capabilities []string
	word         string // of the name; empty: any
	gain         Gain
}{
	{[]string{"7.0"}, "", Gain{0.06, "arXiv 2312.02741 and its raw data, of few cards", MeasuredByOthers}},
	{[]string{"7.5"}, "", Gain{0.11, "arXiv 2312.02741 and its raw data: -6.2 to +10.9 % seen on Turing", MeasuredByOthers}},
	{[]string{"8.0", "8.6", "8.9"}, "", Gain{0.06, "arXiv 2312.02741 and its raw data: -6 to -4 % seen on A100, Ampere and Ada", MeasuredByOthers}},
	{[]string{"9.0"}, "H100", Gain{0.06, "as of A100 (arXiv 2312.02741); no comparison of an H100 with an external meter found", Extrapolated}},
}

// GainOf is the widest limit among cards, which share a figure; of none, that of a
// card which is not known.
func GainOf(cards []Device) Gain {
	if len(cards) == 0 {
		return unknownGain
	}
	return slices.MaxFunc(gainsOf(cards), func(a, b Gain) int {
		switch {
		case a.HalfWidth < b.HalfWidth:
			return -1
		case a.HalfWidth > b.HalfWidth:
			return 1
		}
		return 0
	})
}

func gainsOf(cards []Device) (out []Gain) {
	for _, d := range cards {
		of := unknownGain
		for _, row := range gains {
			if slices.Contains(row.capabilities, d.ComputeCapability) && (row.word == "" || named(d, row.word)) {
				of = row.gain
			}
		}
		out = append(out, of)
	}
	return out
}

// Scopes of an energy, protocol section 11.
const (
	ScopeGPU    = "gpu"
	ScopeModule = "module" // GPU, CPU and their memory
	ScopeHost   = "host"
)

// modules are words in the names of those whose counter is the whole module's: see
// Zeus' pull request 172 for GH200.
var modules = []string{"GH200", "GB200"}

// ScopeOf says whose energy the counters of cards give.
func ScopeOf(cards []Device) string {
	for _, d := range cards {
		if slices.ContainsFunc(modules, func(word string) bool { return named(d, word) }) {
			return ScopeModule
		}
	}
	return ScopeGPU
}

// named says that a word is in the card's name: H100 is not in GH100.
func named(d Device, word string) bool {
	words := strings.FieldsFunc(d.Name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, word) })
}
