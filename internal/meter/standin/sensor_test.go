package standin

import (
	"testing"
	"time"
)

func TestAScheduleIsTheTruth(t *testing.T) {
	c, _ := newControl(t, GPU{Power: 60})
	start := Now() + time.Second
	c.Schedule(0, start, Step{0, 300}, Step{time.Second, 100}, Step{3 * time.Second, 60})
	if got := truth(t, c, 0, start, start+4*time.Second); got != 300+200+60 {
		t.Errorf("got %v J, want 560", got)
	}
	if got := c.power(0); got != 60 {
		t.Errorf("power is %v W before the first step, want 60", got)
	}
}

func TestALaterScheduleReplacesWhatIsToCome(t *testing.T) {
	c, _ := newControl(t, GPU{Power: 60})
	steps := make([]Step, ringSize-1)
	for i := range steps {
		steps[i] = Step{time.Hour + time.Duration(i)*time.Second, 500}
	}
	begun := c.SetPower(0, 100)
	for range 3 { // goes round the ring
		c.SetPower(0, 100)
		c.Schedule(0, Now(), steps...)
	}
	at := c.SetPower(0, 200)
	if _, err := c.Truth(0, begun-time.Second, at); err == nil {
		t.Error("an instant that the ring has lost has a truth")
	}
	if got := truth(t, c, 0, at, at+2*time.Hour); got != 200*2*3600 {
		t.Errorf("got %v J in two hours, want 200 W of them", got)
	}
	if got := c.power(0); got != 200 {
		t.Errorf("power is %v W, want 200", got)
	}
}

func TestSettingsByWords(t *testing.T) {
	var g GPU
	for _, w := range []string{"refresh=500ms", "look=0.25", "look-at=0.75", "shared", "stamp=tick", "capability=9.0", "step=15", "no-instant=true", "seed=7"} {
		if err := g.Set(w); err != nil {
			t.Error(err)
		}
	}
	want := GPU{Refresh: 500 * time.Millisecond, Capability: "9.0", Sensor: Sensor{Look: 0.25, LookAt: 0.75, Shared: true, Stamp: StampTick, Step: 15, NoInstant: true, Seed: 7}}
	if g != want {
		t.Errorf("got %+v, want %+v", g, want)
	}
	for _, w := range []string{"", "lok=0.25", "look=much", "refresh=5", "stamp=late", "shared=perhaps"} {
		if g.Set(w) == nil {
			t.Errorf("%q was taken", w)
		}
	}
}

func TestEachSettingReachesTheFile(t *testing.T) {
	all := []int64{}
	s := Sensor{
		PowerRefresh: 1, PowerPhase: 2, Look: 3e-6, LookAt: 4e-6, Shared: true, CounterDelay: 6, PowerDelay: 7, Jitter: 8, Wander: 9, WanderPeriod: 10,
		Lag: 11, Stuck: 0.012, Step: 0.013, Gain: 14e-6, Stamp: StampNone, Latency: 16, LatencyMore: 17, Fault: Jumps, FaultAt: 19, FaultUntil: 20, FaultJoules: 0.021,
		NoCounter: true, NoInstant: true, NoAverage: true, NoUsage: true, Seed: 23,
	}
	p := s.pack()
	all = append(all, p.powerRefreshNS, p.powerPhaseNS, p.lookPPM, p.lookAtPPM, p.shared*5, p.counterDelayNS, p.powerDelayNS, p.jitterNS, p.wanderNS, p.wanderPeriodNS,
		p.lagNS, p.stuckMW, p.stepMJ, p.gainPPM, p.stamp+13, p.latencyNS, p.latencyRandomNS, p.fault+13, p.faultAtNS, p.faultUntilNS, p.faultMJ, p.absent+7, p.seed)
	for i, v := range all {
		if v != int64(i+1) {
			t.Errorf("setting %d has become %d", i+1, v)
		}
	}
}

func TestCapabilities(t *testing.T) {
	for text, want := range map[string][3]uint32{"": {8, 0, 7}, "7.0": {7, 0, 5}, "7.5": {7, 5, 6}, "8.6": {8, 6, 7}, "8.9": {8, 9, 8}, "9.0": {9, 0, 9}, "10.0": {10, 0, 10}, "none": {0, 0, 0xffffffff}} {
		major, minor, architecture := capability(text)
		if got := [3]uint32{major, minor, architecture}; got != want {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
}
