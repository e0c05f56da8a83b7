package engine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// engines is the table: one row an engine.
var engines = []Engine{vllm, sglang, tensorrt, llamacpp, ollama, tgi, lmdeploy, transformers, reference{}, anyServer}

// dialects are the engines that speak OpenAI's API.
func dialects() []*openai {
	var out []*openai
	for _, e := range engines {
		if d, ok := e.(interface{ dialect() *openai }); ok {
			out = append(out, d.dialect())
		}
	}
	return out
}

// aliases are other names that people use for an engine.
var aliases = map[string]string{
	"llama.cpp": "llamacpp", "llama-cpp": "llamacpp", "llama-server": "llamacpp",
	"trtllm": "tensorrt-llm", "trt-llm": "tensorrt-llm", "tensorrt_llm": "tensorrt-llm",
	"text-generation-inference": "tgi", "hf": "transformers",
}

// ErrUnknown says that no engine of this version fits.
var ErrUnknown = errors.New("unknown engine")

// Names lists the engines of this version.
func Names() []string {
	out := make([]string, len(engines))
	for i, e := range engines {
		out[i] = e.Name()
	}
	return out
}

// Lookup finds an engine by its name, or by another that people use for it.
func Lookup(name string) (Engine, error) {
	own := strings.ToLower(name)
	if a, ok := aliases[own]; ok {
		own = a
	}
	i := slices.IndexFunc(engines, func(e Engine) bool { return e.Name() == own })
	if i < 0 {
		return nil, fmt.Errorf("%w %q: this version has %s", ErrUnknown, name, strings.Join(Names(), ", "))
	}
	return engines[i], nil
}

// Upstream is the image that a bare engine name, with or without a tag, stands
// for: vllm, vllm:v0.27.1. Without GPUs it is one that needs none, where there is
// such a one. ok is false for any other reference.
func Upstream(ref string, gpus bool) (image string, ok bool) {
	name, tag, tagged := strings.Cut(ref, ":")
	e, err := Lookup(name)
	if err != nil || e.Traits().Upstream == "" || strings.ContainsAny(ref, "/@") {
		return "", false
	}
	t := e.Traits()
	if !tagged {
		tag = cmp.Or(t.Tag, "latest")
	}
	if e == llamacpp && tag == "latest" { // it has a tag for each of its programs instead
		if tag = "server"; gpus {
			tag = "server-cuda"
		}
	}
	repository := t.Upstream
	if !gpus {
		repository = cmp.Or(t.UpstreamCPU, repository)
	}
	return repository + ":" + tag, true
}
