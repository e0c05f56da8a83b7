package pattern

import "github.com/llenergymeasure/llem/internal/draw"

// AtRandom is the pattern of a rate that is given without one, as in vLLM's benchmark.
const AtRandom = "poisson"

var poisson = pattern{
	Name: AtRandom, Brief: "at random", Sends: "at random: gaps of an exponential distribution",
	Needs:    []Key{ratePerSecond},
	Mean:     evenly,
	Schedule: func(l Load, seed uint64, _ Trace) Due { return renewal(l, seed, (*draw.Source).Exponential) },
}
