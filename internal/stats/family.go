package stats

import (
	"cmp"
	"slices"
)

// Holm gives the level at which each p-value of a family is judged, so that with
// a chance of at most alpha any of them says a difference that is not there: a
// difference is shown where p does not exceed its level. The smallest p-value is
// judged at alpha/m, the next at alpha/(m − 1), up to the first that shows
// nothing; all from there on are judged at that one's level, so that an interval
// at 1 − level leaves out zero exactly where a difference is shown.
func Holm(p []float64, alpha float64) []float64 {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	levels := make([]float64, len(p))
	level, stopped := 0.0, false
	for rank, i := range order {
		if !stopped {
			level = alpha / float64(len(p)-rank)
			stopped = p[i] > level
		}
		levels[i] = level
	}
	return levels
}

// Pareto says of each point whether no other is at least as good in both cost
// and yield, and better in one. Both lists are of one length.
func Pareto(cost, yield []float64) []bool {
	best := make([]bool, len(cost))
	for i := range cost {
		best[i] = true
		for j := range cost {
			as := cost[j] <= cost[i] && yield[j] >= yield[i]
			if as && (cost[j] < cost[i] || yield[j] > yield[i]) {
				best[i] = false
			}
		}
	}
	return best
}
