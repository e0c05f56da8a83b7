package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

const transformersPort = 8000

// transformers is images/transformers: a server of this project over Hugging Face
// transformers, told by its label.
var transformers = &Engine{
	name:    "transformers",
	aliases: []string{"hf"},
	traits:  Traits{TokenIDs: true, IgnoreEOS: true, Versions: "this one"},
	spec:    transformersSpec,
	context: []string{"max-model-len"},
	dummy:   "load-format",
	owners:  []string{"llem-transformers"},
	metrics: "/metrics",
	counts: []metric{
		{of: Running, names: []string{"llem_transformers_requests_running"}},
		{of: Waiting, names: []string{"llem_transformers_requests_waiting"}},
		{of: PromptTokens, names: []string{"llem_transformers_prompt_tokens_total"}},
		{of: OutputTokens, names: []string{"llem_transformers_generation_tokens_total"}},
		{of: CachedTokens, names: []string{"llem_transformers_cached_tokens_total"}},
	},
	reset: KeepsNone,
	sync:  "/sync",
	more:  transformersVersions,
	docs: docs{
		run:     "transformers 5.19 on a CPU, November 2026",
		image:   "[images/transformers](../images/transformers/README.md)",
		hits:    "it has none",
		always:  "`--device` cuda or cpu",
		asked:   "`--max-batch-size` for more than 32 at once",
		emptied: "no prompt is kept",
		proven:  "its own word, in usage or counters",
		tried:   "run",
	},
}

// transformersBatch is the server's own default of --max-batch-size; more requests
// than that wait for the next batch.
const transformersBatch = 32

func transformersSpec(e study.Experiment, h Host) (launch.Spec, error) {
	if err := noGGUF(e, h.Model); err != nil {
		return launch.Spec{}, err
	}
	if err := dtypes(e, "float32", "float16", "bfloat16"); err != nil {
		return launch.Spec{}, err
	}
	if err := only(e.Parallel, false, false, false); err != nil {
		return launch.Spec{}, err
	}
	c := commandOf(e)
	c.set("model", modelArg(e, h))
	c.set("served-model-name", e.Model)
	if h.Model.Path == "" {
		c.setUnless("main", "revision", e.Revision)
	}
	c.set("host", "0.0.0.0")
	c.set("port", strconv.Itoa(transformersPort))
	device := "cpu"
	if len(h.GPUs) > 0 {
		device = "cuda"
	}
	c.set("device", device)
	c.setUnless("auto", "dtype", e.DType)
	if n := atOnce(e.Workload); n > transformersBatch {
		c.set("max-batch-size", strconv.Itoa(n))
	}
	s := container("transformers", e, h, c)
	s.Port, s.ReadyPath = transformersPort, "/health"
	env(&s, e, offline(e, h.Model))
	return s, nil
}

// transformersVersions reads the versions of the server and of what it runs on.
func transformersVersions(ctx context.Context, at Address, i *Info) error {
	var v struct{ Version, Transformers, Torch string }
	if err := getJSON(ctx, at, "/version", &v); err != nil {
		return err
	}
	if v.Transformers == "" {
		return fmt.Errorf("%s/version is not that of images/transformers", at)
	}
	i.Version = v.Version
	var on []string
	for _, part := range [][2]string{{"transformers", v.Transformers}, {"torch", v.Torch}} {
		if part[1] != "" {
			on = append(on, part[0]+" "+part[1])
		}
	}
	if len(on) > 0 {
		i.Version = strings.TrimSpace(i.Version + " (" + strings.Join(on, ", ") + ")")
	}
	return nil
}
