package main

import (
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// Memory that a removed container leaves in use is a doubt in the record; memory
// that the driver gives back a little later is none.
func TestGPUMemoryAfterTheContainerIsGone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		released bool
		says     string
	}{
		{"given back", true, "GPU memory released"},
		{"kept", false, "GPU memory still in use"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, standin.GPU{Power: 60})
			h.gpus.SetMemoryUsed(0, 1<<30) // the driver's own
			cmd := h.start(h.quick("--gpus", "0", "-n", "1")...)
			until(t, "a container", func() bool { return len(containers(t, cmd.Process.Pid)) > 0 })
			h.gpus.SetMemoryUsed(0, 3<<30)
			cmd.reach("after")
			until(t, "its end", func() bool { return len(containers(t, cmd.Process.Pid)) == 0 })
			if c.released {
				h.gpus.SetMemoryUsed(0, 1<<30+1<<20)
			}
			o := cmd.finish()
			h.clean(cmd.Process.Pid)
			r := o.record(t)
			severity, warned := r.WarningSeverities["gpu_memory_not_released"]
			if o.code != 0 || !strings.Contains(o.stderr, c.says) || warned == c.released || warned && severity != "doubt" {
				t.Errorf("exit %d, warnings %v\n%s", o.code, r.MeasurementWarnings, o.stderr)
			}
			if said := strings.Join(strings.Fields(strings.Join(r.MeasurementWarnings, " ")+o.stdout), " "); warned && strings.Count(said, "2048 MiB more") != 2 {
				t.Errorf("record and table do not both say how much:\n%s\n%s", r.MeasurementWarnings, o.stdout)
			}
		})
	}
}
