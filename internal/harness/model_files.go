package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/llenergymeasure/llem/internal/engine"
	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/load"
	"github.com/llenergymeasure/llem/internal/study"
)

// modelRoot is where models are mounted in containers. It is short of special
// characters: some images' entrypoints split their arguments at spaces.
const modelRoot = "/models"

// findFiles finds the model's files on this host, or downloads them, and what
// synthetic prompts are drawn from. A name that the engine gives meaning to is
// its own to find.
func (x *run) findFiles(ctx context.Context) error {
	if x.eng.Traits().OwnNames && !isPath(x.exp.Model) {
		return nil
	}
	m, err := x.fetchModel(ctx)
	if x.planned && errors.Is(err, hub.ErrNotFound) && x.exp.Engine.Pull != "never" {
		x.fetches = true
		return nil
	}
	if err != nil {
		return hubFault(err)
	}
	if !x.planned {
		x.count(ctx, m)
	}
	if x.model, err = mounted(m.Path); err != nil {
		return &Fault{Kind: ConfigFault, Err: fmt.Errorf("model: %w", err)}
	}
	if x.exp.Workload.Source != "synthetic" {
		return nil
	}
	v, err := m.Vocabulary()
	if err != nil {
		return fault(ConfigFault, "%w; or use a prompts file (workload.source)", err)
	}
	x.vocabulary = vocabulary(v)
	return nil
}

// fetchModel finds the model, and downloads it where it may and must be. Of one
// whose weights nobody reads the small files are enough.
func (x *run) fetchModel(ctx context.Context) (hub.Model, error) {
	_, dummy := x.dummy()
	o := hub.Options{
		Model: x.exp.Model, Revision: x.exp.Revision, Small: dummy || x.running(), Pull: x.exp.Engine.Pull, Progress: x.Observer.Progress,
	}
	if x.planned {
		o.Pull = "never"
	} else if _, err := hub.Find(ctx, o); errors.Is(err, hub.ErrNotFound) && o.Pull != "never" {
		x.Observer.Say("downloading model " + x.exp.Model)
	}
	return hub.Ensure(ctx, o)
}

// isPath says that a model is named by where it lies.
func isPath(model string) bool {
	return filepath.IsAbs(model) || strings.HasPrefix(model, ".") || strings.HasSuffix(model, ".gguf")
}

// vocabulary is the model's words as the load draws from them.
func vocabulary(v hub.Vocabulary) *load.Vocabulary {
	out := &load.Vocabulary{Trim: !v.LeadingSpace}
	if v.BOS >= 0 {
		out.Head = []int{v.BOS}
	}
	for _, w := range v.Words {
		out.IDs, out.Texts = append(out.IDs, w.ID), append(out.Texts, w.Text)
	}
	return out
}

var part = regexp.MustCompile(`-\d{5}-of-\d{5}\.gguf$`)

// mounted says how a model is given to a container. A snapshot of the hub's
// cache is links into the folder beside it, so that the whole repository is
// mounted; a GGUF file in parts needs its folder.
func mounted(at string) (engine.Model, error) {
	at, err := filepath.Abs(at)
	if err != nil {
		return engine.Model{}, err
	}
	if repo, inside, ok := strings.Cut(at, string(filepath.Separator)+"snapshots"+string(filepath.Separator)); ok {
		if st, err := os.Stat(filepath.Join(repo, "blobs")); err == nil && st.IsDir() {
			return mountAt(repo, path.Join("snapshots", filepath.ToSlash(inside)), at)
		}
	}
	if part.MatchString(at) {
		return mountAt(filepath.Dir(at), filepath.Base(at), at)
	}
	return mountAt(at, "", at)
}

var odd = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

func mountAt(source, inside, file string) (engine.Model, error) {
	real, err := filepath.EvalSymlinks(source)
	if err != nil {
		return engine.Model{}, err
	}
	target := path.Join(modelRoot, odd.ReplaceAllString(filepath.Base(source), "_"))
	return engine.Model{
		Source: real, Target: target, Path: path.Join(target, inside), GGUF: strings.HasSuffix(file, ".gguf"),
	}, nil
}

// dummy says that weights are drawn and not loaded, and by what one knows.
func (x *run) dummy() (why string, ok bool) {
	if x.eng.Traits().Dummy {
		return "the " + x.eng.Name() + " engine draws its weights from a seed", true
	}
	for name, v := range x.exp.Engine.Args {
		if strings.ReplaceAll(name, "_", "-") == "load-format" && v == "dummy" {
			return "engine.args." + name + ": dummy", true
		}
	}
	return "", false
}

// wordsOf is the vocabulary of synthetic prompts: the model's own, else the bytes
// that the server takes as tokens.
func (x *run) wordsOf() (load.Vocabulary, error) {
	if i := x.info; i.TextHigh > 0 {
		return load.Bytes(i.TextLow, i.TextHigh, i.ByteLevel), nil
	}
	if x.vocabulary == nil {
		return load.Vocabulary{}, errors.New("neither the engine nor a file on this host tells the model's vocabulary, which synthetic prompts are drawn from; use a prompts file (workload.source)")
	}
	return *x.vocabulary, nil
}

// fits refuses lengths that the server has no context for.
func fits(w study.Workload, i engine.Info) error {
	if n := w.MaxInputTokens + w.MaxOutputTokens; w.Source == "synthetic" && i.ContextLength > 0 && n > i.ContextLength {
		return fmt.Errorf("workload.max_input_tokens %d and max_output_tokens %d do not fit the engine's context of %d", w.MaxInputTokens, w.MaxOutputTokens, i.ContextLength)
	}
	return nil
}
