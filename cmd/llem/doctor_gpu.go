package main

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/meter"
	"github.com/llenergymeasure/llem/internal/meter/card"
)

// gpuCheck is what doctor finds of one GPU.
type gpuCheck struct {
	device  device.Device
	list    []finding
	watched bool // its readings can be had
	used    bool // processes are on it
}

func (g *gpuCheck) add(state, seen, remedy string) {
	g.list = append(g.list, finding{fmt.Sprintf("gpu %d", g.device.Index), state, seen, remedy})
}

func doctorGPUs(a *app) []finding {
	ctx := a.ctx
	n, err := meter.Open()
	if err != nil {
		seen, remedy, _ := strings.Cut(err.Error(), "; ")
		return []finding{{"nvml", "lacking", seen + "; runs give no energy figure", cmp.Or(remedy, "install the NVIDIA driver; `nvidia-smi` must work")}}
	}
	defer n.Close() //nolint:errcheck // nothing was written
	devices, err := n.Devices(ctx)
	if err != nil {
		return []finding{{n.Name(), "lacking", err.Error(), "see `nvidia-smi` and the kernel's log (dmesg)"}}
	}
	gpus := make([]gpuCheck, len(devices))
	var watched []*gpuCheck
	for i, d := range devices {
		gpus[i].device = d
		if gpus[i].see(ctx, n); gpus[i].watched {
			watched = append(watched, &gpus[i])
		}
	}
	doctorSensors(ctx, n, watched)
	var out []finding
	for _, g := range gpus {
		out = append(out, g.list...)
	}
	return out
}

// see finds what needs no waiting.
func (g *gpuCheck) see(ctx context.Context, n device.Session) {
	d := g.device
	g.add("ok", said("", d.Name, "driver ", d.Driver, "", d.UUID), "")
	if d.Persistence != nil && !*d.Persistence {
		g.add("lacking", "persistence mode is off", "sudo nvidia-smi -pm 1")
	}
	if d.MIG != nil && *d.MIG {
		g.add("lacking", "MIG is on: its energy cannot be told apart", fmt.Sprintf("sudo nvidia-smi -i %d -mig 0", d.Index))
		return
	}
	w, err := n.Watch([]device.Device{d})
	if err != nil {
		g.add("lacking", err.Error(), "see `nvidia-smi`")
		return
	}
	g.watched = true
	if procs, err := w.Processes(ctx); err == nil && len(procs) > 0 {
		g.used = true
		g.add("lacking", "in use by "+measure.Describe(procs), "stop them before measuring")
	}
}

// doctorSensors watches all GPUs at once, so that many take no longer than one.
func doctorSensors(ctx context.Context, n device.Session, gpus []*gpuCheck) {
	if len(gpus) == 0 {
		return
	}
	devices := make([]device.Device, len(gpus))
	for i, g := range gpus {
		devices[i] = g.device
	}
	w, err := n.Watch(devices)
	var polls []device.Sample
	if err == nil {
		polls, err = w.PollCounters(ctx, time.Now())
	}
	if err != nil {
		for _, g := range gpus {
			g.add("lacking", "energy counter: "+err.Error(), "see `nvidia-smi`")
		}
		return
	}
	refresh, jitter := measure.Refresh(polls, len(gpus))
	sensors := card.SensorsOf(devices, refresh, jitter)
	samples, took := readIdle(ctx, w)
	for i, g := range gpus {
		g.fields(samples, int32(i))
		g.gain()
		if refresh[i] == 0 {
			g.add("lacking", "no energy counter: energy comes from integrated power", noCounter(g.device))
			continue
		}
		g.add("ok", fmt.Sprintf("energy counter moves every %.0f ms", refresh[i].Seconds()*1000), "")
		s := sensors[i]
		if c, ok := measure.AtIdle(samples, int32(i), s); ok {
			c.Reading = took / time.Duration(len(gpus))
			g.expect(s, c)
		}
	}
}

// gain says how far the absolute energy of this GPU may be off in any run.
func (g *gpuCheck) gain() {
	cards := []device.Device{g.device}
	limit := card.GainOf(cards)
	said := fmt.Sprintf("gain of its sensor: ± %g %% at most in every absolute figure, %s: %s", 100*limit.HalfWidth, limit.Standing, limit.Source)
	if card.ScopeOf(cards) == measure.ScopeModule {
		said += "; its energy is the module's: GPU, CPU and their memory"
	}
	g.add("ok", said, "")
}

// noCounter is what to do about a GPU without an energy counter.
func noCounter(d device.Device) string {
	if !card.Counts(d) {
		return "nothing: GPUs before Volta have none"
	}
	return fmt.Sprintf("update the driver %s: GPUs from Volta on have one, which an older driver does not give; a virtual GPU has none", d.Driver)
}

// fields says which readings this GPU does not give.
func (g *gpuCheck) fields(samples []device.Sample, at int32) {
	var has device.Field
	for _, s := range samples {
		if s.GPU == at {
			has |= s.Has
		}
	}
	var missing []string
	for _, f := range []struct {
		of   device.Field
		name string
	}{
		{device.HasPowerInstant | device.HasPowerAverage | device.HasPowerUsage, "power"}, {device.HasTemperature, "temperature"},
		{device.HasMemory, "memory"}, {device.HasUtilisation, "utilisation"}, {device.HasThrottle, "throttle reasons"},
		{device.HasThrottled, "time throttled"},
	} {
		if has&f.of == 0 {
			missing = append(missing, f.name)
		}
	}
	if len(missing) > 0 {
		g.add("lacking", "it does not tell its "+strings.Join(missing, ", ")+": null in records", "update the driver; some GPUs have none")
	}
}

// readIdle reads all GPUs ten times in a second, and says how long one time took.
func readIdle(ctx context.Context, w device.Watcher) (samples []device.Sample, took time.Duration) {
	const times, every = 10, 100 * time.Millisecond
	epoch := time.Now()
	for range times {
		if measure.Sleep(ctx, every) != nil {
			break
		}
		begun := time.Now()
		// A GPU that gives no reading has none to expect anything from.
		samples, _ = w.Sample(epoch, samples)
		took += time.Since(begun)
	}
	return samples, took / times
}

// swing is that of the load for which doctor says what to expect of a sensor that
// does not look all the time.
const swing = 0.2

// expect says how well the energy of windows will be known on this GPU at its
// power limit.
func (g *gpuCheck) expect(s device.Sensor, c measure.Conditions) {
	if g.device.PowerLimitW == nil {
		return
	}
	c.Busy = device.Watts(*g.device.PowerLimitW)
	said, ok := expected(s, c)
	if !ok {
		return
	}
	said = fmt.Sprintf("expected uncertainty (95 %%, the meter's own, without the spread of repeated runs) at a steady %.0f W, its limit: %s", *g.device.PowerLimitW, said)
	if g.used {
		said += "; its idle power is not idle: it is in use"
	}
	g.add("ok", said, "")
	c.Swing = swing
	if said, ok := expected(s, c); ok && s.Duty < 1 {
		g.add("ok", fmt.Sprintf("its sensor looks %.0f %% of the time; of a load that swings by %.0f %%: %s", 100*s.Duty, 100*swing, said), "")
	}
}

// expected spells out what [measure.Expect] says of windows of three lengths, and
// the window that is enough for 1 %.
func expected(s device.Sensor, c measure.Conditions) (text string, ok bool) {
	var parts []string
	for _, window := range []time.Duration{10 * time.Second, 30 * time.Second, time.Minute} {
		if u, ok := measure.Expect(s, c, window); ok {
			share := 2 * float64(u) / (float64(c.Busy) * window.Seconds())
			parts = append(parts, fmt.Sprintf("%.0f s ± %s %%", window.Seconds(), twoDigits(100*share)))
		}
	}
	text = strings.Join(parts, ", ")
	if window, ok := measure.WindowFor(s, c, 0.01); ok {
		text += fmt.Sprintf("; 1 %% takes %s s", twoDigits(window.Seconds()))
	}
	return text, len(parts) > 0
}

// twoDigits prints two significant digits, and never an exponent.
func twoDigits(v float64) string {
	text := strconv.FormatFloat(v, 'e', 1, 64)
	exponent, _ := strconv.Atoi(text[strings.IndexByte(text, 'e')+1:]) // the format has it
	return strconv.FormatFloat(v, 'f', max(0, 1-exponent), 64)
}
