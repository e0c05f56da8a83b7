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
		{"who was told of", []device.Process{before}, ""},
		{"who came", []device.Process{before, came}, "gpu_not_exclusive: came (pid 2) on the GPU while the baseline"},
	} {
		x := &run{}
		x.obs.Host.Foreign = []device.Process{before}
		x.newcomers(c.list)
		if got := len(x.obs.Warnings); (got == 1) != (c.want != "") || got == 1 && !strings.HasPrefix(x.obs.Warnings[0].String(), c.want) {
			t.Errorf("%s: warnings %v, want %q", c.name, x.obs.Warnings, c.want)
		}
	}
}
