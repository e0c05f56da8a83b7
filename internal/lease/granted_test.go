package lease

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
)

func TestGPUsThatAreGranted(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		env  map[string]string
		want []string
		ok   bool
	}{
		{"nothing is said", nil, nil, false},
		{"CUDA's list", map[string]string{"CUDA_VISIBLE_DEVICES": "1, GPU-a"}, []string{"1", "GPU-a"}, true},
		{"CUDA's list ends at what is no device", map[string]string{"CUDA_VISIBLE_DEVICES": "2,-1,0"}, []string{"2"}, true},
		{"CUDA grants none", map[string]string{"CUDA_VISIBLE_DEVICES": ""}, nil, true},
		{"CUDA's before Slurm's", map[string]string{"CUDA_VISIBLE_DEVICES": "3", "SLURM_STEP_GPUS": "1", "SLURM_JOB_GPUS": "1,2"}, []string{"3"}, true},
		{"Slurm's step before its job", map[string]string{"SLURM_STEP_GPUS": "2", "SLURM_JOB_GPUS": "0-3"}, []string{"2"}, true},
		{"Slurm's job", map[string]string{"SLURM_JOB_GPUS": "1"}, []string{"1"}, true},
		{"ranges", map[string]string{"SLURM_JOB_GPUS": "0-2,5"}, []string{"0", "1", "2", "5"}, true},
		{"an empty step is none", map[string]string{"SLURM_STEP_GPUS": "", "SLURM_JOB_GPUS": "1"}, []string{"1"}, true},
		{"what is no range is left for the selection to refuse", map[string]string{"SLURM_JOB_GPUS": "5-2,0-99999999,gpu:1"}, []string{"5-2", "0-99999999", "gpu:1"}, true},
	} {
		got, ok := granted(func(name string) (string, bool) { v, ok := c.env[name]; return v, ok })
		if diff := cmp.Diff(c.want, got); diff != "" || ok != c.ok {
			t.Errorf("%s: ok %v, want %v; -want +got:\n%s", c.name, ok, c.ok, diff)
		}
	}
}

// catalogue is a host's GPUs, which can only be listed.
type catalogue struct {
	device.Session
	names []string
}

func (c catalogue) Devices(context.Context) (list []device.Device, err error) {
	for i, name := range c.names {
		list = append(list, device.Device{Index: i, Name: name})
	}
	return list, nil
}

// CUDA's indices are NVML's only where nothing can be faster, or CUDA is told so.
func TestIndicesInCUDAsOrder(t *testing.T) {
	t.Parallel()
	like, unlike := catalogue{names: []string{"A100", "A100"}}, catalogue{names: []string{"T4", "A100"}}
	for _, c := range []struct {
		name    string
		env     map[string]string
		gpus    catalogue
		refused bool
	}{
		{"of one model", map[string]string{"CUDA_VISIBLE_DEVICES": "1"}, like, false},
		{"of two", map[string]string{"CUDA_VISIBLE_DEVICES": "1"}, unlike, true},
		{"the fastest first", map[string]string{"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "FASTEST_FIRST"}, unlike, true},
		{"in the order of the bus", map[string]string{"CUDA_VISIBLE_DEVICES": "1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, unlike, false},
		{"UUIDs", map[string]string{"CUDA_VISIBLE_DEVICES": "GPU-b"}, unlike, false},
		{"one of them an index", map[string]string{"CUDA_VISIBLE_DEVICES": "GPU-b,0"}, unlike, true},
		{"Slurm's, which are not CUDA's", map[string]string{"SLURM_STEP_GPUS": "1"}, unlike, false},
	} {
		lookup := func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }
		ids, _ := granted(lookup)
		err := inOrder(t.Context(), lookup, c.gpus, ids)
		if (err != nil) != c.refused || err != nil && launch.KindOf(err) != launch.ConfigFault {
			t.Errorf("%s: %v, refused is to be %v", c.name, err, c.refused)
		}
	}
}
