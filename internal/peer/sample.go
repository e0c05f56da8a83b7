package peer

import (
	"math"
	"slices"
)

// sample is sorted values.
type sample []float64

func (s sample) sum() float64 {
	var sum float64
	for _, v := range s {
		sum += v
	}
	return sum
}

func (s sample) mean() float64  { return s.sum() / float64(len(s)) }
func (s sample) min() float64   { return s[0] }
func (s sample) max() float64   { return s[len(s)-1] }
func (s sample) count() float64 { return float64(len(s)) }

// std is that of a population, as numpy's is by default.
func (s sample) std() float64 {
	mean, sum := s.mean(), 0.0
	for _, v := range s {
		sum += (v - mean) * (v - mean)
	}
	return math.Sqrt(sum / float64(len(s)))
}

// percentile interpolates between the two nearest ranks, as numpy's does by
// default.
func percentile(p float64) func(sample) float64 {
	return func(s sample) float64 {
		at := p / 100 * float64(len(s)-1)
		low := int(at)
		high := min(low+1, len(s)-1)
		return s[low] + (at-float64(low))*(s[high]-s[low])
	}
}

// stat is one number that a peer gives of every sample.
type stat struct {
	column, key string
	of          func(sample) float64
}

// one is a figure of a single number.
func one(of func(*run) float64) func(*run) []Stat {
	return func(r *run) []Stat { return []Stat{{Value: of(r)}} }
}

// rate is a total over a time. There is none where the time is 0.
func rate(of, over func(*run) float64) func(*run) []Stat {
	return func(r *run) []Stat {
		if over(r) <= 0 {
			return nil
		}
		return []Stat{{Value: of(r) / over(r)}}
	}
}

// collect takes the values of all whole answers.
func collect(r *run, of func(*request) []float64) sample {
	var out []float64
	for i := range r.done {
		out = append(out, of(&r.done[i])...)
	}
	slices.Sort(out)
	return out
}

// spread summarises the values of all whole answers; none of an empty sample.
func spread(stats []stat, of func(*request) []float64) func(*run) []Stat {
	return func(r *run) []Stat { return summarise(stats, collect(r, of)) }
}

func summarise(stats []stat, s sample) []Stat {
	if len(s) == 0 {
		return nil
	}
	out := make([]Stat, len(stats))
	for i, t := range stats {
		out[i] = Stat{Column: t.column, Key: t.key, Value: t.of(s)}
	}
	return out
}
