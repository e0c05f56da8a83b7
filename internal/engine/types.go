package engine

import (
	"time"

	"github.com/llenergymeasure/llem/internal/launch"
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
	Image     launch.Image
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
