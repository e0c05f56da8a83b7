package engine

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

// command is an engine's command line: what llem sets, then engine.args, which
// take over what they name.
type command struct {
	user map[string]any
	style
	out     []string
	over    []string // flags that engine.args set themselves
	without []string // flags that engine.args take out
}

func commandOf(e study.Experiment, head ...string) *command {
	return &command{user: e.Engine.Args, out: head}
}

// set adds a flag of llem's unless engine.args have it, under its name or one of
// its aliases; a bare flag has no value.
func (c *command) set(name, value string, aliases ...string) {
	for _, n := range append([]string{name}, aliases...) {
		switch {
		case takenOut(c.user, n):
			c.without = append(c.without, name)
			return
		case given(c.user, n):
			c.over = append(c.over, name)
			return
		}
	}
	c.out = append(c.out, "--"+name)
	if value != "" {
		c.out = append(c.out, value)
	}
}

// setUnless adds a flag unless its value is the one that means the default.
func (c *command) setUnless(none, name, value string, aliases ...string) {
	if value != none {
		c.set(name, value, aliases...)
	}
}

func (c *command) count(name string, n int, aliases ...string) {
	if n > 1 {
		c.set(name, strconv.Itoa(n), aliases...)
	}
}

// line is the whole command line.
func (c *command) line() []string { return append(c.out, c.flags(c.user)...) }

// given says whether args have a flag, whichever of - and _ it is written with.
func given(args map[string]any, name string) bool {
	_, ok := lookup(args, name)
	return ok
}

// takenOut says whether args have a flag as null: it is not to be passed.
func takenOut(args map[string]any, name string) bool {
	v, ok := lookup(args, name)
	return ok && v == nil
}

func lookup(args map[string]any, name string) (any, bool) {
	for n, v := range args {
		if spelled(n) == spelled(name) {
			return v, true
		}
	}
	return nil, false
}

// spelled is a flag's name without its dashes, and with - for _.
func spelled(name string) string {
	return strings.ReplaceAll(strings.TrimLeft(name, "-"), "_", "-")
}

// flag is how a name is written on a command line: one that begins with a dash
// stays as it is.
func flag(name string) string {
	if strings.HasPrefix(name, "-") {
		return name
	}
	return "--" + name
}

// style is how an engine's own parser reads what engine.args hold.
type style struct {
	negates bool // a boolean that is off is --no-NAME, not a flag that is left out
	lists   bool // a list is one flag and then its values (argparse's nargs), which otherwise repeats the flag
}

// flags turns engine.args into a command line, sorted by name: true is a bare
// flag, null none at all.
func (s style) flags(args map[string]any) []string {
	var out []string
	for _, name := range sortedNames(args) {
		switch v := args[name].(type) {
		case nil: // taken out
		case bool:
			out = append(out, s.boolean(name, v)...)
		case []any:
			out = append(out, s.list(name, v)...)
		default:
			out = append(out, flag(name), study.Word(v))
		}
	}
	return out
}

func (s style) boolean(name string, on bool) []string {
	long := strings.TrimPrefix(flag(name), "--")
	switch {
	case on:
		return []string{flag(name)}
	case s.negates && !strings.HasPrefix(long, "-"):
		return []string{"--no-" + strings.ReplaceAll(long, "_", "-")}
	}
	return nil
}

func (s style) list(name string, values []any) []string {
	var out []string
	for i, v := range values {
		if i == 0 || !s.lists {
			out = append(out, flag(name))
		}
		out = append(out, study.Word(v))
	}
	return out
}

func sortedNames(args map[string]any) []string {
	names := make([]string, 0, len(args))
	for name := range args {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// container is what the containers of all engines have in common.
func container(name string, e study.Experiment, h Host, c *command) launch.Spec {
	s := launch.Spec{
		Engine: name, ImageID: h.Image.ID, Cmd: c.line(), Overridden: c.over, LeftOut: c.without, Env: map[string]string{},
		ReadyTimeout: study.Seconds(e.Engine.StartupTimeoutSeconds),
		GPUs:         h.GPUs, HFTokenFile: h.TokenFile, Container: e.Engine.Container,
	}
	if h.Model.Source != "" {
		s.Mounts = []launch.Mount{{Source: h.Model.Source, Target: h.Model.Target, ReadOnly: true}}
	}
	return s
}

// env sets variables of llem's beneath engine.env.
func env(s *launch.Spec, e study.Experiment, own map[string]string) {
	for k, v := range own {
		if _, taken := e.Engine.Env[k]; !taken {
			s.Env[k] = v
		}
	}
	for k, v := range e.Engine.Env {
		s.Env[k] = v
	}
}

// offline keeps a Python engine from asking the hub about a model that is
// mounted, and from telling anybody of its use. Where engine.env have
// HF_HUB_OFFLINE it alone decides: transformers before 4.36 reads the other one.
func offline(e study.Experiment, m Model) map[string]string {
	own := map[string]string{"DO_NOT_TRACK": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
	if _, said := e.Engine.Env["HF_HUB_OFFLINE"]; m.Path != "" && !said {
		own["HF_HUB_OFFLINE"], own["TRANSFORMERS_OFFLINE"] = "1", "1"
	}
	return own
}

// shared gives a container the shared memory that NCCL and worker processes
// need, unless the user said how much.
func shared(s *launch.Spec, size string) {
	if s.Container.ShmSize == "" && s.Container.IPC != "host" {
		s.Container.ShmSize = size
	}
}

// ulimit sets a limit of the container's processes unless the user set it.
func ulimit(s *launch.Spec, name, value string) {
	if _, taken := s.Container.Ulimits[name]; taken {
		return
	}
	own := maps.Clone(s.Container.Ulimits) // the experiment's own stays as it is
	if own == nil {
		own = map[string]string{}
	}
	own[name] = value
	s.Container.Ulimits = own
}

// caches keeps folders for the next container of the same image. An image with a
// user of its own gets none: the folders are in root's home.
func caches(s *launch.Spec, h Host, name string, targets ...string) {
	if h.Image.User != "" && h.Image.User != "root" && h.Image.User != "0" || s.Container.User != "" {
		return
	}
	id := strings.TrimPrefix(h.Image.ID, "sha256:")
	for i, t := range targets {
		s.Caches = append(s.Caches, launch.Cache{Name: fmt.Sprintf("llem-cache-%s-%.12s-%d", name, id, i), Target: t})
	}
}

// modelArg is how an engine is told its model: the mounted path, else its name.
func modelArg(e study.Experiment, h Host) string {
	if h.Model.Path != "" {
		return h.Model.Path
	}
	return e.Model
}

// noGGUF refuses a GGUF file where an engine reads Hugging Face folders only.
func noGGUF(e study.Experiment, m Model) error {
	if m.GGUF {
		return fmt.Errorf("model %s: it reads Hugging Face folders, and this is a GGUF file; llamacpp and ollama read those", e.Model)
	}
	return nil
}

// only refuses the layouts that an engine cannot spread a model over.
func only(p study.Parallel, tensor, pipeline, data bool) error {
	for _, k := range []struct {
		name string
		n    int
		can  bool
	}{{"tensor", p.Tensor, tensor}, {"pipeline", p.Pipeline, pipeline}, {"data", p.Data, data}} {
		if k.n > 1 && !k.can {
			return fmt.Errorf("parallel.%s: %d: it has no such layout", k.name, k.n)
		}
	}
	return nil
}

// dtypes refuses a dtype that the engine's flag does not take.
func dtypes(e study.Experiment, takes ...string) error {
	if e.DType != "auto" && !slices.Contains(takes, e.DType) {
		return fmt.Errorf("dtype %q: it takes auto, %s", e.DType, strings.Join(takes, ", "))
	}
	return nil
}

// ownDType refuses a dtype where the weights' file decides.
func ownDType(e study.Experiment) error {
	if e.DType != "auto" {
		return fmt.Errorf("dtype %q: the weights' own is used; leave dtype at auto, and choose another file for another precision", e.DType)
	}
	return nil
}
