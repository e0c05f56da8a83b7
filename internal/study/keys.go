package study

import (
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/dataset"
	"github.com/llenergymeasure/llem/internal/pattern"
)

// kind is what a key's value looks like.
type kind int

const (
	text kind = iota
	integer
	number
	boolean
	list    // of strings
	strs    // map of strings
	anys    // map of anything
	mapList // list of mappings
	gpuList // auto, none, or a list of indices and UUIDs
	size    // bytes as docker writes them: 16GiB, 512m
)

// key is one row of the table.
type key struct {
	path  string
	kind  kind
	def   any     // default; nil: told by note, or empty
	note  string  // what the default is where it depends on other keys
	min   float64 // of numbers; checked when max > min
	max   float64
	enum  []string
	later bool // no key of one experiment
	study bool // of a study, which is more than one experiment

	match  *regexp.Regexp // of a string, or of each in a list or mapping; nil: any
	hint   string         // follows a value that does not match
	digits bool           // a whole number is a string too
	doc    string
}

// sizePattern is what go-units takes, but for what is no byte at all.
const (
	sizePattern = `^$|^[0-9.]*[1-9][0-9.]* ?([bB]|[kKmMgGtTpP]([iI]?[bB])?)?$`
	sizeHint    = "is no size; write one such as 512MiB or 16GiB"
)

var re = regexp.MustCompile

// promptFiles matches the end of a name of a file of prompts.
var promptFiles = `\.(` + strings.ReplaceAll(strings.Join(dataset.Extensions(), "|"), ".", "") + `)`

// keys is the experiment file, in the order in which it is documented.
var keys = withLoad([]key{
	{path: "name", kind: text, note: "from the model and the engine", match: re(`^$|^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`), hint: "is no name: use letters, digits, dot, dash and underscore, at most 100", doc: "Names the result's folder. Letters, digits, dot, dash and underscore."},
	{path: "model", kind: text, note: "required, but with engine.endpoint", doc: "Hugging Face id, `owner/name/FILE.gguf` of one, local directory, .gguf file, or reference/PRESET for the bundled engine. A path that begins with a dot is relative to this file; in a flag or a variable, to the working directory."},
	{path: "revision", kind: text, def: "main", digits: true, match: re(`^[^-\s]\S*$`), hint: "is no revision", doc: "Of a model on the hub; a local model has none."},
	{path: "engine.image", kind: text, note: "or --image", doc: "Container image of the engine."},
	{path: "engine.name", kind: text, note: "told from the image or the server", doc: "The engine's name, where it cannot be told from the image; see `llem engines`. openai is any server with OpenAI's API, at engine.endpoint, of which nothing more is known."},
	{path: "engine.endpoint", kind: text, note: "none", match: re(`^$|^https?://[^\s/?#@]+(/[^\s?#@]*)?$`), hint: "is no address such as http://127.0.0.1:8000, without user and query", doc: "Address of a server that already runs on this host, such as http://127.0.0.1:8000, instead of an image. Nothing is started or stopped, and there is no baseline."},
	{path: "engine.served_model", kind: text, note: "the one that the server lists as model", doc: "What the server calls the model, where that is not `model`: an alias, an adapter, one of several. A server that lists neither this nor `model` is refused with what it lists. Without `model`, a server at engine.endpoint that serves one model is measured as that."},
	{path: "engine.api_key_file", kind: text, note: "LLEM_API_KEY, else none", doc: "File that holds the server's API key, and nothing else; relative to this file. It must be readable by its owner alone (chmod 600). The key is sent to this server as `Authorization: Bearer …`, never on a redirect, and given to a container that llem starts where its engine takes one; it is in no record, log or argument list. The variable LLEM_API_KEY holds the key itself and stands above it."},
	{path: "engine.headers_file", kind: text, note: "LLEM_HEADERS, else none", doc: "File of further headers for the server, one `Name: value` a line, such as a gateway asks for; relative to this file, and kept as engine.api_key_file is. The variable LLEM_HEADERS holds the lines themselves and stands above it."},
	{path: "engine.args", kind: anys, doc: "The engine's own flags, passed through: `key: value` becomes `--key value`, `true` becomes `--key`, `null` takes out a flag, also one that llem sets; a key that begins with a dash stays as it is. Secrets are redacted as in engine.env, but every user of the host can read them on the engine's command line while it runs."},
	{path: "engine.env", kind: strs, doc: "Environment of the container. Values of names that look like secrets, and what looks like one in other values (the password of a URL), are redacted in the record."},
	{path: "engine.pull", kind: text, def: "missing", enum: []string{"missing", "always", "never"}, doc: "When the image is pulled."},
	{path: "engine.startup_timeout_seconds", kind: number, def: 1800.0, min: 1, max: pattern.Week, doc: "How long the server may take until it is ready."},
	{path: "engine.container.shm_size", kind: size, match: re(sizePattern), hint: sizeHint, doc: "Size of /dev/shm."},
	{path: "engine.container.ipc", kind: text, def: "private", enum: []string{"private", "host", "shareable", "none"}, doc: "IPC namespace."},
	{path: "engine.container.ulimits", kind: strs, match: re(`^(-1|[0-9]+)(:(-1|[0-9]+))?$`), hint: "is not soft[:hard]", doc: "`name: soft:hard` or `name: both`; -1 is unlimited."},
	{path: "engine.container.mounts", kind: list, match: re(`^[^:]+:/[^:]*(:(ro|rw))?$`), hint: "is not source:/target[:ro|rw]", doc: "`source:target[:ro|rw]`; a relative source is relative to this file."},
	{path: "engine.container.devices", kind: list, match: re(`^/`), hint: "is not /host[:/container[:rwm]]", doc: "`host[:container[:rwm]]`."},
	{path: "engine.container.user", kind: text, note: "the image's", digits: true, match: re(`^$|^[A-Za-z0-9_]`), hint: "is neither uid[:gid] nor a name", doc: "`uid[:gid]` or a name."},
	{path: "engine.container.entrypoint", kind: list, note: "the image's", doc: "Replaces the image's entrypoint."},
	{path: "engine.container.cpuset", kind: text, digits: true, match: re(`^$|^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$`), hint: "is no list of CPUs such as 0-3,8", doc: "CPUs the container may use: `0-3,8`."},
	{path: "engine.container.memory", kind: size, match: re(sizePattern), hint: sizeHint, doc: "Memory the container may use, swap included: `64GiB`. Without it there is no limit. A container that reaches it is killed."},
	{path: "engine.container.pids_limit", kind: integer, min: 64, max: 4194304, note: "65536, and at most half of the host's kernel.pid_max", doc: "Processes and threads the container may have at once."},
	{path: "engine.container.read_only", kind: text, enum: []string{"always", "never"}, note: "as the engine allows", doc: "Whether the container's root filesystem is read-only; /tmp is then in memory, and mounts are as they are given. By default it is for the engines of which this was tested, where no secret or compile cache has to be written into the container."},
	{path: "gpus", kind: gpuList, def: "auto", doc: "auto: what CUDA_VISIBLE_DEVICES grants (indices among unlike GPUs only with CUDA_DEVICE_ORDER=PCI_BUS_ID), or SLURM_STEP_GPUS or SLURM_JOB_GPUS, else the first free ones, as many as parallel asks for; none; or a list of NVML indices and UUIDs."},
	{path: "parallel.tensor", kind: integer, def: 1, min: 1, max: 1024, doc: "Tensor parallelism."},
	{path: "parallel.pipeline", kind: integer, def: 1, min: 1, max: 1024, doc: "Pipeline parallelism."},
	{path: "parallel.data", kind: integer, def: 1, min: 1, max: 1024, doc: "Data parallelism. The product of the three must be the number of GPUs."},
	{path: "gpu_settings.power_limit_w", kind: number, note: "as it is", min: 1, max: 10000, doc: "Power limit of the GPUs during the run, put back after it. Needs root, and GPUs that nobody else uses."},
	{path: "gpu_settings.sm_clock_mhz", kind: integer, note: "as it is", min: 1, max: 10000, doc: "SM clock that the GPUs are locked to during the run; set free after it, whatever it was before. Needs root, and GPUs that nobody else uses."},
	{path: "dtype", kind: text, def: "auto", doc: "Data type of the weights, where the engine offers a choice."},
	{path: "seed", kind: integer, def: 42, min: 0, max: 1 << 53, doc: "Of prompts, their order and the engine's sampling."},
	{path: "workload.source", kind: text, def: "synthetic", match: re(`^synthetic$|^hf:[A-Za-z0-9][A-Za-z0-9._-]*/[A-Za-z0-9][A-Za-z0-9._-]*(@(refs/(convert/[^/@]+|pr/[0-9]+)|[^/@]+))?(/.+` + promptFiles + `)?$|^[^:]*` + promptFiles + `$`), hint: "is neither synthetic, nor a " + dataset.Either() + " file, nor a dataset such as hf:owner/name/FILE", doc: "synthetic; a " + dataset.Either() + " file of prompts, relative to this file; or hf:owner/name, hf:owner/name/FILE or hf:owner/name@REVISION/FILE of a dataset on the hub, from the cache or downloaded as engine.pull says."},
	{path: "workload.column", kind: text, note: "what the columns' names say", doc: "The one key or column of a file of prompts that is sent, alone. Without it and without workload.template the names of the columns say what is sent, and a column that they say nothing of is an error; docs/load.md lists them."},
	{path: "workload.template", kind: text, note: "what the columns' names say", match: re(`^$|\{[^{}]+\}`), hint: "names no column: write one as {name}", doc: "How the columns of a file of prompts become a prompt: text with columns in braces, such as `\"{context}\\n\\n{question}\"`. Parts between blank lines are left out where all their columns are empty; {{ and }} are braces."},
	{path: "workload.api", kind: text, def: "completions", enum: []string{"completions", "chat"}, doc: "Which route is driven."},
	{path: "workload.http", kind: text, def: "http1", enum: []string{"http1", H2C}, doc: "http1 is HTTP/1.1, each request in flight on a connection of its own. h2c is HTTP/2 without TLS: requests share connections, of a server that serves it."},
	{path: "workload.prompts", kind: integer, note: "max(100, 10 × concurrency); 8 × concurrency with --quick; 1 with min_seconds", min: 1, max: pattern.MaxRequests, doc: "How many requests are measured; of a trace the first ones."},
	{path: "workload.min_seconds", kind: number, note: "none", min: 0.001, max: pattern.Week, doc: "Requests go on being started until so much of the window has passed, when `prompts` of them were too."},
	{path: "workload.max_seconds", kind: number, note: "none", min: 0.001, max: pattern.Week, doc: "No request is started that late in the window, though fewer than `prompts` were; an open loop sends all that are due before. What was started is always waited for."},
	{path: "workload.max_input_tokens", kind: integer, def: 256, min: 1, max: 1e7, doc: "Exact length of synthetic prompts in tokens, and with a trace the most that one may have; with api: chat the engine's chat template comes on top. Prompts from a file are sent whole."},
	{path: "workload.max_output_tokens", kind: integer, def: 256, min: 1, max: 1e7, doc: "Most tokens of an answer; exactly as many with ignore_eos. With a trace each answer has its own, and this is the most."},
	{path: "workload.lengths.input", kind: text, note: "max_input_tokens each", match: distribution, hint: distributionHint, doc: "Distribution that the lengths of synthetic prompts are drawn from, in tokens: `uniform(LEAST, MOST)`, `normal(MEAN, SD)` or `lognormal(MEAN, SD)`, the latter two cut at max_input_tokens, and at 4 tokens after what its group shares."},
	{path: "workload.lengths.output", kind: text, note: "max_output_tokens each", match: distribution, hint: distributionHint, doc: "The same for answers, cut at 1 and at max_output_tokens."},
	{path: "workload.lengths.file", kind: text, note: "none", match: re(`^$|\.csv$`), hint: "is no .csv file", doc: "Lengths from a CSV file with the columns input_tokens, output_tokens or both, one request a row, over and over; relative to this file."},
	{path: "workload.shared_prefix.length", kind: integer, note: "none", min: 0, max: 1e7, doc: "Tokens that the synthetic prompts of a group begin with alike, as system prompts do; a part of their length. The engine's prefix cache is then expected to find them."},
	{path: "workload.shared_prefix.groups", kind: integer, note: "none", min: 0, max: 1e6, doc: "How many groups there are; request N is of group N modulo groups."},
	{path: "workload.order", kind: text, def: "as_is", enum: []string{"as_is", "shuffled"}, doc: "Order of prompts from a file."},
	{path: "workload.load", doc: "Stands for the pattern and the keys of package pattern."},
	{path: "workload.sampling.temperature", kind: number, def: 0.0, min: 0, max: 10, doc: "0 is greedy."},
	{path: "workload.sampling.ignore_eos", kind: boolean, note: "true for synthetic prompts, else false", doc: "Decode on to max_output_tokens whatever the model says, for equal work."},
	{path: "workload.request_timeout_seconds", kind: number, def: 600.0, min: 0.001, max: pattern.Week, doc: "A request that has not ended by then has failed."},
	{path: "workload.extra_body", kind: anys, doc: "Merged into every request's body. Secrets are redacted as in engine.env."},
	{path: "slo.ttft_ms", kind: number, note: "none", min: 0.001, max: 1e9, doc: "A good answer's first token comes within so much; of an open loop since its scheduled time. With any of these the record says how many requests and tokens were good, and what energy one good token took."},
	{path: "slo.tpot_ms", kind: number, note: "none", min: 0.001, max: 1e9, doc: "A good answer takes at most so much for each token after the first, in its mean."},
	{path: "slo.e2e_ms", kind: number, note: "none", min: 0.001, max: 1e9, doc: "A good answer's last token comes within so much; of an open loop since its scheduled time."},
	{path: "baseline.enabled", kind: boolean, def: true, doc: "Measure the bare idle GPUs before the container exists."},
	{path: "baseline.duration_seconds", kind: number, def: 30.0, min: 1, max: 3600, note: "30; 5 with --quick", doc: "For how long."},
	{path: "baseline.cache_ttl_seconds", kind: number, def: 3600.0, min: 0, max: pattern.Week, doc: "How long a measured baseline is used again, unless it was measured for less than duration_seconds; 0 measures every time."},
	{path: "baseline.after", kind: boolean, def: false, doc: "Measure the bare idle again when the container is gone, for as long."},
	{path: "warmup.enabled", kind: boolean, def: true, doc: "false measures a cold start; the thermal floor still stands."},
	{path: "warmup.n_warmup", kind: integer, def: 5, min: 0, max: 10000, doc: "Full batches sent before the window."},
	{path: "warmup.thermal_floor_seconds", kind: number, def: 60.0, min: 30, max: pattern.Week, note: "60; 0 with --quick", doc: "Plain wait between warmup and window."},
	{path: "warmup.convergence_detection", kind: boolean, def: false, doc: "After at least max(n_warmup, min_prompts, window_size) batches, go on until latency is steady."},
	{path: "warmup.cv_threshold", kind: number, def: 0.05, min: 0.01, max: 0.5, doc: "Coefficient of variation under which latency is steady."},
	{path: "warmup.max_warmup_prompts", kind: integer, def: 20, min: 5, max: 10000, doc: "Most batches when latency does not settle."},
	{path: "warmup.window_size", kind: integer, def: 5, min: 3, max: 1000, doc: "Latencies that the coefficient is taken over."},
	{path: "warmup.min_prompts", kind: integer, def: 5, min: 1, max: 10000, doc: "Fewest batches with convergence detection."},
	{path: "energy.backend", kind: text, def: "auto", enum: []string{"auto", "nvml", "zeus", "codecarbon", "none"}, doc: "Who owns the energy figure. auto is Zeus where it is installed, else NVML, else CodeCarbon. null means none; a blank value is an error."},
	{path: "energy.host", kind: text, def: "auto", enum: []string{"auto", "rapl", "none"}, doc: "Energy of the host's CPUs and memory, beside the GPUs' and never in their total. auto takes RAPL where it can be read; rapl insists."},
	{path: "energy.python", kind: text, note: "LLEM_PYTHON, else python3", doc: "The Python that has Zeus or CodeCarbon."},
	{path: "energy.country", kind: text, def: "USA", match: re(`^[A-Z]{3}$`), hint: "is no country: write three capital letters (ISO 3166), such as USA or FRA", doc: "Whose energy mix CodeCarbon reckons with: ISO 3166, three letters."},
	{path: "measurement.sample_interval_ms", kind: integer, def: 100, min: 10, max: 1000, doc: "Interval of the telemetry."},
	{path: "measurement.thermal_drift_threshold_c", kind: number, def: 10.0, min: 0, max: 200, doc: "Temperature change over the window above which a warning is raised."},
	{path: "output.dir", kind: text, def: "results", doc: "Where results go."},
	{path: "output.raw_samples", kind: boolean, def: true, doc: "Keep every reading in samples.parquet."},
	{path: "output.save_responses", kind: boolean, def: false, doc: "Keep the generated text in responses.jsonl."},
	{path: "base", kind: text, note: "none", later: true, study: true, doc: "Experiment file that this one stands upon, relative to this file. It may have a base of its own."},
	{path: "sweep", kind: anys, later: true, study: true, doc: "Axes, by dotted path, and alternatives, by a name: all of them multiply."},
	{path: "experiments", kind: mapList, later: true, study: true, doc: "Experiments by themselves, each merged over the shared keys."},
	{path: "execution", kind: anys, later: true, study: true, doc: "How often, in which order and with which pauses the points are run."},
})

// withLoad puts the load's keys in the place of their group.
func withLoad(keys []key) []key {
	at := slices.IndexFunc(keys, func(k key) bool { return k.path == loadPath })
	load := []key{{path: patternPath, kind: text, def: pattern.Default, enum: pattern.Names(), doc: pattern.Meaning()}}
	kinds := map[reflect.Kind]kind{reflect.Int: integer, reflect.Float64: number, reflect.Slice: list, reflect.String: text}
	for _, k := range pattern.Keys() {
		row := key{path: loadPath + "." + k.Name, def: k.Default, note: k.Note, min: k.Min, max: k.Max, match: k.Match, hint: k.Hint, doc: k.Doc}
		row.kind = kinds[fieldOf(reflect.ValueOf(pattern.Load{}), k.Name).Kind()]
		load = append(load, row)
	}
	return slices.Replace(keys, at, at+1, load...)
}

// Paths of the load.
const (
	loadPath    = "workload.load"
	patternPath = loadPath + ".pattern"
	maxInFlight = loadPath + ".max_in_flight"
)

// row finds a key by its path.
func row(path string) (key, bool) {
	for _, k := range keys {
		if k.path == path {
			return k, true
		}
	}
	return key{}, false
}

// quick is what --quick changes where the file says nothing: a run for trying
// things, marked for ever.
var quick = map[string]any{"baseline.duration_seconds": 5.0, "warmup.thermal_floor_seconds": 0.0, "warmup.n_warmup": 1}

// keyPaths lists the keys that this version reads, in the file's order.
func keyPaths() []string {
	var out []string
	for _, k := range keys {
		if !k.later {
			out = append(out, k.path)
		}
	}
	return out
}

// Choices are the values of a key that takes one of a few; nil for others.
func Choices(path string) []string {
	k, _ := row(path)
	return k.enum
}
