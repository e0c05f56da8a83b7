package pattern

import "github.com/llenergymeasure/llem/internal/draw"

var gamma = pattern{
	Name: "gamma", Brief: "more or less evenly than that",
	Sends: "at random, less evenly (`burstiness` < 1) or more (> 1): gaps of a gamma distribution of that shape, whose squared coefficient of variation is 1/`burstiness`, as vLLM's benchmark defines it; 1 is `poisson`",
	Needs: []Key{ratePerSecond, {Name: "burstiness", Min: 0.01, Max: 1000,
		Doc: "Shape of the gaps' gamma distribution: 1 is poisson, less comes in bursts, more is more even; the gaps' squared coefficient of variation is 1/burstiness."}},
	Mean: evenly,
	Schedule: func(l Load, seed uint64, _ Trace) Due {
		return renewal(l, seed, func(d *draw.Source) float64 { return d.Gamma(l.Burstiness) })
	},
}
