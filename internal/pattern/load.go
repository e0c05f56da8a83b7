package pattern

import (
	"math"
	"time"
)

// Load is when requests are sent: workload.load of the experiment file. A field that the
// pattern does not take is zero.
type Load struct {
	Pattern          string   `yaml:"pattern" json:"pattern"`
	Concurrency      int      `yaml:"concurrency" json:"concurrency"`         // closed: requests kept in flight
	RatePerSecond    float64  `yaml:"rate_per_second" json:"rate_per_second"` // mean; of ramp where it begins
	Burstiness       float64  `yaml:"burstiness" json:"burstiness,omitempty"` // gamma: shape of the gaps' distribution
	BurstSize        int      `yaml:"burst_size" json:"burst_size,omitempty"` // burst: requests at once
	RateEndPerSecond float64  `yaml:"rate_end_per_second" json:"rate_end_per_second,omitempty"`
	RampSeconds      float64  `yaml:"ramp_seconds" json:"ramp_seconds,omitempty"`
	Steps            []string `yaml:"steps" json:"steps,omitempty"`         // steps: RATE@SECONDS
	File             string   `yaml:"file" json:"file,omitempty"`           // trace: made absolute against the file's folder
	TimeUnit         string   `yaml:"time_unit" json:"time_unit,omitempty"` // of the file's times: ms | s; empty: the file proves it
	MaxInFlight      int      `yaml:"max_in_flight" json:"max_in_flight"`   // of open loops; 0: no limit
}

// Open says that requests are sent on a schedule that does not depend on the server.
func (l Load) Open() bool { return !l.row().Closed }

// Recorded says that a file tells when requests are due and how long they are.
func (l Load) Recorded() bool { return l.row().Recorded }

// Due is when request n, from 0, is due at the pattern's mean rate, in seconds since
// the first. It is the schedule itself where nothing is drawn. It is 0 of a closed loop
// and of a recorded load.
func (l Load) Due(n int) float64 {
	if mean := l.row().Mean; mean != nil {
		return mean(l, n)
	}
	return 0
}

// Schedule is when requests are due. ok is false of a load that has no schedule, and of a
// pattern that this version does not have.
func (l Load) Schedule(seed uint64, t Trace) (due Due, ok bool) {
	switch p := l.row(); {
	case p.Schedule != nil:
		return p.Schedule(l, seed, t), true
	case p.Mean != nil:
		return func(n int) (time.Duration, bool) { return toNanoseconds(p.Mean(l, n)), true }, true
	}
	return nil, false
}

// PeakRate is the most requests a second that the pattern plans for, bursts aside.
func (l Load) PeakRate() float64 {
	if peak := l.row().Peak; peak != nil {
		return peak(l)
	}
	return l.RatePerSecond
}

// AtOnce is how many requests are due at the same time.
func (l Load) AtOnce() int {
	if at := l.row().AtOnce; at != nil {
		return at(l)
	}
	return 1
}

// evenly is the mean of patterns that keep one rate.
func evenly(l Load, n int) float64 { return float64(n) / l.RatePerSecond }

func toNanoseconds(seconds float64) time.Duration {
	return time.Duration(math.Round(seconds * float64(time.Second)))
}
