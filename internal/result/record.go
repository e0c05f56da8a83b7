package result

import (
	"math"
	"time"
)

// SchemaVersion is that of the records this package writes. Since 1.1 a record or a plan
// without its checksum is an altered one.
const SchemaVersion = "1.1"

// Statuses of an experiment.
const (
	Completed   = "completed"
	Failed      = "failed"
	Interrupted = "interrupted"
)

// Record is result.json. What is unknown is null; 0 is a measurement.
type Record struct {
	SchemaVersion string     `json:"schema_version"` // of this layout; an older one is still read
	ExperimentID  string     `json:"experiment_id"`  // of this run, unique on any host
	ConfigHash    string     `json:"config_hash"`    // of the canonical configuration: what is run and how it is measured
	WorkloadHash  string     `json:"workload_hash"`  // of only what is sent: seed, prompts, lengths, sampling, and the model by its name or path
	Name          string     `json:"name"`
	LlemVersion   string     `json:"llem_version"`
	Status        string     `json:"status"`          // completed | failed | interrupted
	Error         string     `json:"error,omitempty"` // why it did not complete; missing where it did
	StartedAt     time.Time  `json:"started_at"`
	EndedAt       time.Time  `json:"ended_at"`
	WindowStart   *time.Time `json:"window_started_at"` // t0, UTC
	Phases        []Phase    `json:"phases"`            // in the order in which they ran
	Gap           string     `json:"gap"`               // whether gap_seconds or cycle_gap_seconds were waited before it, and why
	Study         *StudyRun  `json:"study"`             // of which it is a run; null of one by itself

	Engine      Engine      `json:"engine"`
	Model       Model       `json:"model"`
	Config      any         `json:"config"` // the effective configuration, whole, secrets redacted
	Environment Environment `json:"environment"`

	EnergyTotalJ         *float64 `json:"energy_total_j"`          // of the window and the GPUs that the container was given; u: energy.u_repeatability_j on one card, energy.u_absolute_j with the sensor's gain, both k = 1 and without the spread of repeated runs
	EnergyAdjustedJ      *float64 `json:"energy_adjusted_j"`       // energy_total_j − baseline_power_w × window_seconds; may be negative; u: energy.u_adjusted_j, energy.u_adjusted_absolute_j with the gain, both k = 1
	BaselinePowerW       *float64 `json:"baseline_power_w"`        // of the same GPUs, idle, before the container existed; u: energy.baseline.u_w, k = 1, without the gain
	EnergyPerOutputToken *float64 `json:"energy_per_output_token"` // J/token, the primary figure; u: energy.u_per_output_token_j on one card, energy.u_per_output_token_absolute_j with the sensor's gain, both k = 1 and without the spread of repeated runs
	Energy               Energy   `json:"energy"`

	Tokens                Tokens   `json:"tokens"`
	Requests              Requests `json:"requests"`
	WindowSeconds         *float64 `json:"window_seconds"`    // from the first scheduled send to the last response byte, or the return of /sync
	TokensPerSecond       *float64 `json:"tokens_per_second"` // output tokens / window_seconds
	TokensPerSecondPerGPU *float64 `json:"tokens_per_second_per_gpu"`
	Latency               Latency  `json:"latency"`
	Client                Client   `json:"client"`
	SLO                   *SLO     `json:"slo"` // null: no limits were given, or there was no window

	FLOPs  *FLOPs  `json:"flops"`
	Warmup *Warmup `json:"warmup"`

	// Unknown says why figures are null that another run may have, by their path in
	// this record; missing where all are known.
	Unknown map[string]string `json:"unknown,omitempty"`

	MeasurementWarnings []string          `json:"measurement_warnings"` // "code: what was seen; what to do"
	WarningSeverities   map[string]string `json:"warning_severities"`   // code to note, doubt or invalid

	Timeseries   string `json:"timeseries"`             // file, relative to the record
	RequestsFile string `json:"requests_file"`          // file, relative to the record
	SamplesFile  string `json:"samples_file,omitempty"` // file, relative to the record; missing with output.raw_samples: false
	Files        []File `json:"files"`                  // all files of the run but this one
	RecordSHA256 string `json:"record_sha256"`          // of this record: keys in order, no white space, this field empty

	// State is what Read found of the record; empty for one that was not read.
	State State `json:"-"`
}

// File is a file of a run as it was written.
type File struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Phase is one phase of the protocol as it ran.
type Phase struct {
	Name    string    `json:"name"` // preflight | baseline | launch | warmup | thermal_floor | window | record | after
	Start   time.Time `json:"start"`
	Seconds float64   `json:"seconds"`
	// WindowSeconds is the start since t0, below 0 before the window, as timestamp_s in
	// timeseries.parquet and window_ns in samples.parquet count; null without a window.
	WindowSeconds *float64 `json:"window_start_seconds"`
}

// End is when the phase ended, exact to the nanosecond.
func (p Phase) End() time.Time {
	return p.Start.Add(time.Duration(math.Round(p.Seconds * 1000 * 1e6)))
}

// Model is what the engine ran.
type Model struct {
	ID                     string  `json:"id"`
	Revision               *string `json:"revision"`
	Fingerprint            *string `json:"fingerprint"` // of the local files that were run: SHA-256 over names, sizes and samples (3 MiB of a file) of weights, configuration and tokenizer; null of a model from the hub
	DType                  string  `json:"dtype"`       // of the weights, in lower case: f32, f16, bf16, q4_k_m, …
	ParametersTotal        *int64  `json:"parameters_total"`
	ParametersNonEmbedding *int64  `json:"parameters_non_embedding"` // without input embeddings and lm_head: N
	ParametersActive       *int64  `json:"parameters_active"`        // of a mixture of experts
	Source                 string  `json:"source"`                   // engine | safetensors | gguf | config | unknown
}

// Energy is all about the joules but the four headline figures.
type Energy struct {
	Valid   bool        `json:"valid"`   // false: the number is kept and printed, and is not to be ranked
	Reasons []string    `json:"reasons"` // why it is not valid
	Scope   string      `json:"scope"`   // gpu | module, of GH200 and GB200: GPU, CPU and their memory | host
	Backend string      `json:"backend"` // the meter, such as nvml, or zeus | codecarbon | none
	Method  string      `json:"method"`  // counter_edge_aligned | counter | power_integral | zeusd | zeus | codecarbon | ""
	PerGPU  []GPUEnergy `json:"per_gpu"`

	URepeatabilityJ          *float64           `json:"u_repeatability_j"`             // of energy_total_j, k = 1: the meter's own, to compare runs on one card; without the sensor's gain and the spread of repeated runs. null: not known, as all u
	UAbsoluteJ               *float64           `json:"u_absolute_j"`                  // of energy_total_j, k = 1: with the sensor's gain, to compare with other cards and meters; without the spread of repeated runs
	UAdjustedJ               *float64           `json:"u_adjusted_j"`                  // of energy_adjusted_j, k = 1: the meter's own with the baseline's; without the gain and the spread of repeated runs
	UAdjustedAbsoluteJ       *float64           `json:"u_adjusted_absolute_j"`         // of energy_adjusted_j, k = 1: with the gain, which scales energy and baseline alike; without the spread of repeated runs
	UPerOutputTokenJ         *float64           `json:"u_per_output_token_j"`          // of energy_per_output_token, k = 1: the meter's own; without the gain and the spread of repeated runs
	UPerOutputTokenAbsoluteJ *float64           `json:"u_per_output_token_absolute_j"` // of energy_per_output_token, k = 1: with the gain; without the spread of repeated runs
	CoverageK                float64            `json:"coverage_k"`                    // what is printed after ± is so many u: 2, about 95 %
	Gain                     *Gain              `json:"gain"`                          // of the sensors, in every absolute u; null without a GPU, and in records from before it was said: they have 5 % of every card
	Components               map[string]float64 `json:"components"`                    // of u_repeatability_j, independent, in J
	CrossChecks              []CrossCheck       `json:"cross_checks"`                  // other readings of the same window
	MeanPowerW               *float64           `json:"mean_power_w"`                  // energy_total_j / window_seconds; its u are those of the total, in proportion
	PeakPowerW               *float64           `json:"peak_power_w"`                  // highest reading of all GPUs together; no u is stated
	PerRequestJ              *float64           `json:"per_request_j"`                 // energy_total_j / completed requests; its u are those of the total, in proportion
	PerTotalTokenJ           *float64           `json:"per_total_token_j"`             // energy_total_j / (input + output tokens); its u are those of the total, in proportion
	EngineIdlePowerW         *float64           `json:"engine_idle_power_w"`           // the model resident and idle, over the last half of the thermal floor; u: u_engine_idle_power_w, k = 1
	UEngineIdlePowerW        *float64           `json:"u_engine_idle_power_w"`         // its standard uncertainty (k = 1), without the sensor's gain
	Baseline                 *Baseline          `json:"baseline"`
	BaselineAfter            *Baseline          `json:"baseline_after"`        // the bare idle again, where it was asked for
	Steady                   *Steady            `json:"steady"`                // the slice in which the concurrency was full; null where it never was
	Host                     *HostEnergy        `json:"host"`                  // null: nothing has read it
	Instruments              []Instrument       `json:"instruments"`           // other instruments that read in the same run
	CodeCarbon               *CodeCarbon        `json:"codecarbon"`            // null: not asked
	WindowClosedBy           string             `json:"window_closed_by"`      // sync_route | responses_drained
	EngineIdleConfirmed      *bool              `json:"engine_idle_confirmed"` // the server's own word, after the window, that nothing runs or waits
}

// Older says that an llem of an older schema_version wrote r: it may lack what that
// did not write.
func (r *Record) Older() bool { return older(r.SchemaVersion) }

// Gain is how far the readings of the GPUs' power sensors may be off in proportion: a
// limit, of the least known of them. No repeat on the same card shows it.
type Gain struct {
	HalfWidth float64 `json:"half_width"` // as a share of the energy: 0.06 is ± 6 %; its standard uncertainty is that / √3
	Source    string  `json:"source"`
	Standing  string  `json:"standing"` // measured by others | extrapolated | uncharacterised
}

// GPUEnergy is one GPU's part.
type GPUEnergy struct {
	Index          int      `json:"index"`
	UUID           string   `json:"uuid"`
	EnergyJ        *float64 `json:"energy_j"` // of this GPU over the window; u: u_j, k = 1
	UJ             *float64 `json:"u_j"`      // of energy_j, k = 1: the meter's own; without the gain and the spread of repeated runs
	Method         string   `json:"method"`
	CounterJ       *float64 `json:"counter_j"`        // by the driver's energy counter; u: u_j where it is the method
	PowerIntegralJ *float64 `json:"power_integral_j"` // by integrated power; u: u_j where it is the method
	Samples        int      `json:"samples"`          // readings of power in the window
	MeanPowerW     *float64 `json:"mean_power_w"`
	PeakPowerW     *float64 `json:"peak_power_w"`
	// ThrottledSeconds is how long each reason held the clocks down, by the
	// driver's own counters; without those that the GPU does not have.
	ThrottledSeconds map[string]float64 `json:"throttled_seconds"`
}

// CrossCheck is a second instrument's figure for the same window.
type CrossCheck struct {
	Method      string   `json:"method"`
	EnergyJ     float64  `json:"energy_j"`     // of the same window and GPUs; u: u_j, k = 1
	UJ          *float64 `json:"u_j"`          // of energy_j, k = 1: the meter's own; without the gain, which the same sensor shares
	DifferenceJ *float64 `json:"difference_j"` // this minus the figure; null where there is none
}

// Instrument is another's meter that was opened and closed with the window.
type Instrument struct {
	Name     string            `json:"name"` // zeusd | zeus | codecarbon
	Versions map[string]string `json:"versions"`
	EarlyMS  *float64          `json:"early_ms"` // it may have opened so long before the window
	LateMS   *float64          `json:"late_ms"`  // and closed so long after it
	Error    *string           `json:"error"`
}

// CodeCarbon is all that CodeCarbon gave. Energies are without the PUE, which
// the emissions contain.
type CodeCarbon struct {
	GPUJ             *float64 `json:"gpu_j"`
	CPUJ             float64  `json:"cpu_j"`
	CPUMethod        string   `json:"cpu_method"`
	CPUMeasured      bool     `json:"cpu_measured"` // else it is a model of the CPU
	RAMJ             float64  `json:"ram_j"`        // always a model
	EmissionsKg      float64  `json:"emissions_kgco2eq"`
	Country          string   `json:"country"`
	IntensityGPerKWh float64  `json:"carbon_intensity_g_per_kwh"`
	IntensitySource  string   `json:"carbon_intensity_source"`
	PUE              float64  `json:"pue"`
}

// Baseline is where baseline_power_w came from.
type Baseline struct {
	PowerW          float64            `json:"power_w"`
	UW              *float64           `json:"u_w"`        // of power_w, k = 1; without the sensor's gain
	Components      map[string]float64 `json:"components"` // of u_w, independent, in W: edges, spread, and age of a cached one
	PerGPUW         []float64          `json:"per_gpu_w"`
	Method          string             `json:"method"`
	DurationSeconds float64            `json:"duration_seconds"`
	MeasuredAt      time.Time          `json:"measured_at"`
	AgeSeconds      float64            `json:"age_seconds"` // when it was used
	Cached          bool               `json:"cached"`
	Contaminated    bool               `json:"contaminated"` // another process was on a GPU meanwhile
	Processes       []Process          `json:"processes"`
}

// Steady is the slice in which the concurrency was full.
type Steady struct {
	StartSeconds   float64  `json:"start_seconds"` // since t0
	Seconds        float64  `json:"seconds"`
	OutputTokens   *int     `json:"output_tokens"` // by arrival in the slice; null where tokens.output is
	EnergyJ        *float64 `json:"energy_j"`      // of the slice; u: u_j, k = 1
	Method         string   `json:"method"`        // counter | power_integral | ""
	UJ             *float64 `json:"u_j"`           // of energy_j, k = 1: the meter's own; without the gain and the spread of repeated runs
	JoulesPerToken *float64 `json:"energy_per_output_token"`
	UPerTokenJ     *float64 `json:"u_per_output_token_j"` // of energy_per_output_token, k = 1: u_j with the tokens at the edges; without the gain and the spread of repeated runs
}

// HostEnergy is that of the host's CPUs and memory over the window, never part
// of a total whose scope is gpu.
type HostEnergy struct {
	Method   string   `json:"method"`    // rapl
	PackageJ *float64 `json:"package_j"` // CPU packages; no u is stated
	DRAMJ    *float64 `json:"dram_j"`    // memory; no u is stated
}

// Tokens of the window.
type Tokens struct {
	Input       *int64 `json:"input"`        // of completed requests; null: one of them is unknown
	Cached      *int64 `json:"cached"`       // of input, found in the engine's prefix cache by its word; null: it does not say
	Output      *int64 `json:"output"`       // of completed requests, and of failed ones that the server had counted; null: a completed one is unknown
	Reasoning   *int64 `json:"reasoning"`    // of output; null: neither the server nor its chunks say
	Source      string `json:"source"`       // what counted output: server, by its usage; none. Of records before input_source also chunks, which are no tokens, and mixed
	InputSource string `json:"input_source"` // what counted input: server, by its usage; where that says nothing what had counted the prompts before they were sent, as requests.input_lengths_by; mixed; none
}

// Requests of the window.
type Requests struct {
	Completed        int            `json:"completed"`
	Failed           int            `json:"failed"`
	PromptChecksum   string         `json:"prompt_checksum"`            // SHA-256 over the measured prompts in order
	TraceSHA256      string         `json:"trace_sha256,omitempty"`     // of the file that told when requests were sent, and how long they were
	TraceTimeUnit    string         `json:"trace_time_unit,omitempty"`  // of that file's times, as they were read: ms | s | dates
	LengthsBy        string         `json:"input_lengths_by"`           // what told the prompts' tokens before they were sent: tokenizer.json | gguf | engine | tokenize, the server's route; server: nobody before its usage
	SourceSHA256     string         `json:"source_sha256,omitempty"`    // of the file of prompts
	SourceCommit     *string        `json:"source_commit,omitempty"`    // of the dataset that it is of
	LeftOut          map[string]int `json:"prompts_left_out,omitempty"` // rows of that file that were passed over: empty, repeated
	PromptTemplate   string         `json:"prompt_template,omitempty"`  // how that file's columns were put together: each in braces
	ColumnsNotSent   []string       `json:"columns_not_sent,omitempty"` // of that file, which had values; and how many later turns of conversations
	LengthsSHA256    string         `json:"lengths_sha256,omitempty"`   // of the file of lengths
	SharedTokens     *int64         `json:"shared_tokens,omitempty"`    // of input: what prompts shared with an earlier one of their group, by workload.shared_prefix; missing without
	HeadTokens       int            `json:"head_tokens"`                // with which every prompt begins, for any text: the mark that begins a text
	MultiTokenChunks *int           `json:"multi_token_chunks"`         // chunks that carried more than one token; null: the server did not say how many each carried
}

// Latency in milliseconds; null where there is nothing to summarise.
type Latency struct {
	TTFT          *Summary `json:"ttft_ms"`                     // send → first chunk with a token
	TPOT          *Summary `json:"tpot_ms"`                     // (last token − first) / (tokens − 1), per request
	ITL           *Summary `json:"itl_ms"`                      // gaps between chunks that carry tokens
	E2E           *Summary `json:"e2e_ms"`                      // send → last token
	TTFTScheduled *Summary `json:"ttft_scheduled_ms,omitempty"` // from the scheduled send; with a rate only
	E2EScheduled  *Summary `json:"e2e_scheduled_ms,omitempty"`  // from the scheduled send; with a rate only
}

// Summary of a distribution.
type Summary struct {
	N    int     `json:"n"`
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P95  float64 `json:"p95"`
	P99  float64 `json:"p99"`
	Max  float64 `json:"max"`
}

// SLO is what came within the limits that were given, each of which is null where it
// was not. TTFT and E2E of an open loop count from the scheduled send.
type SLO struct {
	TTFTMS                *float64 `json:"ttft_ms"`
	TPOTMS                *float64 `json:"tpot_ms"`
	E2EMS                 *float64 `json:"e2e_ms"`
	RequestsGood          *int     `json:"requests_good"`      // completed within every limit; null: one lacks what a limit is of
	OutputTokensGood      *int64   `json:"output_tokens_good"` // of those; null: one of them is unknown
	RequestsPerSecond     *float64 `json:"requests_good_per_second"`
	OutputTokensPerSecond *float64 `json:"output_tokens_good_per_second"`
	EnergyPerGoodTokenJ   *float64 `json:"energy_per_good_token_j"`   // energy_total_j / output_tokens_good: what the others took is in it; u: u_energy_per_good_token_j, k = 1
	UEnergyPerGoodTokenJ  *float64 `json:"u_energy_per_good_token_j"` // k = 1: the meter's own; without the gain and the spread of repeated runs
}

// Client is the cost of measuring.
type Client struct {
	CPUSeconds *float64 `json:"cpu_seconds"`  // of llem itself in the window
	CPUShare   *float64 `json:"cpu_share"`    // of one core
	SendLagMS  *Summary `json:"send_lag_ms"`  // actual − scheduled send
	ReadLagMS  *Summary `json:"read_lag_ms"`  // the kernel's receipt of an answer's bytes, which is their stamp → llem's read of them; null: the kernel gave no times, and stamps are of reads
	GCPausesMS *Summary `json:"gc_pauses_ms"` // of llem's garbage collector in the window, upper edges of the runtime's buckets; null: none
}

// FLOPs of the window.
type FLOPs struct {
	Value                  *float64 `json:"value"`           // 2 × N × (input + output tokens)
	N                      *int64   `json:"n,omitempty"`     // parameters that work for every token: active ones, without embeddings and output layer; missing in old records
	Basis                  *string  `json:"basis,omitempty"` // what n counts and where it is from; missing in old records
	Method                 string   `json:"method"`          // palm_formula
	Confidence             *string  `json:"confidence"`      // high | medium | low
	Precision              string   `json:"precision"`
	Prefill                *float64 `json:"prefill"`
	Decode                 *float64 `json:"decode"`
	Attention              *float64 `json:"attention"` // of scores and values, not in value
	LMHead                 *float64 `json:"lm_head"`   // of the output layer, not in value
	Total                  *float64 `json:"total"`     // value + attention + lm_head
	Notes                  []string `json:"notes"`
	Parameters             *Sizes   `json:"parameters,omitempty"` // that these figures are computed from; missing in old records
	FLOPsPerSecond         *float64 `json:"flops_per_second"`
	FLOPsPerJoule          *float64 `json:"flops_per_joule"`            // value / energy_total_j; the u are the energy's, and leave out what is not known of the FLOPs
	UFLOPsPerJoule         *float64 `json:"u_flops_per_joule"`          // k = 1: the meter's own; without the gain and the spread of repeated runs
	UFLOPsPerJouleAbsolute *float64 `json:"u_flops_per_joule_absolute"` // k = 1: with the gain; without the spread of repeated runs
}

// Sizes are the model's sizes as its files, or its server, gave them; 0 is unknown.
type Sizes struct {
	Total            int64       `json:"total"`
	NonEmbedding     int64       `json:"non_embedding"`
	Active           int64       `json:"active"` // of total, for one token of a mixture of experts
	Layers           int         `json:"layers"`
	Hidden           int         `json:"hidden"`
	Heads            int         `json:"heads"`
	HeadDim          int         `json:"head_dim"`
	Vocabulary       int         `json:"vocabulary"`
	Attention        []Attention `json:"attention"`         // of the layers that attend; null: by layers, heads and head_dim, or not known
	AttentionUnknown string      `json:"attention_unknown"` // why
	DType            string      `json:"dtype"`             // of most weights
	Source           string      `json:"source"`            // engine | safetensors | gguf | config | name | unknown
	Notes            []string    `json:"notes"`             // of the source
	Why              string      `json:"why"`               // nothing better is known
}

// Attention is of layers that are alike.
type Attention struct {
	Layers  int64 `json:"layers"`
	Keys    int64 `json:"keys"`    // heads × dimensions that a query and a key multiply
	Values  int64 `json:"values"`  // heads × dimensions that a weight and a value multiply
	Window  int64 `json:"window"`  // tokens that a position sees; 0: all before it
	Chunked bool  `json:"chunked"` // windows lie side by side and do not slide
}

// Warmup is WarmupResult of the research document.
type Warmup struct {
	Converged           *bool     `json:"converged"` // null without convergence_detection
	FinalCV             *float64  `json:"final_cv"`
	IterationsCompleted int       `json:"iterations_completed"`
	TargetCV            *float64  `json:"target_cv"`
	MaxPrompts          int       `json:"max_prompts"`
	LatenciesMS         []float64 `json:"latencies_ms"` // mean end-to-end latency of each batch
	DurationSeconds     float64   `json:"duration_seconds"`
	ThermalFloorSeconds float64   `json:"thermal_floor_seconds"`
}
