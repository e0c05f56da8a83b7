package standin

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sensor is how a GPU's sensors see its power. The zero value sees it as it is:
// the counter is the exact integral and instantaneous power that of the tick,
// both shown at once. [Control.Truth] never depends on it.
type Sensor struct {
	PowerRefresh time.Duration // of powers; 0: they tick with the counter
	PowerPhase   time.Duration
	Look         float64 // part of a refresh that is looked at, 0 to 1; 0: powers see the tick alone, the counter all
	LookAt       float64 // part of a refresh that passes before the look
	Shared       bool    // the counter adds up the looks; else it is an integral that misses nothing
	CounterDelay time.Duration
	PowerDelay   time.Duration // from a tick until it shows
	Jitter       time.Duration // standard deviation of ticks about their grid
	Wander       time.Duration // by which ticks move to and fro
	WanderPeriod time.Duration
	Lag          time.Duration // powers follow by an exponential of this time constant
	Stuck        float64       // watts that powers show for ever; 0: they move
	Step         float64       // joules by which the counter moves; 0: 1 mJ
	Gain         float64       // of the counter; 0: 1
	Stamp        Stamp
	Latency      time.Duration // of each call on the GPU, at least
	LatencyMore  time.Duration // at most so much more
	Fault        Fault         // of the counter
	FaultAt      time.Duration // on the clock of Now
	FaultUntil   time.Duration // of Stands alone; 0: for ever
	FaultJoules  float64       // of Jumps alone
	NoCounter    bool          // these do not answer
	NoInstant    bool
	NoAverage    bool
	NoUsage      bool
	Seed         int64 // of jitter
}

// Stamp is what NVML's time stamps of sensor readings are.
type Stamp int64

// The stamps: of the call, of the tick that is shown, and none (0).
const (
	StampCall Stamp = iota
	StampTick
	StampNone
)

// Fault is what an energy counter does wrong, at Sensor.FaultAt or until then.
type Fault int64

// The faults of lib/standin.h.
const (
	Sound  Fault = iota
	Silent       // fails until then
	Zero         // reads 0 until then
	Resets       // begins at 0
	Stands       // does not move
	Jumps
	Frozen // does not move until then
)

// parts is v in so many parts of 1, to the nearest.
func parts(v, of float64) int64 { return int64(math.Round(v * of)) }

func (s *Sensor) pack() sensor {
	bit := func(on bool, mask int64) int64 { return int64(flag(on)) * mask }
	return sensor{
		powerRefreshNS: int64(s.PowerRefresh), powerPhaseNS: int64(s.PowerPhase),
		lookPPM: parts(s.Look, 1e6), lookAtPPM: parts(s.LookAt, 1e6), shared: bit(s.Shared, 1),
		counterDelayNS: int64(s.CounterDelay), powerDelayNS: int64(s.PowerDelay),
		jitterNS: int64(s.Jitter), wanderNS: int64(s.Wander), wanderPeriodNS: int64(s.WanderPeriod),
		lagNS: int64(s.Lag), stuckMW: parts(s.Stuck, 1e3), stepMJ: parts(s.Step, 1e3), gainPPM: parts(s.Gain, 1e6),
		stamp: int64(s.Stamp), latencyNS: int64(s.Latency), latencyRandomNS: int64(s.LatencyMore),
		fault: int64(s.Fault), faultAtNS: int64(s.FaultAt), faultUntilNS: int64(s.FaultUntil), faultMJ: parts(s.FaultJoules, 1e3),
		absent: bit(s.NoCounter, 1) | bit(s.NoInstant, 2) | bit(s.NoAverage, 4) | bit(s.NoUsage, 8), seed: s.Seed,
	}
}

// SetSensor changes how GPU i is seen from now on. A counter that adds up looks
// begins again, as one that has seen that way from the start.
func (c *Control) SetSensor(i int, s Sensor) {
	c.shared.change(i, func(g *gpu) { g.sensor = s.pack() })
}

// SetFault has the counter go wrong, at an instant on the clock of [Now] or until
// then, and leaves the sensor as it is otherwise. joules is of Jumps.
func (c *Control) SetFault(i int, f Fault, at time.Duration, joules float64) {
	c.shared.change(i, func(g *gpu) {
		g.sensor.fault, g.sensor.faultAtNS, g.sensor.faultMJ = int64(f), int64(at), parts(joules, 1e3)
	})
}

// words are the settings of a GPU by the names that shells use.
var words = map[string]func(*GPU) any{
	"power":         func(g *GPU) any { return &g.Power },
	"refresh":       func(g *GPU) any { return &g.Refresh },
	"phase":         func(g *GPU) any { return &g.Phase },
	"instant":       func(g *GPU) any { return &g.Instant },
	"limit":         func(g *GPU) any { return &g.PowerLimit },
	"name":          func(g *GPU) any { return &g.Name },
	"capability":    func(g *GPU) any { return &g.Capability },
	"counter":       func(g *GPU) any { return &g.Counter },
	"power-refresh": func(g *GPU) any { return &g.Sensor.PowerRefresh },
	"power-phase":   func(g *GPU) any { return &g.Sensor.PowerPhase },
	"look":          func(g *GPU) any { return &g.Sensor.Look },
	"look-at":       func(g *GPU) any { return &g.Sensor.LookAt },
	"shared":        func(g *GPU) any { return &g.Sensor.Shared },
	"counter-delay": func(g *GPU) any { return &g.Sensor.CounterDelay },
	"power-delay":   func(g *GPU) any { return &g.Sensor.PowerDelay },
	"jitter":        func(g *GPU) any { return &g.Sensor.Jitter },
	"wander":        func(g *GPU) any { return &g.Sensor.Wander },
	"wander-period": func(g *GPU) any { return &g.Sensor.WanderPeriod },
	"lag":           func(g *GPU) any { return &g.Sensor.Lag },
	"stuck":         func(g *GPU) any { return &g.Sensor.Stuck },
	"step":          func(g *GPU) any { return &g.Sensor.Step },
	"gain":          func(g *GPU) any { return &g.Sensor.Gain },
	"stamp":         func(g *GPU) any { return &g.Sensor.Stamp },
	"latency":       func(g *GPU) any { return &g.Sensor.Latency },
	"latency-more":  func(g *GPU) any { return &g.Sensor.LatencyMore },
	"no-counter":    func(g *GPU) any { return &g.Sensor.NoCounter },
	"no-instant":    func(g *GPU) any { return &g.Sensor.NoInstant },
	"no-average":    func(g *GPU) any { return &g.Sensor.NoAverage },
	"no-usage":      func(g *GPU) any { return &g.Sensor.NoUsage },
	"seed":          func(g *GPU) any { return &g.Sensor.Seed },
}

// stamps are the words of Stamp.
var stamps = map[string]Stamp{"call": StampCall, "tick": StampTick, "none": StampNone}

// Set changes one setting by a word such as look=0.25, refresh=500ms, shared or
// capability=9.0.
func (g *GPU) Set(word string) error {
	name, value, given := strings.Cut(word, "=")
	field, ok := words[name]
	if !ok {
		return fmt.Errorf("no setting %q of a GPU; there are %s", name, strings.Join(slices.Sorted(maps.Keys(words)), ", "))
	}
	var err error
	switch p := field(g).(type) {
	case *bool:
		if *p = true; given {
			*p, err = strconv.ParseBool(value)
		}
	case *float64:
		*p, err = strconv.ParseFloat(value, 64)
	case *int64:
		*p, err = strconv.ParseInt(value, 10, 64)
	case *uint64:
		*p, err = strconv.ParseUint(value, 10, 64)
	case *string:
		*p = value
	case *time.Duration:
		*p, err = time.ParseDuration(value)
	case *Stamp:
		s, ok := stamps[value]
		if !ok {
			err = fmt.Errorf("%q is not call, tick or none", value)
		}
		*p = s
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
