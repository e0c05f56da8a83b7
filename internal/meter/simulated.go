package meter

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/measure"
)

var simulatedRow = Row{Name: "simulated", Invents: true, Open: func(o Options) (device.Session, error) {
	return Simulate(o.Load, o.Cards...), nil
}}

// Simulated is how a simulated GPU behaves. The zero value draws 60 W when it is idle and
// 300 W at full load, and its sensor sees all of each 100 ms and shows it at once.
type Simulated struct {
	Name       string        // default "Simulated GPU"
	Idle, Busy device.Watts  // power without load and at full load; 0: the default
	Refresh    time.Duration // of counter and power; 0: 100 ms
	Phase      time.Duration // of the ticks, after the session was opened
	Look       float64       // the last part of each refresh that is seen, 0 to 1; 0: all
	Delay      time.Duration // from a tick until it shows
}

// Simulation is a session with simulated GPUs, whose power follows a [Load] and whose
// energy is known: [Simulation.Truth].
type Simulation struct{ gpus []*simulatedGPU }

var (
	_ device.Session = (*Simulation)(nil)
	_ device.Watcher = simulatedGPUs(nil)
)

// Simulate starts a session with these GPUs, of which a default one is made where there
// are none. All of them follow l; nil: they idle.
func Simulate(l *Load, cards ...Simulated) *Simulation {
	if l == nil {
		l = new(Load)
	}
	if len(cards) == 0 {
		cards = make([]Simulated, 1)
	}
	s := &Simulation{}
	for i, c := range cards {
		s.gpus = append(s.gpus, newSimulated(i, c, l))
	}
	return s
}

// Truth is what GPU i, by its index, used between two instants.
func (s *Simulation) Truth(i int, from, to time.Time) measure.Joules {
	g := s.gpus[i]
	g.mu.Lock()
	defer g.mu.Unlock()
	return measure.Joules(g.energy(to) - g.energy(from))
}

// Name is that of the row.
func (s *Simulation) Name() string { return simulatedRow.Name }

// Devices describes all GPUs.
func (s *Simulation) Devices(context.Context) ([]device.Device, error) {
	out := make([]device.Device, len(s.gpus))
	for i, g := range s.gpus {
		out[i] = g.describe()
	}
	return out, nil
}

// Select describes the GPUs that ids name, by index or UUID, in the order given.
func (s *Simulation) Select(ctx context.Context, ids []string) ([]device.Device, error) {
	all, err := s.Devices(ctx)
	if err != nil {
		return nil, err
	}
	return choose(all, ids, func(id string) error { return fmt.Errorf("there is no GPU %s: %d are simulated", id, len(all)) })
}

// Watch prepares to read devices.
func (s *Simulation) Watch(devices []device.Device) (device.Watcher, error) {
	var out simulatedGPUs
	for _, d := range devices {
		out = append(out, s.gpus[d.Index])
	}
	return out, nil
}

// PowerLimit is the limit of a GPU, in watts: its power at full load unless one was set.
func (s *Simulation) PowerLimit(d device.Device) (float64, error) {
	return *s.gpus[d.Index].describe().PowerLimitW, nil
}

// SetPowerLimit has a GPU draw no more than that at full load from now on, and as much
// less at any other load.
func (s *Simulation) SetPowerLimit(d device.Device, watts float64) error {
	if err := d.Beyond(watts, 0); err != nil {
		return err
	}
	g := s.gpus[d.Index]
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.spans = append(g.spans, limited{from: now, joules: g.energy(now), top: device.Watts(watts)})
	return nil
}

// LockSMClock notes the clock, which changes no power.
func (s *Simulation) LockSMClock(d device.Device, mhz int) error {
	if err := d.Beyond(0, mhz); err != nil {
		return err
	}
	g := s.gpus[d.Index]
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.clock = mhz; mhz == 0 {
		g.clock = simulatedMHz
	}
	return nil
}

// Close ends the session.
func (s *Simulation) Close() error { return nil }

// What all simulated GPUs have.
const (
	simulatedMHz    = 1500
	simulatedMemory = 80 << 30
	simulatedUsed   = 1 << 30
	simulatedC      = 40
	simulatedJoules = 1000 // that the counter begins with
)

// simulatedGPU is a GPU with what its counter has counted.
type simulatedGPU struct {
	Simulated
	index int
	load  *Load
	begun time.Time

	mu    sync.Mutex
	spans []limited // of one power limit each, in order
	clock int
	ticks int64   // that the counter has counted; it shows no later one
	sum   float64 // joules at the last of them
}

// limited is a time in which a GPU had one limit.
type limited struct {
	from   time.Time
	joules float64      // that were used by then
	top    device.Watts // at full load
}

func newSimulated(i int, c Simulated, l *Load) *simulatedGPU {
	if c.Name == "" {
		c.Name = "Simulated GPU"
	}
	c.Idle, c.Busy = orDefault(c.Idle, 60), orDefault(c.Busy, 300)
	c.Refresh, c.Look = orDefault(c.Refresh, 100*time.Millisecond), orDefault(c.Look, 1)
	g := &simulatedGPU{Simulated: c, index: i, load: l, begun: time.Now(), clock: simulatedMHz}
	g.spans = []limited{{from: g.begun, joules: simulatedJoules, top: c.Busy}}
	g.ticks = g.shown(g.begun)
	g.sum = g.energy(g.tick(g.ticks))
	return g
}

func orDefault[T comparable](v, fallback T) T {
	if v == *new(T) {
		return fallback
	}
	return v
}

func (g *simulatedGPU) describe() device.Device {
	g.mu.Lock()
	defer g.mu.Unlock()
	limit, idle, busy := float64(g.spans[len(g.spans)-1].top), float64(g.Idle), float64(g.Busy)
	clock, most, yes := g.clock, simulatedMHz, true
	return device.Device{
		Index: g.index, UUID: fmt.Sprintf("GPU-51a10000-0000-4000-8000-%012x", g.index), Name: g.Name, MemoryBytes: simulatedMemory,
		PowerLimitW: &limit, PowerLimitDefaultW: &busy, PowerLimitMinW: &idle, PowerLimitMaxW: &busy,
		SMClockMHz: &clock, SMClockMaxMHz: &most, Persistence: &yes,
	}
}

// energy is what was used until t, in joules.
func (g *simulatedGPU) energy(t time.Time) float64 {
	i := len(g.spans) - 1
	for i > 0 && g.spans[i].from.After(t) {
		i--
	}
	s := g.spans[i]
	return s.joules + float64(g.Idle)*t.Sub(s.from).Seconds() + float64(s.top-g.Idle)*(g.load.until(t)-g.load.until(s.from))
}

// tick is when the sensor refreshes for the k-th time.
func (g *simulatedGPU) tick(k int64) time.Time {
	return g.begun.Add(g.Phase + time.Duration(k)*g.Refresh)
}

// shown is the last tick that shows at t.
func (g *simulatedGPU) shown(t time.Time) int64 {
	return int64(math.Floor(float64(t.Sub(g.begun)-g.Phase-g.Delay) / float64(g.Refresh)))
}

// seen is the mean power, in watts, of the look that ends in tick k.
func (g *simulatedGPU) seen(k int64) float64 {
	to, length := g.tick(k), time.Duration(g.Look*float64(g.Refresh))
	return (g.energy(to) - g.energy(to.Add(-length))) / length.Seconds()
}

// read is what the GPU shows now. Its counter takes each look for the whole refresh.
func (g *simulatedGPU) read(epoch time.Time) device.Sample {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	k := g.shown(now)
	for g.ticks < k {
		g.ticks++
		g.sum += g.seen(g.ticks) * g.Refresh.Seconds()
	}
	m := device.Sample{
		Has: device.HasEnergy | device.HasPowerInstant | device.HasTemperature | device.HasMemory | device.HasUtilisation | device.HasThrottle,
		At:  now.Sub(epoch), EnergyMJ: uint64(g.sum * 1000), PowerInstMW: uint32(math.Round(g.seen(k) * 1000)),
		TemperatureC: simulatedC, MemUsed: simulatedUsed, MemTotal: simulatedMemory,
	}
	busy := g.load.now()
	m.SMUtil = uint32(math.Round(100 * busy))
	if busy > 0 && g.spans[len(g.spans)-1].top < g.Busy {
		m.Throttle = device.SoftwarePowerCap
	}
	return m
}

// simulatedGPUs are GPUs that are read.
type simulatedGPUs []*simulatedGPU

// Sample reads every GPU once.
func (w simulatedGPUs) Sample(epoch time.Time, dst []device.Sample) ([]device.Sample, error) {
	for i, g := range w {
		m := g.read(epoch)
		m.GPU = int32(i)
		dst = append(dst, m)
	}
	return dst, nil
}

// PollCounters is as of any meter.
func (w simulatedGPUs) PollCounters(ctx context.Context, epoch time.Time) ([]device.Sample, error) {
	return pollCounters(ctx, len(w), func(i int) (device.Sample, bool) { return w[i].read(epoch), true })
}

// Processes lists none.
func (w simulatedGPUs) Processes(context.Context) ([]device.Process, error) { return nil, nil }
