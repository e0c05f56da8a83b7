package study

import (
	"time"

	"github.com/llenergymeasure/llem/internal/pattern"
)

// Experiment is one experiment file with every default applied. Field names on
// disk are the yaml tags; durations are whole or fractional seconds there.
type Experiment struct {
	Name        string      `yaml:"name" json:"name"`
	Model       string      `yaml:"model" json:"model"`
	Revision    string      `yaml:"revision" json:"revision"`
	Engine      Engine      `yaml:"engine" json:"engine"`
	GPUs        GPUs        `yaml:"gpus" json:"gpus"`
	Parallel    Parallel    `yaml:"parallel" json:"parallel"`
	GPUSettings GPUSettings `yaml:"gpu_settings" json:"gpu_settings"`
	DType       string      `yaml:"dtype" json:"dtype"`
	Seed        int64       `yaml:"seed" json:"seed"`
	Workload    Workload    `yaml:"workload" json:"workload"`
	SLO         SLO         `yaml:"slo" json:"slo,omitzero"`
	Baseline    Baseline    `yaml:"baseline" json:"baseline"`
	Warmup      Warmup      `yaml:"warmup" json:"warmup"`
	Energy      Energy      `yaml:"energy" json:"energy"`
	Measurement Measurement `yaml:"measurement" json:"measurement"`
	Output      Output      `yaml:"output" json:"output"`

	// Hidden are texts that nothing may show, beside the values of secrets' names: a key
	// that was read from a file. They are no part of the configuration.
	Hidden []string `yaml:"-" json:"-"`

	// Quick marks a --quick run: it may break the thermal floor's minimum and
	// its record says so for ever. It is no key of the file.
	Quick bool `yaml:"-" json:"quick,omitempty"`
}

// Engine says which server is measured and how its container is started.
type Engine struct {
	Image                 string            `yaml:"image" json:"image"`
	Name                  string            `yaml:"name" json:"name"`                           // empty: told from the image
	Endpoint              string            `yaml:"endpoint" json:"endpoint,omitempty"`         // of a server that already runs; empty: llem starts one
	ServedModel           string            `yaml:"served_model" json:"served_model,omitempty"` // the server's name of the model; empty: it is model
	APIKeyFile            string            `yaml:"api_key_file" json:"api_key_file,omitempty"`
	HeadersFile           string            `yaml:"headers_file" json:"headers_file,omitempty"`
	Args                  map[string]any    `yaml:"args" json:"args"` // the engine's own flags, scalars or lists of scalars
	Env                   map[string]string `yaml:"env" json:"env"`
	Pull                  string            `yaml:"pull" json:"pull"` // missing | always | never
	StartupTimeoutSeconds float64           `yaml:"startup_timeout_seconds" json:"startup_timeout_seconds"`
	Container             Container         `yaml:"container" json:"container"`
}

// Container holds the keys of engine.container. Sizes are strings as docker
// writes them ("16GiB", "512m"); empty means the daemon's default.
type Container struct {
	ShmSize    string            `yaml:"shm_size" json:"shm_size"`
	IPC        string            `yaml:"ipc" json:"ipc"`         // private | host | shareable | none | ""
	Ulimits    map[string]string `yaml:"ulimits" json:"ulimits"` // name: soft[:hard], -1 for unlimited
	Mounts     []string          `yaml:"mounts" json:"mounts"`   // source:target[:ro|rw]
	Devices    []string          `yaml:"devices" json:"devices"` // host[:container[:rwm]]
	User       string            `yaml:"user" json:"user"`       // uid[:gid] or name
	Entrypoint []string          `yaml:"entrypoint" json:"entrypoint"`
	Cpuset     string            `yaml:"cpuset" json:"cpuset"` // "0-3,8"
	Memory     string            `yaml:"memory" json:"memory"`
	PidsLimit  int               `yaml:"pids_limit" json:"pids_limit,omitempty"` // processes and threads; 0: llem's default
	ReadOnly   string            `yaml:"read_only" json:"read_only,omitempty"`   // the root: always | never | "": as the engine allows
}

// GPUs selects GPUs: Mode is "auto", "none" or "list"; IDs (for "list") are
// NVML indices as decimal strings, or UUIDs ("GPU-…"), as the user wrote them.
// In YAML it is `auto`, `none`, or a sequence of integers and strings.
type GPUs struct {
	Mode string
	IDs  []string
}

// Parallel is how the model is spread; the product is the number of GPUs.
type Parallel struct {
	Tensor   int `yaml:"tensor" json:"tensor"`
	Pipeline int `yaml:"pipeline" json:"pipeline"`
	Data     int `yaml:"data" json:"data"`
}

// Size is the number of GPUs that the layout asks for, at least 1.
func (p Parallel) Size() int { return max(p.Tensor, 1) * max(p.Pipeline, 1) * max(p.Data, 1) }

// GPUSettings are set on the run's GPUs and put back after it; 0 leaves one as it
// is.
type GPUSettings struct {
	PowerLimitW float64 `yaml:"power_limit_w" json:"power_limit_w,omitempty"`
	SMClockMHz  int     `yaml:"sm_clock_mhz" json:"sm_clock_mhz,omitempty"`
}

// H2C is workload.http of HTTP/2 without TLS.
const H2C = "h2c"

// Workload is what is sent.
type Workload struct {
	// Source is synthetic, a file of prompts (made absolute against the file's folder),
	// or hf:owner/name[@revision][/path] of a dataset on the hub.
	Source                string         `yaml:"source" json:"source"`
	Column                string         `yaml:"column" json:"column,omitempty"`     // of a file of prompts; empty: the first of a few names
	Template              string         `yaml:"template" json:"template,omitempty"` // of such a file's columns; empty: what their names say
	API                   string         `yaml:"api" json:"api"`                     // completions | chat
	HTTP                  string         `yaml:"http" json:"http"`                   // http1 | h2c
	Prompts               int            `yaml:"prompts" json:"prompts"`
	MinSeconds            float64        `yaml:"min_seconds" json:"min_seconds,omitempty"` // 0: prompts alone decide
	MaxSeconds            float64        `yaml:"max_seconds" json:"max_seconds,omitempty"` // 0: no limit
	MaxInputTokens        int            `yaml:"max_input_tokens" json:"max_input_tokens"`
	MaxOutputTokens       int            `yaml:"max_output_tokens" json:"max_output_tokens"`
	Lengths               Lengths        `yaml:"lengths" json:"lengths,omitzero"`
	Prefix                Prefix         `yaml:"shared_prefix" json:"shared_prefix,omitzero"`
	Order                 string         `yaml:"order" json:"order"` // as_is | shuffled
	Load                  pattern.Load   `yaml:"load" json:"load"`
	Sampling              Sampling       `yaml:"sampling" json:"sampling"`
	RequestTimeoutSeconds float64        `yaml:"request_timeout_seconds" json:"request_timeout_seconds"`
	ExtraBody             map[string]any `yaml:"extra_body" json:"extra_body"`
}

// SLO is what an answer must keep to be a good one; 0 is no limit.
type SLO struct {
	TTFTMS float64 `yaml:"ttft_ms" json:"ttft_ms,omitempty"`
	TPOTMS float64 `yaml:"tpot_ms" json:"tpot_ms,omitempty"`
	E2EMS  float64 `yaml:"e2e_ms" json:"e2e_ms,omitempty"`
}

// Sampling is how the engine picks tokens.
type Sampling struct {
	Temperature float64 `yaml:"temperature" json:"temperature"`
	IgnoreEOS   bool    `yaml:"ignore_eos" json:"ignore_eos"` // default true for synthetic, false otherwise
}

// Baseline is the measurement of the bare idle GPUs.
type Baseline struct {
	Enabled         bool    `yaml:"enabled" json:"enabled"`
	DurationSeconds float64 `yaml:"duration_seconds" json:"duration_seconds"`
	CacheTTLSeconds float64 `yaml:"cache_ttl_seconds" json:"cache_ttl_seconds"` // 0: never cached
	After           bool    `yaml:"after" json:"after"`
}

// Warmup is what runs before the window and counts in nothing.
type Warmup struct {
	Enabled              bool    `yaml:"enabled" json:"enabled"`
	NWarmup              int     `yaml:"n_warmup" json:"n_warmup"`
	ThermalFloorSeconds  float64 `yaml:"thermal_floor_seconds" json:"thermal_floor_seconds"`
	ConvergenceDetection bool    `yaml:"convergence_detection" json:"convergence_detection"`
	CVThreshold          float64 `yaml:"cv_threshold" json:"cv_threshold"`
	MaxWarmupPrompts     int     `yaml:"max_warmup_prompts" json:"max_warmup_prompts"`
	WindowSize           int     `yaml:"window_size" json:"window_size"`
	MinPrompts           int     `yaml:"min_prompts" json:"min_prompts"`
}

// Energy selects who owns the energy figure.
type Energy struct {
	Backend string `yaml:"backend" json:"backend"` // auto | nvml | zeus | codecarbon | none; null in the file is none
	Host    string `yaml:"host" json:"host"`       // auto | rapl | none
	Python  string `yaml:"python" json:"python"`   // empty: LLEM_PYTHON, else python3
	Country string `yaml:"country" json:"country"` // ISO 3166, three letters
}

// Measurement tunes the telemetry.
type Measurement struct {
	SampleIntervalMS       int     `yaml:"sample_interval_ms" json:"sample_interval_ms"`
	ThermalDriftThresholdC float64 `yaml:"thermal_drift_threshold_c" json:"thermal_drift_threshold_c"`
}

// Output is where results go and what they keep.
type Output struct {
	Dir           string `yaml:"dir" json:"dir"`
	RawSamples    bool   `yaml:"raw_samples" json:"raw_samples"`
	SaveResponses bool   `yaml:"save_responses" json:"save_responses"`
}

// Seconds turns a number of seconds from the file into a duration.
func Seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
