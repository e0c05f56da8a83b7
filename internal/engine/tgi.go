package engine

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

// tgiPort is the launcher's own default; the image's is 80.
const tgiPort = 3000

// tgi is Hugging Face's text-generation-inference, which is only maintained since
// its version 3.3. It can neither take token ids nor ignore the end of a sequence.
var tgi = &Engine{
	name:    "tgi",
	aliases: []string{"text-generation-inference"},
	traits:  Traits{Upstream: "ghcr.io/huggingface/text-generation-inference", Versions: "3.3"},
	signs: signs{
		command: []string{"text-generation-launcher", "tgi-entrypoint.sh"},
		env:     []string{"HF_HOME=/data", "PORT=80"},
		name:    `text-generation-inference|(^|/)tgi$`,
	},
	spec:    tgiSpec,
	context: []string{"max-total-tokens", "rope-scaling", "rope-factor"},
	key:     keyed{variable: "API_KEY", flags: []string{"api-key"}},
	metrics: "/metrics",
	// Its prefill and decode times are of batches, not of requests.
	counts: []metric{
		{of: Running, names: []string{"tgi_batch_current_size"}},
		{of: Waiting, names: []string{"tgi_queue_size"}},
		{of: PromptTokens, names: []string{"tgi_request_input_length_sum"}},
		{of: OutputTokens, names: []string{"tgi_request_generated_tokens_sum"}},
		{of: QueueSeconds, names: []string{"tgi_request_queue_duration_sum"}},
	},
	more: tgiInfo,
	docs: docs{
		hits:     "not reported",
		always:   "`USAGE_STATS=off`; 1 GiB of shared memory",
		asked:    "`--num-shard`; `--max-concurrent-requests` for more than 128 at once",
		cacheOff: "`engine.env: {PREFIX_CACHING: \"0\"}`",
	},
}

// tgiConcurrent is how many requests at once its router takes by default; it
// answers the next with "Model is overloaded".
const tgiConcurrent = 128

func tgiSpec(e study.Experiment, h Host) (launch.Spec, error) {
	if err := noGGUF(e, h.Model); err != nil {
		return launch.Spec{}, err
	}
	if err := dtypes(e, "float16", "bfloat16"); err != nil {
		return launch.Spec{}, err
	}
	if err := only(e.Parallel, true, false, false); err != nil {
		return launch.Spec{}, err
	}
	c := tgiCommand(e, h)
	if err := whole(e, h, c.line()); err != nil {
		return launch.Spec{}, err
	}
	s := container("tgi", e, h, c)
	s.Port, s.ReadyPath = tgiPort, "/health"
	if h.TokenFile != "" {
		// Its router looks for the token at $HF_HOME/token and, unlike its Python
		// half, not at $HF_TOKEN_PATH.
		s.HFTokenFile = "/data/token"
	}
	own := offline(e, h.Model)
	own["USAGE_STATS"] = "off"
	env(&s, e, own)
	shared(&s, "1GiB")
	caches(&s, h, "tgi", "/root/.triton")
	return s, nil
}

// tgiCommand is the launcher's command line.
func tgiCommand(e study.Experiment, h Host) *command {
	var first []string
	if !starts(e, h, "text-generation-launcher") && !names(e, h, "entrypoint.sh") {
		first = []string{"text-generation-launcher"}
	}
	c := commandOf(e, first...)
	c.set("model-id", modelArg(e, h))
	if h.Model.Path == "" {
		c.setUnless("main", "revision", e.Revision)
	}
	c.set("hostname", "0.0.0.0")
	c.set("port", strconv.Itoa(tgiPort))
	c.setUnless("auto", "dtype", e.DType)
	c.set("num-shard", strconv.Itoa(max(1, e.Parallel.Tensor))) // its default is every GPU
	if n := atOnce(e.Workload); n > tgiConcurrent {
		c.set("max-concurrent-requests", strconv.Itoa(n))
	}
	return c
}

// whole refuses arguments that the image's entrypoint, a script, would split.
func whole(e study.Experiment, h Host, line []string) error {
	if !names(e, h, "entrypoint.sh") {
		return nil
	}
	i := slices.IndexFunc(line, func(arg string) bool { return arg == "" || strings.ContainsAny(arg, " \t\n*?[") })
	if i < 0 {
		return nil
	}
	if line[i] == h.Model.Path {
		return fmt.Errorf("model %s: the image's entrypoint splits its arguments at white space and expands *, ? and [; rename the model's folder", e.Model)
	}
	return fmt.Errorf("argument %q: the image's entrypoint splits its arguments at white space and expands *, ? and [; give it as a variable in engine.env instead (--some-flag is SOME_FLAG)", line[i])
}

// tgiInfo reads the version and the context. A request asks for "tgi": any other
// name is that of an adapter.
func tgiInfo(ctx context.Context, at Address, i *Info) error {
	var info struct {
		Router  string `json:"router"`
		Version string `json:"version"`
		Context int    `json:"max_total_tokens"`
	}
	if err := getJSON(ctx, at, "/info", &info); err != nil {
		return err
	}
	if !strings.HasPrefix(info.Router, "text-generation-router") {
		return fmt.Errorf("%s/info is not that of TGI", at)
	}
	i.Engine, i.Model, i.Version, i.ContextLength = "tgi", "tgi", version(info.Version), info.Context
	return nil
}
