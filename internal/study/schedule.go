package study

import (
	"math"
	"strconv"
	"strings"
)

// Open says that requests are sent at times of their own, whatever the server does.
func (l Load) Open() bool { return l.Pattern != "closed" }

// Due is when request n, from 0, is due at the pattern's mean rate, in seconds since
// the first. It is the schedule itself where nothing is drawn. Of a trace
// its file tells.
func (l Load) Due(n int) float64 {
	switch l.Pattern {
	case "closed", "trace":
		return 0
	case "burst":
		return float64(n/l.BurstSize*l.BurstSize) / l.RatePerSecond
	case "ramp":
		return l.rampDue(float64(n))
	case "steps":
		return stepsDue(l.Steps, float64(n))
	}
	return float64(n) / l.RatePerSecond
}

// rampDue is when n requests have come of a rate that goes linearly from one to the
// other and stays there.
func (l Load) rampDue(n float64) float64 {
	from, to, over := l.RatePerSecond, l.RateEndPerSecond, l.RampSeconds
	if all := (from + to) / 2 * over; n > all {
		return over + (n-all)/to
	}
	if from == to {
		return n / from
	}
	slope := (to - from) / over // from·t + slope·t²/2 = n, in the form that loses no digits
	return 2 * n / (from + math.Sqrt(from*from+2*slope*n))
}

// step is a rate that is kept for a time.
type step struct{ rate, seconds float64 }

// steps reads RATE@SECONDS; what does not match was refused before.
func steps(list []string) []step {
	out := make([]step, 0, len(list))
	for _, text := range list {
		rate, seconds, _ := strings.Cut(text, "@")
		r, err := strconv.ParseFloat(rate, 64)
		s, serr := strconv.ParseFloat(seconds, 64)
		if err == nil && serr == nil {
			out = append(out, step{r, s})
		}
	}
	return out
}

// stepsDue is when n requests have come; the last rate goes on.
func stepsDue(list []string, n float64) float64 {
	at := 0.0
	all := steps(list)
	for i, s := range all {
		if here := s.rate * s.seconds; i < len(all)-1 && n >= here {
			n -= here
			at += s.seconds
			continue
		}
		return at + n/s.rate
	}
	return at
}

// PeakRate is the most requests a second that the pattern plans for, bursts aside.
func (l Load) PeakRate() float64 {
	peak := max(l.RatePerSecond, l.RateEndPerSecond)
	for _, s := range steps(l.Steps) {
		peak = max(peak, s.rate)
	}
	return peak
}
