package job

import (
	"github.com/llenergymeasure/llem/internal/device"
	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/measure"
	"github.com/llenergymeasure/llem/internal/study"
)

// Job is what is known of a run before anything of it starts. The steps of a [Finder]
// fill it in; what no step has found is zero.
type Job struct {
	Experiment  study.Experiment // its Hidden has every secret that requests carry
	Run         Run
	Prompts     Prompts
	Daemon      launch.DaemonInfo // zero: it does not answer, or a server already runs
	GPUs        []device.Device   // that the run is on, in order; the caller selects them
	Credentials Credentials
	Image       launch.Image   // zero: a server already runs
	Engine      *engine.Engine // nil: unknown
	ToldBy      string         // by what the engine was recognised; empty: engine.name says it
	Served      engine.Match   // the server's model that is measured
	Listed      []engine.Served
	Model       Model
	Spec        launch.Spec // of the container; of a server that already runs, its engine and GPUs
	Warnings    []measure.Warning
}

// Run is what a container is to know of the run that starts it. A job that is only
// looked at has none.
type Run struct {
	ID      string
	Lock    string // the file that the run holds while it lives
	PID     int
	Keeps   bool // its study keeps containers for several runs
	HFToken bool // the launcher holds a Hugging Face token to mount
}

// Running says that the server is one that already runs.
func (j *Job) Running() bool { return j.Experiment.Engine.Endpoint != "" }

// onGPUs says whether the engine is to have GPUs; they may be another host's.
func (j *Job) onGPUs() bool {
	e := j.Experiment
	return len(j.GPUs) > 0 || e.GPUs.Mode == "list" || e.Parallel.Size() > 1
}

// Keeping says that the study keeps containers, and that the engine's can be: its
// caches can be emptied.
func (j *Job) Keeping() bool {
	return j.Run.Keeps && !j.Running() && j.Engine != nil && j.Engine.CanReset()
}

// At is the server at url, with what is sent to it.
func (j *Job) At(url string) engine.Address {
	return engine.Address{URL: url, Header: j.Credentials.Header, KeyFrom: j.Credentials.From}
}
