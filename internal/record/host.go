package record

import (
	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/meter/card"
	"github.com/llenergymeasure/llem/internal/result"
)

// Why a run has no energy figure that was asked for none.
const (
	NoGPUs    = "gpus: none was asked for"
	NoBackend = "energy.backend: none was asked for"
)

func (h *Host) environment(d launch.DaemonInfo) result.Environment {
	return result.Environment{
		GPUs: h.GPUs(), Host: h.Machine,
		Docker:       result.Docker{Version: d.Version, APIVersion: d.APIVersion, Runtimes: d.Runtimes, Elsewhere: textOrNil(d.Elsewhere)},
		GPUProcesses: h.processes(h.Foreign), GPUSettings: settingsOf(h.Settings),
	}
}

// GPUs are the devices as a record has them.
func (h *Host) GPUs() []result.GPU {
	out := []result.GPU{}
	for i, d := range h.Devices {
		g := result.GPU{
			Index: d.Index, UUID: d.UUID, Name: d.Name, MemoryMB: float64(d.MemoryBytes) / (1 << 20),
			Driver: d.Driver, CUDA: d.CUDA, VBIOS: d.VBIOS, ComputeCapability: d.ComputeCapability,
			PowerLimitW: d.PowerLimitW, PowerLimitDefaultW: d.PowerLimitDefaultW, PowerLimitMinW: d.PowerLimitMinW, PowerLimitMaxW: d.PowerLimitMaxW,
			SMClockMHz: d.SMClockMHz, SMClockMaxMHz: d.SMClockMaxMHz, MemClockMHz: d.MemClockMHz,
			Persistence: d.Persistence, MIG: d.MIG, PCIBusID: d.PCIBusID,
			PCIeGeneration: d.PCIeGen, PCIeWidth: d.PCIeWidth,
		}
		h.mapRefresh(&g, i)
		out = append(out, g)
	}
	return out
}

// mapRefresh maps how often the counter of GPU i moves.
func (h *Host) mapRefresh(g *result.GPU, i int) {
	g.CounterRefreshMS, g.CounterJitterMS = nil, nil
	if i < len(h.Refresh) && h.Refresh[i] > 0 {
		g.CounterRefreshMS = new(h.Refresh[i].Seconds() * 1000)
		g.CounterJitterMS = new(h.Jitter[i].Seconds() * 1000)
	}
}

// mapGain maps whose energy it is and how far the sensors' gain may be off.
func (h *Host) mapGain(en *result.Energy) {
	if g := h.Gain; g != nil {
		en.Scope, en.Gain = card.ScopeOf(h.Devices), gainRecord(*g)
	}
}

func gainRecord(g measure.Gain) *result.Gain {
	return &result.Gain{HalfWidth: g.HalfWidth, Source: g.Source, Standing: g.Standing}
}

// gainOf is the gain that a record has, or had when records did not say.
func gainOf(g *result.Gain) measure.Gain {
	if g == nil {
		return measure.OlderGain
	}
	return measure.Gain{HalfWidth: g.HalfWidth, Source: g.Source, Standing: g.Standing}
}

func (h *Host) processes(list []device.Process) []result.Process {
	out := make([]result.Process, 0, len(list))
	for _, p := range list {
		out = append(out, result.Process{PID: p.PID, Name: p.Name, GPU: h.Devices[p.Device].UUID, MemoryMB: float64(p.MemoryUsed) / (1 << 20)})
	}
	return out
}

func (h *Host) baseline(b *measure.Baseline) *result.Baseline {
	out := &result.Baseline{
		PowerW: float64(b.Power), Method: b.Method, DurationSeconds: b.Duration.Seconds(),
		MeasuredAt: b.MeasuredAt, AgeSeconds: b.Age.Seconds(), Cached: b.Cached,
		UW: watts(b.U), Components: map[string]float64{}, Contaminated: b.Contaminated, Processes: h.processes(b.Processes),
	}
	for _, w := range b.PerGPU {
		out.PerGPUW = append(out.PerGPUW, float64(w))
	}
	for name, c := range b.Components {
		out.Components[name] = float64(c)
	}
	return out
}

func settingsOf(list []Setting) []result.GPUSetting {
	out := []result.GPUSetting{}
	for _, s := range list {
		r := result.GPUSetting{Index: s.Index, UUID: s.UUID, Restored: s.Restored}
		if s.LimitW > 0 {
			r.PowerLimitBeforeW, r.PowerLimitW = new(s.LimitBeforeW), new(s.LimitW)
		}
		if s.ClockMHz > 0 {
			r.SMClockMHz = new(s.ClockMHz)
		}
		out = append(out, r)
	}
	return out
}
