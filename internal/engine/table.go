package engine

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// engines is the table: one row an engine.
var engines = []Engine{reference{}}

// Label of an image that names its engine.
const Label = "io.llem.engine"

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

// Lookup finds an engine by name.
func Lookup(name string) (Engine, error) {
	i := slices.IndexFunc(engines, func(e Engine) bool { return e.Name() == name })
	if i < 0 {
		return nil, fmt.Errorf("%w %q: this version has %s", ErrUnknown, name, strings.Join(Names(), ", "))
	}
	return engines[i], nil
}

// Detect tells the engine from an image: by its label, else by its entrypoint
// and command. how says by which.
func Detect(img Image) (name, how string, err error) {
	if name := img.Labels[Label]; name != "" {
		return name, "label " + Label, nil
	}
	words := strings.Join(append(slices.Clone(img.Entrypoint), img.Cmd...), " ")
	if words == "" {
		words = "none"
	}
	return "", "", fmt.Errorf("%w: image %s has no label %s (its entrypoint is: %s); name the engine with --engine or engine.name, this version has %s",
		ErrUnknown, img.Ref, Label, words, strings.Join(Names(), ", "))
}
