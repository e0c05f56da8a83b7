package pattern

var pairs = pattern{
	Name: "pairs", Brief: "two at once", Sends: "two at once, every 2/rate seconds, each pair later by `burstiness` seconds",
	Needs:  []Key{ratePerSecond, gamma.Needs[1]},
	Mean:   func(l Load, n int) float64 { return float64(n/2) * (2/l.RatePerSecond + l.Burstiness) },
	AtOnce: func(Load) int { return 2 },
}
