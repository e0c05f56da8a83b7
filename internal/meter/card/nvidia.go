package card

import (
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
)

// duties are the shares of a refresh that sensors were found to see, by compute
// capability: arXiv 2312.02741 and its raw data. Pascal and Volta see 10 of 20 ms,
// Turing 100 of 100, GA100 and GH100 25 of 100, the other Ampere and Ada boards 100 of
// 100. A card that is not listed is unknown.
var duties = map[string]float64{
	"6.0": 0.5, "6.1": 0.5, "7.0": 0.5, "7.5": 1, "8.0": 0.25, "8.6": 1, "8.9": 1, "9.0": 0.25,
}

// instantUsage says that the driver's power figure (nvmlDeviceGetPowerUsage) is known to
// be no mean. nvml.h: it is a mean of one second on Ampere, except GA100, and newer.
func instantUsage(capability string) bool {
	n, known := major(capability)
	return known && n < 8 || capability == "8.0"
}

// gains are the limits by compute capability and, where cards of one capability differ
// in what is known of them, by a word of the card's name. Protocol section 11.
//
// Jetson modules (7.2, 8.7) have other sensors than boards, and are not in it.
var gains = []struct {
	capabilities []string
	word         string // of the name; empty: any
	half         float64
	source       string
	standing     string
}{
	{[]string{"7.0"}, "", 0.06, "arXiv 2312.02741 and its raw data, of few cards", measure.MeasuredByOthers},
	{[]string{"7.5"}, "", 0.11, "arXiv 2312.02741 and its raw data: -6.2 to +10.9 % seen on Turing", measure.MeasuredByOthers},
	{[]string{"8.0", "8.6", "8.9"}, "", 0.06, "arXiv 2312.02741 and its raw data: -6 to -4 % seen on A100, Ampere and Ada", measure.MeasuredByOthers},
	{[]string{"9.0"}, "H100", 0.06, "as of A100 (arXiv 2312.02741); no comparison of an H100 with an external meter found", measure.Extrapolated},
}

// modules are words in the names of those whose counter is the whole module's: see
// Zeus' pull request 172 for GH200.
var modules = []string{"GH200", "GB200"}

// Counts says whether a card has an energy counter where its driver is new enough: those
// before Volta have none. True for one that is not known.
func Counts(d device.Device) bool {
	const volta = 7
	n, known := major(d.ComputeCapability)
	return !known || n >= volta
}

// major is that of a compute capability; known is false of other words.
func major(capability string) (n int, known bool) {
	text, _, _ := strings.Cut(capability, ".")
	n, err := strconv.Atoi(text)
	return n, err == nil
}
