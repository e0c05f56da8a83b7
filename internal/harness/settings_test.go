package harness

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/study"
)

// lister is a watcher that can only list processes.
type lister struct {
	Watcher
	list []measure.Process
	err  error
}

func (l lister) Processes(context.Context) ([]measure.Process, error) { return l.list, l.err }

// A GPU that others came to after the run had looked is not changed.
func TestGPUSettingsAreNotChangedBesideOthers(t *testing.T) {
	t.Parallel()
	for want, w := range map[string]lister{
		"others use: late (pid 7)": {list: []measure.Process{{PID: 7, Name: "late"}}},
		"others may use: no list":  {err: errors.New("no list")},
	} {
		x := &run{Runner: &Runner{}, watcher: w, devices: []measure.Device{{}}, exp: study.Experiment{GPUSettings: study.GPUSettings{PowerLimitW: 250}}}
		if err := x.tune(t.Context()); err == nil || KindOf(err) != HostFault || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
