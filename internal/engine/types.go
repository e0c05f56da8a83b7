package engine

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/llenergymeasure/llem/internal/study"
)

// Traits are what an engine's API can do.
type Traits struct {
	TokenIDs  bool // completions take a prompt as token ids
	IgnoreEOS bool // an answer can be made to go on to its planned length
	Dummy     bool // its weights are always drawn, never loaded
	OwnNames  bool // a model's name means something to the engine alone
	Words     bool // its server tells the vocabulary of its model
	Running   bool // of servers that already run: llem starts none
	ReadOnly  bool // it was seen to run on a root filesystem that is read-only
	// Upstream is the repository of the engine's own images, which a bare engine
	// name stands for; empty: there is none.
	Upstream string
	// UpstreamCPU is the repository of those for hosts without a GPU; empty: it has
	// none apart.
	UpstreamCPU string
	// Versions that the adapter was written for.
	Versions string
}

// ClientOptions are the same for every request of an experiment.
type ClientOptions struct {
	API         string // completions | chat
	Model       string // served model name
	Seed        int64
	Temperature float64
	IgnoreEOS   bool
	ExtraBody   map[string]any
	Timeout     time.Duration
	KeepText    bool
	Connections int  // opened before the window
	Bounded     bool // no load has more than Connections in flight
	H2C         bool // HTTP/2 without TLS
}

// Host is what Spec needs to know of this machine, of the image and of the
// prompts.
type Host struct {
	Image     Image
	GPUs      []string // UUIDs given to the container, in order
	Model     Model
	TokenFile string // path in the container of the Hugging Face token; empty: none
	// LongestPrompt is the most tokens that a prompt of a file may have, which are
	// sent whole; 0: synthetic prompts, of workload.max_input_tokens.
	LongestPrompt int
	// Kept says that the container serves several experiments, between which its
	// caches are emptied.
	Kept bool
}

// Model is where a model lies. The zero value is one that the engine finds by
// its name.
type Model struct {
	Source string // file or folder on this host, mounted read-only
	Target string // where it is mounted
	Path   string // the model itself, inside the container
	GGUF   bool   // Path is a GGUF file
}

// Image is a container image as the daemon knows it.
type Image struct {
	Ref          string // as the user named it
	ID           string // sha256:… of the configuration
	Digest       string // repo@sha256:…, empty for an image that was never pulled or pushed
	Labels       map[string]string
	Entrypoint   []string
	Cmd          []string
	Env          []string
	User         string
	WorkingDir   string
	Architecture string
	OS           string
	SizeBytes    int64
}

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

// Server is a running engine.
type Server interface {
	URL() string
	Info() ContainerInfo
	Done() <-chan struct{} // closed when the server has died or was stopped
	Err() error            // after Done: nil when it was stopped, else *Died
	// Log copies what the server wrote since a time; the zero time is its start.
	Log(ctx context.Context, w io.Writer, since time.Time) error
	// Stop ends and removes the container; safe to call twice. Its context bounds
	// it: after an error the container may still be there, and Kill removes it.
	Stop(context.Context) error
	// Kill ends and removes the container at once.
	Kill(context.Context) error
}

// ContainerInfo is what a record says of a container.
type ContainerInfo struct {
	ID      string
	Name    string
	Command []string // entrypoint and arguments as run
	Route   string   // container_address | published_port
	// CompileCache says whether an earlier container of the image has left its
	// caches: CacheCold, CacheWarm, or empty where there are none or it is unknown.
	CompileCache string
	StartedAt    time.Time
	ReadyAt      time.Time
}

// States of a compile cache when a container starts.
const (
	CacheCold = "cold"
	CacheWarm = "warm"
)

// Info is what a server says of itself; zero values are unknown.
type Info struct {
	Engine                 string // the engine that it says it is, by our name for it
	Version                string
	Model                  string // by which requests ask for it
	ParametersTotal        int64
	ParametersNonEmbedding int64 // without input embeddings and without lm_head
	ParametersActive       int64
	DType                  string
	ContextLength          int
	TextLow, TextHigh      int // ids of ordinary text: TextLow ≤ id < TextHigh; 0, 0: unknown
	Vocabulary             int
	ByteLevel              bool // a token id of ordinary text is its byte
	HiddenSize, Layers     int
	AttentionHeads         int
	HeadDim                int
	SyncRoute              bool
}

// Died says that a container ended by itself.
type Died struct {
	ExitCode  int
	OOMKilled bool
	LogTail   string // the end of what it wrote, long enough to hold the cause, which may stand far above the last line
}

func (d *Died) Error() string {
	why := fmt.Sprintf("exit code %d", d.ExitCode)
	if d.OOMKilled {
		why += ", killed for want of memory"
	}
	return "container died: " + why
}

// Stopped says that the container ended as one does that is told to: by a signal
// for that, or well.
func (d *Died) Stopped() bool {
	return !d.OOMKilled && slices.Contains([]int{-1, 0, 128 + 2, 128 + 9, 128 + 15}, d.ExitCode)
}

// NotReady says that a container lived but never answered.
type NotReady struct {
	After   time.Duration
	Last    string // the last answer
	LogTail string // as that of Died
}

func (e *NotReady) Error() string {
	return fmt.Sprintf("server not ready after %s: %s", e.After.Round(time.Second), e.Last)
}
