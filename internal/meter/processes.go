//go:build linux && cgo

package meter

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/NVIDIA/go-nvml/pkg/nvml"

	"github.com/llenergymeasure/llem/internal/device"
)

// memoryUnknown is NVML_VALUE_NOT_AVAILABLE.
const memoryUnknown = ^uint64(0)

// Processes lists the compute, graphics and MPS processes on the GPUs now, each
// once a GPU, by GPU and PID. A name that cannot be read is empty, memory that
// NVML does not tell is 0. It fails only if a GPU gives no list of any kind.
func (s *nvmlSampler) Processes(ctx context.Context) ([]device.Process, error) {
	var out []device.Process
	for i := range s.gpus {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		on, err := s.processesOn(i)
		if err != nil {
			return nil, err
		}
		out = append(out, on...)
	}
	return out, nil
}

func (s *nvmlSampler) processesOn(i int) ([]device.Process, error) {
	dev := s.gpus[i].dev
	byPID := map[uint32]uint64{}
	answered, last := false, nvml.ERROR_FUNCTION_NOT_FOUND
	for _, kind := range []struct {
		symbol string
		list   func() ([]nvml.ProcessInfo, nvml.Return)
	}{
		{"nvmlDeviceGetComputeRunningProcesses", dev.GetComputeRunningProcesses},
		{"nvmlDeviceGetGraphicsRunningProcesses", dev.GetGraphicsRunningProcesses},
		{"nvmlDeviceGetMPSComputeRunningProcesses", dev.GetMPSComputeRunningProcesses},
	} {
		if !s.n.has(kind.symbol+"_v3") && !s.n.has(kind.symbol+"_v2") && !s.n.has(kind.symbol) {
			continue
		}
		list, ret := kind.list()
		if ret != nvml.SUCCESS {
			last = ret
			continue
		}
		answered = true
		for _, p := range list {
			used := p.UsedGpuMemory
			if used == memoryUnknown {
				used = 0
			}
			byPID[p.Pid] = max(byPID[p.Pid], used)
		}
	}
	if !answered {
		return nil, fmt.Errorf("list processes on GPU %d: %s", s.gpus[i].index, s.n.lib.ErrorString(last))
	}
	out := make([]device.Process, 0, len(byPID))
	for pid, used := range byPID {
		out = append(out, device.Process{PID: int(pid), Name: processName(int(pid)), Device: i, MemoryUsed: used})
	}
	slices.SortFunc(out, func(a, b device.Process) int { return a.PID - b.PID })
	return out, nil
}

// processName is the name of a process of this host, "" where it has gone or is
// hidden.
func processName(pid int) string {
	name, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/comm")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}
