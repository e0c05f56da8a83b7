package engine

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// engines is the table: one row an engine.
var engines = []*Engine{vllm, sglang, tensorrt, llamacpp, ollama, tgi, lmdeploy, transformers, reference, anyServer}

// errUnknown says that no engine of this version fits.
var errUnknown = errors.New("unknown engine")

// Names lists the engines of this version.
func Names() []string {
	out := make([]string, len(engines))
	for i, e := range engines {
		out[i] = e.name
	}
	return out
}

// Lookup finds an engine by its name, or by another that people use for it.
func Lookup(name string) (*Engine, error) {
	own := strings.ToLower(name)
	i := slices.IndexFunc(engines, func(e *Engine) bool { return e.name == own || slices.Contains(e.aliases, own) })
	if i < 0 {
		return nil, fmt.Errorf("%w %q: this version has %s", errUnknown, name, strings.Join(Names(), ", "))
	}
	return engines[i], nil
}

// Upstream is the image that a bare engine name, with or without a tag, stands
// for: NAME, NAME:TAG. Without GPUs it is one that needs none, where there is
// such a one. ok is false for any other reference.
func Upstream(ref string, gpus bool) (image string, ok bool) {
	name, tag, _ := strings.Cut(ref, ":")
	e, err := Lookup(name)
	if err != nil || e.traits.Upstream == "" || strings.ContainsAny(ref, "/@") {
		return "", false
	}
	return e.upstream(tag, gpus), true
}

// upstream is its image by a tag; empty: none was asked for.
func (e *Engine) upstream(tag string, gpus bool) string {
	if e.tag != nil {
		tag = e.tag(tag, gpus)
	}
	repository := e.traits.Upstream
	if !gpus {
		repository = cmp.Or(e.traits.UpstreamCPU, repository)
	}
	return repository + ":" + cmp.Or(tag, "latest")
}
