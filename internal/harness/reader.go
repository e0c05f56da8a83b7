package harness

import (
	"context"
	"log/slog"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/lease"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/meter/card"
	"github.com/llenergymeasure/llem/internal/record"
)

// reader reads the GPUs of a run, or of a command, from before anything is measured. There
// may be none of them.
type reader struct {
	devices         []device.Device
	noEnergy        string // why there is no energy figure of them; empty: there is
	meter           string // that reads them, by its row's name
	watcher         device.Watcher
	recorder        *measure.Recorder
	polls           []device.Sample  // of the energy counters, before anything was measured
	refresh, jitter []time.Duration  // of each device's counter; 0: it has none
	foreign         []device.Process // on the devices
	log             *slog.Logger
}

// newReader prepares to read devices every interval.
func newReader(session device.Session, devices []device.Device, every time.Duration, log *slog.Logger) (*reader, error) {
	w, err := session.Watch(devices)
	if err != nil {
		return nil, launch.Faultf(launch.HostFault, "read GPUs: %w", err)
	}
	return &reader{devices: devices, meter: session.Name(), watcher: w, recorder: measure.NewRecorder(w, len(devices), every), log: log}, nil
}

// readerOfNone reads no GPU; why may be empty while that is not known.
func readerOfNone(why string, log *slog.Logger) *reader {
	return &reader{noEnergy: why, watcher: noGPUs{}, recorder: measure.NewRecorder(noGPUs{}, 0, time.Hour), log: log}
}

// noGPUs is a watcher that has nothing to read.
type noGPUs struct{}

var _ device.Watcher = noGPUs{}

func (noGPUs) Sample(time.Time, []device.Sample) ([]device.Sample, error)       { return nil, nil }
func (noGPUs) Processes(context.Context) ([]device.Process, error)              { return nil, nil }
func (noGPUs) PollCounters(context.Context, time.Time) ([]device.Sample, error) { return nil, nil }

// poll measures how often the counters move.
func (g *reader) poll(ctx context.Context) (err error) {
	g.polls, err = g.watcher.PollCounters(ctx, g.recorder.Epoch())
	g.refresh, g.jitter = measure.Refresh(g.polls, len(g.devices))
	return err
}

// sensors is what is known of each GPU's power sensor.
func (g *reader) sensors() []device.Sensor { return card.SensorsOf(g.devices, g.refresh, g.jitter) }

// restBefore is the least time between warmup and window, in which power falls.
const restBefore = time.Second

// rest is how long the GPUs idle until their last refreshes can be of idle ones.
func (g *reader) rest() (least time.Duration) {
	for _, refresh := range g.refresh {
		least = max(least, restBefore, 4*refresh)
	}
	return least
}

// settle reads the GPUs as a window opens until each counter has moved.
func (g *reader) settle(ctx context.Context) {
	if err := g.recorder.Settle(ctx, g.refresh); err != nil && ctx.Err() == nil {
		g.log.Warn("read GPUs as the window opens", "error", err)
	}
}

// unwind reads the GPUs after a window until the counters show how power falls.
func (g *reader) unwind(ctx context.Context) {
	if err := g.recorder.Unwind(ctx, g.refresh); err != nil && ctx.Err() == nil {
		g.log.Warn("read GPUs as the window closes", "error", err)
	}
}

// strangers lists the processes on the GPUs that are not the run's own, until the
// function that it returns is called, which warns of them: see [lease.Strangers].
func (g *reader) strangers(ctx context.Context, own func(pid int) (bool, error)) (stop func() []measure.Warning) {
	if g.noEnergy != "" {
		return func() []measure.Warning { return nil }
	}
	end := lease.Strangers(ctx, g.watcher, g.foreign, own)
	return func() []measure.Warning {
		found, warnings := end()
		g.foreign = append(g.foreign, found...)
		return warnings
	}
}

// newcomers warns of processes that came while the baseline was measured.
func (g *reader) newcomers(list []device.Process) []measure.Warning {
	found := lease.Newcomers(g.foreign, list)
	if len(found) == 0 {
		return nil
	}
	g.foreign = append(g.foreign, found...)
	return []measure.Warning{measure.Warn("gpu_not_exclusive", "%s on the GPU while the baseline was measured", measure.Describe(found))}
}

// memoryUsed is the memory in use on each GPU, in bytes by UUID; nil where it is unknown.
func (g *reader) memoryUsed() map[string]uint64 {
	got, err := g.recorder.Edge()
	if err != nil {
		return nil
	}
	used := map[string]uint64{}
	for _, s := range got {
		if s.Has&device.HasMemory == 0 {
			return nil // unknown
		}
		used[g.devices[s.GPU].UUID] = s.MemUsed
	}
	return used
}

// released waits until the GPUs hold no more memory than before the launch, within a
// tolerance for the driver's own. Of GPUs that the launch was not on nothing is known.
func (g *reader) released(ctx context.Context, before map[string]uint64) (note string, doubts []measure.Warning) {
	if len(before) == 0 {
		return "container removed", nil
	}
	const tolerance = 64 << 20
	deadline := time.Now().Add(memoryDeadline)
	for {
		now := g.memoryUsed()
		if now == nil {
			return "container removed, GPU memory cannot be read", nil
		}
		var kept []device.Device
		for _, d := range g.devices {
			if was, known := before[d.UUID]; known && now[d.UUID] > was+tolerance {
				kept = append(kept, d)
			}
		}
		if len(kept) == 0 {
			return "container removed, GPU memory released", nil
		}
		if time.Now().After(deadline) || measure.Sleep(ctx, 200*time.Millisecond) != nil {
			for _, d := range kept {
				doubts = append(doubts, measure.Warn("gpu_memory_not_released", "GPU %d: %d MiB more in use after the container was removed than before it", d.Index, (now[d.UUID]-before[d.UUID])>>20))
			}
			return "container removed, GPU memory still in use", doubts
		}
	}
}

// host is what a record says of the machine and of the GPUs.
func (g *reader) host() record.Host {
	h := record.Host{Machine: describeHost(), Devices: g.devices, Refresh: g.refresh, Jitter: g.jitter, Foreign: g.foreign, NoEnergy: g.noEnergy}
	if len(h.Devices) > 0 {
		h.Gain = new(card.GainOf(h.Devices))
	}
	return h
}

// readings are all so far. w is the window, or nil.
func (g *reader) readings(w *record.Window) (r record.Readings) {
	if len(g.devices) == 0 {
		return r
	}
	r = record.Readings{Meter: g.meter, Epoch: g.recorder.Epoch(), Polls: g.polls, Samples: g.recorder.Samples()}
	r.Failed, r.Dropped, r.Lost = g.recorder.Trouble()
	if w != nil {
		r.From = w.T0.Sub(r.Epoch)
	}
	return r
}
