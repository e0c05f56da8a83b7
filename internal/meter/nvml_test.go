//go:build linux && cgo

package meter

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/device"
)

func openFake(t *testing.T, lib *fakeLib) *nvmlSession {
	t.Helper()
	n, err := open(lib)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOpenTellsWhyThereIsNone(t *testing.T) {
	for name, c := range map[string]struct {
		lib  fakeLib
		want error
		text string
	}{
		"no library": {fakeLib{initial: nvml.ERROR_LIBRARY_NOT_FOUND}, ErrNoLibrary, "driver"},
		"no driver":  {fakeLib{initial: nvml.ERROR_DRIVER_NOT_LOADED}, ErrInit, "DRIVER_NOT_LOADED"},
		"mismatch":   {fakeLib{initial: nvml.ERROR_LIB_RM_VERSION_MISMATCH}, ErrInit, "MISMATCH"},
		"too old":    {fakeLib{missing: map[string]bool{"nvmlDeviceGetCount_v2": true}}, ErrInit, "update the driver"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := open(&c.lib)
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %v with %q", err, c.want, c.text)
			}
		})
	}
}

func TestDevicesDescribesAGPU(t *testing.T) {
	d := newFakeDevice("GPU-a")
	d.mig, d.migCode = nvml.DEVICE_MIG_DISABLE, nvml.SUCCESS
	got, err := openFake(t, &fakeLib{gpus: []*fakeDevice{d}}).Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []device.Device{{
		UUID: "GPU-a", Name: "Fake", MemoryBytes: 80 << 30, Driver: "550.1", CUDA: "12.8", VBIOS: "92.00",
		ComputeCapability: "9.0", PowerLimitW: new(350.0), PowerLimitDefaultW: new(400.0), PowerLimitMinW: new(100.0), PowerLimitMaxW: new(400.0),
		SMClockMHz: new(1410), SMClockMaxMHz: new(1980), MemClockMHz: new(1410),
		Persistence: new(true), MIG: new(false), PCIBusID: "00000000:17:00.0", PCIeGen: new(5), PCIeWidth: new(16),
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDevicesLeavesUnknownUnset(t *testing.T) {
	d := newFakeDevice("GPU-a")
	for _, call := range []string{"vbios", "pcie", "clock", "persistence", "enforced limit", "constraints", "memory"} {
		d.code[call] = nvml.ERROR_NOT_SUPPORTED
	}
	d.migCode = nvml.ERROR_UNKNOWN
	lib := &fakeLib{gpus: []*fakeDevice{d}, missing: map[string]bool{
		"nvmlSystemGetCudaDriverVersion_v2": true, "nvmlDeviceGetPowerManagementDefaultLimit": true,
		"nvmlDeviceGetPciInfo_v3": true, "nvmlDeviceGetPciInfo_v2": true, "nvmlDeviceGetCudaComputeCapability": true,
	}}
	got, err := openFake(t, lib).Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []device.Device{{UUID: "GPU-a", Name: "Fake", Driver: "550.1", CUDA: "11.2", PowerLimitW: new(360.0)}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestDevicesLeavesOutALostGPU(t *testing.T) {
	a, b, c := newFakeDevice("GPU-a"), newFakeDevice("GPU-b"), newFakeDevice("GPU-c")
	b.lost = true
	c.mig, c.migCode = nvml.DEVICE_MIG_ENABLE, nvml.SUCCESS // a neighbour's MIG is only noted
	n := openFake(t, &fakeLib{gpus: []*fakeDevice{a, b, c}})
	got, err := n.Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].Index != 0 || got[1].Index != 2 || got[1].MIG == nil || !*got[1].MIG {
		t.Errorf("got %+v, want GPUs 0 and 2, the latter with MIG", got)
	}
	a.lost, c.lost = true, true
	if _, err := n.Devices(t.Context()); err == nil {
		t.Error("no GPU answers, and there is no error")
	}
}

func TestSelectKeepsTheOrderGiven(t *testing.T) {
	n := openFake(t, &fakeLib{gpus: []*fakeDevice{newFakeDevice("GPU-a"), newFakeDevice("GPU-b")}})
	got, err := n.Select(t.Context(), []string{"GPU-b", "0"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].UUID != "GPU-b" || got[0].Index != 1 || got[1].UUID != "GPU-a" {
		t.Errorf("got %+v, want GPU-b, GPU-a", got)
	}
}

func TestSelectRefuses(t *testing.T) {
	mig, lost := newFakeDevice("GPU-mig"), newFakeDevice("GPU-lost")
	mig.mig, mig.migCode = nvml.DEVICE_MIG_ENABLE, nvml.SUCCESS
	lost.lost = true
	n := openFake(t, &fakeLib{gpus: []*fakeDevice{newFakeDevice("GPU-a"), mig, lost}})
	for name, c := range map[string]struct {
		ids  []string
		want string
	}{
		"an index that is not there": {[]string{"7"}, "no GPU 7: this host has 0 (GPU-a), 1 (GPU-mig)"},
		"a UUID that is not there":   {[]string{"GPU-x"}, "no GPU GPU-x: this host has 0 (GPU-a)"},
		"a negative index":           {[]string{"-1"}, "no GPU -1"},
		"MIG enabled":                {[]string{"1"}, "nvidia-smi -i 1 -mig 0"},
		"a MIG instance":             {[]string{"MIG-1"}, "without MIG"},
		"twice the same":             {[]string{"0", "GPU-a"}, "named twice"},
		"a lost GPU":                 {[]string{"2"}, "open GPU 2: ERROR_GPU_IS_LOST"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := n.Select(t.Context(), c.ids); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestProcessesAreMergedAndNamed(t *testing.T) {
	me := uint32(os.Getpid())
	a, b := newFakeDevice("GPU-a"), newFakeDevice("GPU-b")
	a.procs = map[string][]nvml.ProcessInfo{
		"compute":  {{Pid: me, UsedGpuMemory: 100}, {Pid: 1 << 30, UsedGpuMemory: ^uint64(0)}},
		"graphics": {{Pid: me, UsedGpuMemory: 300}},
	}
	b.procs = map[string][]nvml.ProcessInfo{"mps": {{Pid: me, UsedGpuMemory: 5}}}
	b.code["graphics"] = nvml.ERROR_NOT_SUPPORTED
	n := openFake(t, &fakeLib{gpus: []*fakeDevice{a, b}})
	got, err := watchAll(t, n).Processes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	comm, err := os.ReadFile("/proc/self/comm")
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimSpace(string(comm))
	want := []device.Process{
		{PID: int(me), Name: name, Device: 0, MemoryUsed: 300},
		{PID: 1 << 30, Device: 0},
		{PID: int(me), Name: name, Device: 1, MemoryUsed: 5},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	for _, call := range []string{"compute", "mps"} {
		b.code[call] = nvml.ERROR_NO_PERMISSION
	}
	if _, err := watchAll(t, n).Processes(t.Context()); err == nil || !strings.Contains(err.Error(), "GPU 1") {
		t.Errorf("got %v, want an error that names GPU 1", err)
	}
}

func watchAll(t *testing.T, n *nvmlSession) *nvmlSampler {
	t.Helper()
	devices, err := n.Devices(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s, err := n.watch(devices)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
