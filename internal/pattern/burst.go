package pattern

var burst = pattern{
	Name: "burst", Brief: "several at once", Sends: "`burst_size` at once, every `burst_size`/rate seconds",
	Needs: []Key{ratePerSecond, {Name: "burst_size", Min: 1, Max: 100000,
		Doc: "Requests that are sent at once; the next as many follow `burst_size / rate_per_second` seconds later."}},
	Mean:   func(l Load, n int) float64 { return float64(n/l.BurstSize*l.BurstSize) / l.RatePerSecond },
	AtOnce: func(l Load) int { return l.BurstSize },
}
