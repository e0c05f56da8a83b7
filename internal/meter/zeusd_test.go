package meter

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
)

var a100 = []device.Device{{Index: 0, Name: "A100", PCIBusID: "00000000:81:00.0"}}

func TestZeusdCountsBetweenBeginAndEnd(t *testing.T) {
	t.Parallel()
	d := &daemon{discover: oneGPU, readings: []string{reading(1), reading(5_000), reading(7_500)}}
	i, err := OpenZeusd(t.Context(), d.serve(t), a100)
	if err != nil {
		t.Fatal(err)
	}
	if err := i.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := i.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	sum := measure.Joules(2.5)
	if diff := cmp.Diff(measure.Reading{GPU: &sum, PerGPU: []measure.Joules{2.5}}, got); diff != "" {
		t.Errorf("want -, got +\n%s", diff)
	}
	// Without an opening the counter's whole life would be the figure.
	if got, err := i.End(t.Context()); err == nil {
		t.Errorf("an end without a begin gives %v", *got.GPU)
	}
	for range 2 {
		if err := i.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestFindZeusdReadsNoCounter(t *testing.T) {
	t.Parallel()
	d := &daemon{discover: oneGPU}
	if n, err := FindZeusd(t.Context(), d.serve(t)); n != 1 || err != nil || d.asked.Load() != 0 {
		t.Errorf("%d GPUs, %v, %d readings", n, err, d.asked.Load())
	}
	d = &daemon{discover: `{"gpus": [{"id": 0}], "auth_required": true}`}
	_, err := FindZeusd(t.Context(), d.serve(t))
	wantError(t, err, "wants a token")
}

func TestZeusdThatIsNotThere(t *testing.T) {
	t.Parallel()
	absent := socketPath(t)
	_, err := OpenZeusd(t.Context(), absent, a100)
	wantError(t, err, "zeusd on "+absent+" does not answer", "no such file", "ZEUSD_SOCK_PATH")
	if !errors.Is(err, syscall.ENOENT) {
		t.Errorf("%v is not ENOENT", err)
	}
	dead := socketPath(t)
	l, err := net.Listen("unix", dead)
	if err != nil {
		t.Fatal(err)
	}
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	l.Close()
	_, err = OpenZeusd(t.Context(), dead, a100)
	wantError(t, err, "zeusd on "+dead+" does not answer", "connection refused", "start it")
	if !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("%v is not ECONNREFUSED", err)
	}
}

func TestZeusdThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	const list = `{"gpus": [%s], "enabled_api_groups": ["gpu-read"]}`
	for name, c := range map[string]struct {
		daemon *daemon
		want   []string
	}{
		"garbage":                  {&daemon{discover: "<html>hello"}, []string{"answered", "<html>hello", "/discover"}},
		"no object":                {&daemon{discover: "[]"}, []string{"answered", `"[]"`, "/discover"}},
		"another's object":         {&daemon{discover: "{}"}, []string{"does not list GPU 0 (A100)"}},
		"an endless answer":        {&daemon{discover: strings.Repeat(" ", 2<<20)}, []string{"answered", "/discover"}},
		"wants a token":            {&daemon{discover: `{"gpus": [{"id": 0}], "auth_required": true}`}, []string{"wants a token", "serve it without"}},
		"serves no GPU readings":   {&daemon{discover: `{"gpus": [{"id": 0}], "enabled_api_groups": ["cpu-read"]}`}, []string{"--enable gpu-read"}},
		"serves nothing":           {&daemon{discover: `{"gpus": [{"id": 0}], "enabled_api_groups": []}`}, []string{"--enable gpu-read"}},
		"no GPUs":                  {&daemon{discover: fmt.Sprintf(list, "")}, []string{"does not list GPU 0 (A100)", "restart it"}},
		"another index":            {&daemon{discover: fmt.Sprintf(list, `{"id": 1, "name": "A100"}`)}, []string{"does not list GPU 0 (A100)"}},
		"another model":            {&daemon{discover: fmt.Sprintf(list, `{"id": 0, "name": "T4"}`)}, []string{"does not list GPU 0 (A100)"}},
		"another address":          {&daemon{discover: fmt.Sprintf(list, `{"id": 0, "name": "A100", "pci_address": "0000:82:00.0"}`)}, []string{"does not list GPU 0 (A100)"}},
		"says that nothing counts": {&daemon{discover: fmt.Sprintf(list, `{"id": 0, "cumulative_energy_available": false}`)}, []string{"no energy counter in GPU 0 (A100)"}},
		"before Volta": {
			&daemon{discover: oneGPU, status: 400, readings: []string{`{"errors": {"0": "NVML error: not supported"}}`}},
			[]string{"400 Bad Request", "/gpu/get_cumulative_energy", "NVML error: not supported"},
		},
		"no token after all":   {&daemon{discover: oneGPU, status: 401, readings: []string{"Authentication required."}}, []string{"401 Unauthorized", "Authentication required."}},
		"garbage for a number": {&daemon{discover: oneGPU, readings: []string{`{"0": {"energy_mj": "many"}}`}}, []string{"answered", "many"}},
		"below zero":           {&daemon{discover: oneGPU, readings: []string{reading(-1)}}, []string{"answered", "-1"}},
		"no number":            {&daemon{discover: oneGPU, readings: []string{`{"0": {"energy_mj": null}}`}}, []string{"gave no energy for GPU 0"}},
		"another's reading":    {&daemon{discover: oneGPU, readings: []string{`{"1": {"energy_mj": 5}}`}}, []string{"gave no energy for GPU 0"}},
		"null":                 {&daemon{discover: oneGPU, readings: []string{"null"}}, []string{"gave no energy for GPU 0"}},
	} {
		t.Run(name, func(t *testing.T) {
			path := c.daemon.serve(t)
			_, err := OpenZeusd(t.Context(), path, a100)
			wantError(t, err, append(c.want, "zeusd on "+path)...)
		})
	}
}

func TestZeusdReadingsThatAreNoEnergy(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		end  string
		want string
	}{
		"the counter goes backwards": {reading(4_999), "the energy counter of its GPU 0 went backwards"},
		"the counter stands still":   {reading(5_000), "zeusd: no energy for a GPU"},
		"the daemon has gone mad":    {"??", "answered"},
		"the GPU has gone":           {`{}`, "gave no energy for GPU 0"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &daemon{discover: oneGPU, readings: []string{reading(1), reading(5_000), c.end}}
			i, err := OpenZeusd(t.Context(), d.serve(t), a100)
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			if err := i.Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			got, err := i.End(t.Context())
			wantError(t, err, c.want)
			if got.GPU != nil {
				t.Errorf("gave %v besides", *got.GPU)
			}
		})
	}
}

// A second opening that fails leaves no span from the first.
func TestZeusdSpanThatDidNotOpen(t *testing.T) {
	t.Parallel()
	d := &daemon{discover: oneGPU, readings: []string{reading(1), reading(2), "??", reading(9)}}
	i, err := OpenZeusd(t.Context(), d.serve(t), a100)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if err := i.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantError(t, i.Begin(t.Context()), "answered")
	_, err = i.End(t.Context())
	wantError(t, err, "zeusd: its span was not opened")
}

// GPUs are matched by PCI address where the daemon tells it, as NVML's order and
// the daemon's may differ; by index else.
func TestZeusdMatchesGPUs(t *testing.T) {
	t.Parallel()
	gpus := []device.Device{
		{Index: 1, Name: "A100", PCIBusID: "00000000:C1:00.0"},
		{Index: 0, Name: "A100", PCIBusID: "00000000:81:00.0"},
	}
	for name, c := range map[string]struct{ list, want string }{
		"by index":            {`{"id": 0, "name": "A100"}, {"id": 1, "name": "A100"}`, "gpu_ids=1,0"},
		"by index, no name":   {`{"id": 0}, {"id": 1}`, "gpu_ids=1,0"},
		"by address":          {`{"id": 0, "pci_address": "0000:c1:00.0"}, {"id": 1, "pci_address": "0000:81:00.0"}`, "gpu_ids=0,1"},
		"by NVML's address":   {`{"id": 0, "pci_address": "00000000:C1:00.0"}, {"id": 1, "pci_address": "00000000:81:00.0"}`, "gpu_ids=0,1"},
		"without a domain":    {`{"id": 0, "pci_address": "c1:00.0"}, {"id": 1, "pci_address": "81:00.0"}`, "gpu_ids=0,1"},
		"not by a tail":       {`{"id": 0, "pci_address": "1:00.0"}, {"id": 1, "pci_address": "0000:81:00.0"}, {"id": 2, "pci_address": "0000:c1:00.0"}`, "gpu_ids=2,1"},
		"not another domain":  {`{"id": 0, "pci_address": "0001:81:00.0"}, {"id": 1, "pci_address": "0000:81:00.0"}, {"id": 2, "pci_address": "0000:c1:00.0"}`, "gpu_ids=2,1"},
		"not by what is none": {`{"id": 0, "pci_address": "0"}, {"id": 1, "pci_address": "0000:81:00.0"}, {"id": 2, "pci_address": "0000:c1:00.0"}`, "gpu_ids=2,1"},
	} {
		t.Run(name, func(t *testing.T) {
			d := &daemon{
				discover: `{"gpus": [` + c.list + `], "enabled_api_groups": ["gpu-read"]}`,
				readings: []string{`{"0": {"energy_mj": 1}, "1": {"energy_mj": 2}, "2": {"energy_mj": 3}}`},
			}
			i, err := OpenZeusd(t.Context(), d.serve(t), gpus)
			if err != nil {
				t.Fatal(err)
			}
			defer i.Close()
			if got := d.queries.Load(); got != c.want {
				t.Errorf("asked for %v, want %s", got, c.want)
			}
		})
	}
}

func TestZeusdGivesEnergiesInTheOrderOfTheDevices(t *testing.T) {
	t.Parallel()
	d := &daemon{
		discover: `{"gpus": [{"id": 0}, {"id": 1}], "enabled_api_groups": ["gpu-read"]}`,
		readings: []string{`{"0": {"energy_mj": 0}, "1": {"energy_mj": 0}}`, `{"0": {"energy_mj": 0}, "1": {"energy_mj": 0}}`, `{"0": {"energy_mj": 1000}, "1": {"energy_mj": 7000}}`},
	}
	i, err := OpenZeusd(t.Context(), d.serve(t), []device.Device{{Index: 1}, {Index: 0}})
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if err := i.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := i.End(t.Context())
	if err != nil || *got.GPU != 8 || !cmp.Equal(got.PerGPU, []measure.Joules{7, 1}) {
		t.Errorf("got %+v, %v; want 7 and 1 J", got, err)
	}
}

// A daemon that hangs costs a time-out, wherever it hangs.
func TestZeusdThatHangs(t *testing.T) {
	old := zeusdTimeout // not parallel: others use it
	zeusdTimeout = 100 * time.Millisecond
	t.Cleanup(func() { zeusdTimeout = old })
	for name, d := range map[string]*daemon{
		"at discovery":   {discover: ""},
		"at its opening": {discover: oneGPU, readings: []string{""}},
		"at the end":     {discover: oneGPU, readings: []string{reading(1), reading(2), ""}},
	} {
		t.Run(name, func(t *testing.T) {
			path := d.serve(t)
			i, err := OpenZeusd(t.Context(), path, a100)
			if err == nil {
				defer i.Close()
				if err := i.Begin(t.Context()); err != nil {
					t.Fatal(err)
				}
				_, err = i.End(t.Context())
			}
			wantError(t, err, "zeusd on "+path, "Timeout exceeded")
		})
	}
}

func TestZeusdIsLeftWhenTheRunIs(t *testing.T) {
	t.Parallel()
	d := &daemon{discover: oneGPU, readings: []string{""}}
	ctx, cancel := context.WithCancel(t.Context())
	path := d.serve(t)
	failed := make(chan error, 1)
	go func() {
		_, err := OpenZeusd(ctx, path, a100)
		failed <- err
	}()
	eventually(t, "the daemon is asked", func() bool { return d.asked.Load() > 0 })
	cancel()
	if err := <-failed; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}

// The daemon closes a connection that is idle (actix: after 5 s), and a window is
// longer than that.
func TestZeusdClosesItsConnectionInTheWindow(t *testing.T) {
	t.Parallel()
	d := &daemon{discover: oneGPU, readings: []string{reading(1), reading(2_000), reading(3_000)}}
	var open atomic.Int32
	path := d.serve(t, func(s *http.Server) {
		s.IdleTimeout = 10 * time.Millisecond
		s.ConnState = func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed:
				open.Add(-1)
			}
		}
	})
	i, err := OpenZeusd(t.Context(), path, a100)
	if err != nil {
		t.Fatal(err)
	}
	defer i.Close()
	if err := i.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the connection is closed", func() bool { return open.Load() == 0 })
	if got, err := i.End(t.Context()); err != nil || *got.GPU != 1 {
		t.Errorf("got %+v, %v; want 1 J", got, err)
	}
}
