package engine

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/launch"
)

// Label of an image that names its engine.
const Label = "io.llem.engine"

// signs are what an engine's images are known by, the surest first.
type signs struct {
	command []string // parts of the entrypoint and command
	env     []string // variables, as NAME, NAME=value or NAME=the first of a list, all of which are set
	folder  string   // the working directory
	name    string   // regular expression of the repository's name
}

// marks are the ways to tell, in order.
var marks = []struct {
	how  string
	seen func(signs, launch.Image) bool
}{
	{"entrypoint and command", func(s signs, img launch.Image) bool {
		words := strings.Join(append(slices.Clone(img.Entrypoint), img.Cmd...), " ")
		return slices.ContainsFunc(s.command, func(part string) bool { return strings.Contains(words, part) })
	}},
	{"environment", func(s signs, img launch.Image) bool {
		return len(s.env) > 0 && !slices.ContainsFunc(s.env, func(v string) bool { return !has(img.Env, v) })
	}},
	{"working directory", func(s signs, img launch.Image) bool {
		return s.folder != "" && strings.HasPrefix(img.WorkingDir, s.folder)
	}},
	{"name", func(s signs, img launch.Image) bool {
		return s.name != "" && regexp.MustCompile(s.name).MatchString(repository(img.Ref))
	}},
}

func has(env []string, want string) bool {
	return slices.ContainsFunc(env, func(v string) bool {
		return v == want || strings.HasPrefix(v, want+"=") || strings.HasPrefix(v, want+":")
	})
}

// repository is a reference without its tag and digest.
func repository(ref string) string {
	ref, _, _ = strings.Cut(ref, "@")
	if i := strings.LastIndexByte(ref, ':'); i > strings.LastIndexByte(ref, '/') {
		ref = ref[:i]
	}
	return ref
}

// Detect tells the engine from an image: by its label, else by its entrypoint
// and command, its environment, its working directory, its name. how says by
// which. Users retag and mirror images, so the name comes last.
func Detect(img launch.Image) (name, how string, err error) {
	if label := img.Labels[Label]; label != "" {
		e, err := Lookup(label)
		if err != nil {
			return "", "", fmt.Errorf("image %s has the label %s=%s: %w; name one with --engine or engine.name", img.Ref, Label, label, err)
		}
		return e.Name(), "label " + Label, nil
	}
	for _, m := range marks {
		var found []string
		for _, e := range engines {
			if m.seen(e.signs, img) {
				found = append(found, e.name)
			}
		}
		switch len(found) {
		case 0:
		case 1:
			return found[0], m.how, nil
		default:
			return "", "", fmt.Errorf("%w: by its %s, image %s is %s; name the right one with --engine or engine.name", errUnknown, m.how, img.Ref, strings.Join(found, " and "))
		}
	}
	words := strings.Join(append(slices.Clone(img.Entrypoint), img.Cmd...), " ")
	if words == "" {
		words = "none"
	}
	return "", "", fmt.Errorf("%w: image %s has no label %s, and neither its entrypoint (%s), environment nor name is that of an engine; name the engine with --engine or engine.name, this version has %s",
		errUnknown, img.Ref, Label, words, strings.Join(Names(), ", "))
}

// Confirm holds the engine that was told from an image, or named, against what
// the server says of itself.
func Confirm(name, how string, i Info) error {
	if i.Engine == "" || i.Engine == name {
		return nil
	}
	if how == "" {
		how = "engine.name"
	}
	return fmt.Errorf("the engine is %s by its %s, and %s by its server's own word (/v1/models): name the right one with --engine or engine.name", name, how, i.Engine)
}
