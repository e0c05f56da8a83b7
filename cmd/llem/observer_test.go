package main

import (
	"strings"
	"testing"
)

// What the bar on a terminal is called.
func TestTheBarIsCalledWhatIsDone(t *testing.T) {
	t.Parallel()
	for phase, want := range map[string]string{"preflight": "pull", "warmup": "warmup", "thermal_floor": "thermal floor"} {
		var b strings.Builder
		o := &observer{w: &b, bars: &b, terminal: true}
		o.Begin(phase, "")
		b.Reset()
		o.Progress(1, 2)
		if got := strings.TrimLeft(b.String(), "\r"); !strings.HasPrefix(got, want+" ") {
			t.Errorf("in %s the bar is %q, want it to begin with %q", phase, got, want)
		}
	}
}
