package harness

import (
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/device"
)

// A process that came with the baseline is warned of by its name, once.
func TestProcessesInTheBaselineAreNotExclusive(t *testing.T) {
	t.Parallel()
	before, came := device.Process{PID: 1, Name: "before"}, device.Process{PID: 2, Name: "came"}
	for _, c := range []struct {
		name string
		list []device.Process
		want string
	}{
		{"nobody", nil, ""},
		{"who was warned of", []device.Process{before}, ""},
		{"who came", []device.Process{before, came}, "gpu_not_exclusive: came (pid 2) on the GPU while the baseline"},
	} {
		g := &reader{foreign: []device.Process{before}}
		list := g.newcomers(c.list)
		if got := len(list); (got == 1) != (c.want != "") || got == 1 && !strings.HasPrefix(list[0].String(), c.want) {
			t.Errorf("%s: warnings %v, want %q", c.name, list, c.want)
		}
	}
}
