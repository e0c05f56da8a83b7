package record

import (
	"time"

	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/job"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/meter/card"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/stats"
	"github.com/llenergymeasure/llem/internal/study"
)

// Observation is all that a record is made of. What a run did not reach is zero.
type Observation struct {
	Run         Run
	Job         job.Job // as it was run
	Host        Host
	Server      Server
	Readings    Readings
	Idle        Idle
	Warmup      *measure.WarmupResult // nil: it was not reached
	Floor       time.Duration         // how long the thermal floor was
	Instruments []Instrument          // the first owns the energy figure
	Window      *Window               // nil: it was not reached
	Warnings    []measure.Warning     // of what only the run could see, in their order
}

// Run is which run it was, and how it went.
type Run struct {
	ID      string // empty: of a command, which has no record
	Version string // of the llem that observed it
	Started time.Time
	Ended   time.Time // or the time of the observation
	Phases  []result.Phase
	Gap     string           // whether there was a pause before it, and why
	Study   *result.StudyRun // nil: it was in no study
	Cycles  int              // of the study
	Err     error            // why it did not complete; nil: it did
}

// Host is the machine, and the GPUs that were measured.
type Host struct {
	Machine         result.Host
	Devices         []device.Device
	Gain            *measure.Gain    // of their sensors; nil: no GPU, or a record from before there was one
	Refresh, Jitter []time.Duration  // of each device's energy counter; 0: it has none
	Foreign         []device.Process // on the devices
	Settings        []Setting
	NoEnergy        string // why there is no energy of GPUs; empty: there is
}

// Setting is what was changed of one GPU.
type Setting struct {
	Index        int
	UUID         string
	LimitBeforeW float64
	LimitW       float64 // 0: was left as it was, and LimitBeforeW is 0
	ClockMHz     int     // 0: was left free
	Restored     bool
}

// Server is what a started server said.
type Server struct {
	Container *launch.ContainerInfo // nil: no server was started or found
	Startup   *time.Duration        // of the launch; nil: there was none
	Info      engine.Info
	Kept      *result.Kept // nil: it was started for this run
}

// Readings are those of the GPUs, on one clock.
type Readings struct {
	Meter           string          // that gave them, by its row's name
	Epoch           time.Time       // when that clock began; zero: no recorder read
	Polls           []device.Sample // of the counters in preflight
	Samples         []device.Sample
	From            time.Duration // when the window began
	Failed, Dropped int           // readings
	Lost            error         // why the last one failed
}

// Idle is the power of the idle GPUs.
type Idle struct {
	Baseline *measure.Baseline // nil: none was measured
	After    *measure.Baseline // once more after the run; nil: that was not asked for
	Engine   []device.Watts    // of each GPU with the model loaded
}

// Instrument is another meter in the run.
type Instrument struct {
	Name         string
	Versions     map[string]string
	Began, Ended time.Time // the call that opened it, and the answer that closed it
	Reading      measure.Reading
	Err          error // why there is no reading
}

// Window is the measurement: its requests, and what was read at its edges.
type Window struct {
	Timings   load.Timings
	T0        time.Time
	Length    time.Duration
	ClosedBy  string
	Out       time.Duration        // see [load.Run]
	Unmade    error                // see [load.Run]
	Host      []measure.HostEnergy // empty: the host has no counters
	Idle      *bool                // the server's own word that nothing ran after it; nil: it does not say
	Audit     load.Audit
	ReadLag   *stats.Summary // of the load, milliseconds
	Before    engine.Counters
	After     engine.Counters
	Restarted bool // the server's counters began again within it
}

// utc places a moment of the run on one clock with all its readings: that of the
// recorder's epoch, which no adjustment of the host's clock reaches.
func (o *Observation) utc(t time.Time) time.Time {
	epoch := o.Readings.Epoch
	if epoch.IsZero() {
		epoch = o.Run.Started
	}
	if epoch.IsZero() || t.IsZero() {
		return t.UTC()
	}
	return epoch.Add(t.Sub(epoch)).UTC()
}

func (o *Observation) warn(code, seen string, args ...any) {
	o.Warnings = append(o.Warnings, measure.Warn(code, seen, args...))
}

// sensors is what is known of each GPU's power sensor.
func (h *Host) sensors() []device.Sensor {
	return card.SensorsOf(h.Devices, h.Refresh, h.Jitter)
}

// hostScope says that the figure is the host's, since there is no GPU.
func (o *Observation) hostScope() bool { return len(o.Instruments) > 0 && len(o.Host.Devices) == 0 }

// WarmupConfig is the warmup that an experiment asks for.
func WarmupConfig(w study.Warmup) measure.WarmupConfig {
	if !w.Enabled {
		w.NWarmup, w.ConvergenceDetection = 0, false
	}
	return measure.WarmupConfig{
		N: w.NWarmup, Converge: w.ConvergenceDetection, Threshold: w.CVThreshold,
		Max: w.MaxWarmupPrompts, Window: w.WindowSize, Min: w.MinPrompts,
	}
}
