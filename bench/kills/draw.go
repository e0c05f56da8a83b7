package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"syscall"
	"time"
)

// kind is what is run and killed.
type kind string

const (
	single   kind = "run"
	endpoint kind = "run on a server"
	fresh    kind = "study"
	keeping  kind = "study, container kept"
)

// phases are those of llem's status lines, in order, after the time before the
// first one and before the time after the last one.
var phases = []string{"start", "preflight", "baseline", "launch", "warmup", "thermal floor", "window", "record", "after", "end"}

// aims are the phases that cases aim at: the short ones more often, since many of
// the signals that are meant for them come too late.
var aims = append([]string{"record", "record", "after", "after", "end", "end"}, phases...)

// step is a signal and how long after the one before it comes.
type step struct {
	signal syscall.Signal
	after  time.Duration
}

// test is one case: what is run, when it is killed, and how.
type test struct {
	number int
	kind   kind
	phase  string  // after whose beginning the first signal comes
	nth    int     // time that the phase is begun, from 1
	part   float64 // of the phase's usual length until then
	steps  []step
	again  []test  // a study is killed so often again as it is resumed
	clean  bool    // a study: clean before it is resumed
	cut    float64 // of a second after which clean is killed too; 0: never
}

// draw makes case n of a seed.
func draw(seed uint64, n int) test {
	r := rand.New(rand.NewPCG(seed, uint64(n)))
	c := test{number: n, kind: kinds(r)}
	c.aim(r)
	c.clean = r.IntN(2) == 0
	if r.IntN(8) == 0 {
		c.cut = 0.12 * r.Float64()
	}
	for c.kind.isStudy() && r.IntN(3) == 0 {
		a := test{number: n, kind: c.kind}
		a.aim(r)
		c.again = append(c.again, a)
	}
	return c
}

func kinds(r *rand.Rand) kind {
	switch p := r.IntN(100); {
	case p < 50:
		return single
	case p < 65:
		return endpoint
	case p < 83:
		return fresh
	}
	return keeping
}

func (k kind) isStudy() bool { return k == fresh || k == keeping }

// aim chooses the moment and the signals.
func (c *test) aim(r *rand.Rand) {
	c.phase, c.part, c.nth = aims[r.IntN(len(aims))], 1.1*r.Float64(), 1
	if c.kind.isStudy() && c.phase != "start" && c.phase != "end" {
		c.nth = 1 + r.IntN(runsOfStudy)
	}
	soon := func() time.Duration { return time.Duration(r.Int64N(int64(300 * time.Millisecond))) }
	switch p := r.IntN(100); {
	case p < 60:
		c.steps = []step{{syscall.SIGKILL, 0}}
	case p < 70:
		c.steps = []step{{syscall.SIGINT, 0}}
	case p < 77:
		c.steps = []step{{syscall.SIGTERM, 0}}
	case p < 82:
		c.steps = []step{{syscall.SIGHUP, 0}}
	case p < 90:
		c.steps = []step{{syscall.SIGINT, 0}, {syscall.SIGINT, soon()}}
	case p < 95:
		c.steps = []step{{syscall.SIGINT, 0}, {syscall.SIGINT, soon()}, {syscall.SIGINT, soon()}}
	default:
		c.steps = []step{{syscall.SIGINT, 0}, {syscall.SIGKILL, soon()}}
	}
}

// signals are a case's, for people.
func (c test) signals() string {
	var out []string
	for _, s := range c.steps {
		out = append(out, map[syscall.Signal]string{syscall.SIGKILL: "KILL", syscall.SIGINT: "INT", syscall.SIGTERM: "TERM", syscall.SIGHUP: "HUP"}[s.signal])
	}
	return strings.Join(out, " ")
}

// gentle says that llem has the time to clean up after itself.
func (c test) gentle() bool {
	return len(c.steps) <= 2 && c.steps[len(c.steps)-1].signal != syscall.SIGKILL
}

func (c test) String() string {
	s := fmt.Sprintf("case %d: %s, %s at %.2f of phase %s (%d)", c.number, c.kind, c.signals(), c.part, c.phase, c.nth)
	for _, a := range c.again {
		s += fmt.Sprintf("; resumed, %s at %.2f of phase %s (%d)", a.signals(), a.part, a.phase, a.nth)
	}
	return s
}
