package engine

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

const ollamaPort = 11434

// ollama is ollama/ollama. Its server is up before it has a model: see ollamaLoad. It
// can neither take token ids nor ignore the end of a sequence, and counts nothing
// that can be asked for.
var ollama = &Engine{
	name:   "ollama",
	traits: Traits{OwnNames: true, Upstream: "ollama/ollama", Versions: "0.6.5 to 0.33"},
	signs: signs{
		command: []string{"/bin/ollama", "ollama serve"},
		env:     []string{"OLLAMA_HOST"},
		name:    `(^|/)ollama$`,
	},
	spec:     ollamaSpec,
	context:  []string{numCtx},
	sampling: ollamaSampling,
	version:  []string{"/api/version"},
	more:     ollamaLoaded,
	load:     ollamaLoad,
	docs: docs{
		run:      "0.6.5 on a CPU, November 2026",
		hits:     "not reported",
		always:   "`OLLAMA_KEEP_ALIVE=-1`",
		asked:    "`OLLAMA_NUM_PARALLEL`, `OLLAMA_CONTEXT_LENGTH`, `OLLAMA_MAX_QUEUE` for more than 512 at once; pipeline: `OLLAMA_SCHED_SPREAD`",
		cacheOff: "it has no switch",
	},
}

// ollamaQueue is how many requests may wait by default; the next gets a 503.
const ollamaQueue = 512

var ggufPart = regexp.MustCompile(`-\d{5}-of-\d{5}\.gguf$`)

// ollamaSpec sets by the environment what a request cannot: its API has no field
// for the context's length, for requests at once, or for how long a model stays
// loaded. The server has no flags: engine.args are parameters of the model, and
// are set by ollamaLoad. A model's file is not mounted but handed over there.
func ollamaSpec(e study.Experiment, h Host) (launch.Spec, error) {
	if err := ownDType(e); err != nil {
		return launch.Spec{}, err
	}
	if err := only(e.Parallel, false, true, false); err != nil {
		return launch.Spec{}, err
	}
	if h.Model.Path != "" && !h.Model.GGUF {
		return launch.Spec{}, fmt.Errorf("model %s: it reads GGUF files, and this is not one", e.Model)
	}
	if ggufPart.MatchString(h.Model.Path) {
		return launch.Spec{}, fmt.Errorf("model %s: it takes one GGUF file, and this is a part of several; merge them (llama-gguf-split --merge)", e.Model)
	}
	mounted := h.Model.Path != ""
	h.Model, h.TokenFile = Model{}, "" // it never asks the hub
	cli := []string{"ollama", "serve"}
	line := head(e, h, "ollama", cli, cli...)
	s := container("ollama", e, h, &command{out: line})
	s.Port, s.ReadyPath = ollamaPort, "/api/version"
	for _, name := range sortedNames(ollamaOwn(e, h)) {
		switch {
		case takenOut(e.Engine.Args, name):
			s.LeftOut = append(s.LeftOut, name)
		case given(e.Engine.Args, name):
			s.Overridden = append(s.Overridden, name)
		}
	}
	env(&s, e, ollamaEnv(e, h))
	if !mounted { // what was pulled once is not pulled again
		caches(&s, h, "ollama", "/root/.ollama")
	}
	return s, nil
}

// ollamaEnv are the variables of llem's.
func ollamaEnv(e study.Experiment, h Host) map[string]string {
	slots := atOnce(e.Workload)
	own := map[string]string{
		"OLLAMA_HOST":           "0.0.0.0:" + strconv.Itoa(ollamaPort),
		"OLLAMA_NUM_PARALLEL":   strconv.Itoa(slots),
		"OLLAMA_CONTEXT_LENGTH": strconv.Itoa(room(e.Workload, h)),
		"OLLAMA_KEEP_ALIVE":     "-1",
	}
	if slots > ollamaQueue {
		own["OLLAMA_MAX_QUEUE"] = strconv.Itoa(slots)
	}
	if e.Parallel.Pipeline > 1 {
		own["OLLAMA_SCHED_SPREAD"] = "1" // its layers over all GPUs, whether or not one is enough
	}
	return own
}

// ollamaLoaded reads what /api/ps says of the model that is loaded.
func ollamaLoaded(ctx context.Context, at Address, i *Info) error {
	var ps struct {
		Models []struct {
			Name    string `json:"name"`
			Context int    `json:"context_length"`
		} `json:"models"`
	}
	if err := getJSON(ctx, at, "/api/ps", &ps); err != nil {
		return err
	}
	if ps.Models == nil {
		return fmt.Errorf("%s/api/ps is not that of Ollama", at)
	}
	i.Engine = "ollama" // its owned_by is the namespace of the model
	for _, m := range ps.Models {
		if m.Name == i.Model || m.Name == i.Model+":latest" {
			i.ContextLength = m.Context
		}
	}
	return nil
}

// hostFile is where the model's file lies on this host.
func hostFile(m Model) string {
	return filepath.Join(m.Source, strings.TrimPrefix(m.Path, m.Target))
}
