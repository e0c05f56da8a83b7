package launch

import (
	"time"

	"github.com/llenergymeasure/llem/internal/study"
)

// Mount is one bind mount.
type Mount struct {
	Source, Target string
	ReadOnly       bool
}

// Cache is a folder of the container that outlives it, so that what an engine
// compiled once is not compiled again.
type Cache struct {
	Name   string // of this image's own
	Target string
}

// Spec is a container to start: everything but the names of this run.
type Spec struct {
	Engine       string
	ImageID      string
	Cmd          []string
	Env          map[string]string
	Mounts       []Mount
	Caches       []Cache
	Overridden   []string // flags of llem's that engine.args took over
	LeftOut      []string // flags of llem's that engine.args took out, by null
	Port         int      // the server's port inside the container
	ReadyPath    string   // answers 200 once requests are taken
	ReadyTimeout time.Duration
	GPUs         []string // UUIDs; empty: no GPU request
	// HFTokenFile is where the Hugging Face token is mounted; empty: not given.
	HFTokenFile string
	// Key is the key that the server asks for; KeyVariable or KeyFile is how the
	// container is given it, or neither where engine.env or engine.args do.
	Key         Secret `json:",omitempty"`
	KeyVariable string `json:",omitempty"`
	KeyFile     string `json:",omitempty"`
	Container   study.Container
	// ReadOnly says that the engine runs on a root filesystem that is read-only.
	// Filled by the harness.
	ReadOnly bool `json:",omitempty"`
	// Run, Lock, Experiment, PID and Name label the container. Filled by the
	// harness. Lock is the file that the run holds while it lives.
	Run, Lock, Experiment, Name string
	PID                         int
}

// ContainerName is the name of a run's container: the one thing of it that an image
// made of it does not hand on.
func ContainerName(run string) string { return "llem-" + run }
