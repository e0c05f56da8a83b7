package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/campaign"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// asked is what a run is asked for.
type asked struct {
	e         study.Experiment
	input     []byte             // the file
	from      *result.Record     // of the run that is done again, or nil
	sameImage bool               // that run's very image is asked for
	notes     []string           // for people
	study     *campaign.Campaign // that begins, in place of all else; or nil
}

// experiment reads what is asked for: a file, or a result whose run is done again.
func (c *runCmd) experiment() (asked, error) {
	flags, err := c.sets()
	if err != nil {
		return asked{}, usageError{err}
	}
	if c.From != nil {
		return c.rerun(*c.From, flags)
	}
	in, err := readInput(c.Config, flags, c.Quick)
	if err != nil {
		return asked{}, err
	}
	if c.Repeat != nil || study.IsStudy(in.Data) {
		s, err := campaign.New(in)
		return asked{study: s}, err
	}
	e, err := oneExperiment(in)
	return asked{e: e, input: in.Data}, err
}

// rerun reads the effective configuration of a result. The user's own file is not
// asked: its values are in there. Flags and the environment stand above it.
func (c *runCmd) rerun(path string, flags []study.Set) (asked, error) {
	switch {
	case c.Config != "":
		return asked{}, usageError{fmt.Errorf("%s and --from: a result brings its own configuration; leave one of them out", c.Config)}
	case strings.TrimSpace(path) == "":
		return asked{}, usageError{errors.New("--from: blank: name a result's folder, or leave the flag out")}
	case c.Repeat != nil:
		return asked{}, usageError{fmt.Errorf("--repeat and --from: a result is run again once; to repeat its experiment: llem run --repeat %s %s", *c.Repeat, filepath.Join(path, result.ConfigFile))}
	case c.Quick:
		return asked{}, usageError{errors.New("--quick and --from: a result is run as it was; leave --quick out")}
	}
	r, dir, err := result.Read(path)
	if err != nil {
		return asked{}, usageError{fmt.Errorf("--from: %w", err)}
	}
	if r.State == result.Altered {
		return asked{}, usageError{fmt.Errorf("--from: %s was altered after it was written: llem verify %s says where; restore it from a copy, or run its %s", dir, dir, result.ConfigFile)}
	}
	file := filepath.Join(dir, result.ConfigFile)
	env, err := environ()
	if err != nil {
		return asked{}, err
	}
	quick := wasQuick(r)
	was, _, err := study.ReadFile(file, study.Options{Quick: quick, Own: true})
	if errors.Is(err, fs.ErrNotExist) {
		return asked{}, usageError{fmt.Errorf("--from: %s has no %s, which says what was run", dir, result.ConfigFile)}
	}
	if err != nil {
		return asked{}, usageError{fmt.Errorf("--from: %w", err)}
	}
	e, input, err := study.ReadFile(file, study.Options{Env: env, Flags: flags, Quick: quick, Own: true})
	if err != nil {
		return asked{}, usageError{err}
	}
	out := asked{input: input, from: r, sameImage: r.Engine.ImageID != ""}
	for _, s := range append(env, flags...) {
		out.sameImage = out.sameImage && s.Path != "engine.image"
		out.notes = append(out.notes, fmt.Sprintf("%s: of %s, in place of the result's", s.Path, s.Source))
	}
	at := slices.IndexFunc(r.Files, func(f result.File) bool { return f.Name == result.ConfigFile })
	if was.ConfigHash() != r.ConfigHash || at >= 0 && r.Files[at].Check(dir) != "" {
		out.notes = append(out.notes, fmt.Sprintf("%s is not what the record was measured with: it was changed, or another llem wrote it", file))
	}
	return out, out.restore(e)
}

// restore takes the secrets that no result keeps from the environment.
func (q *asked) restore(e study.Experiment) error {
	var list []study.Restored
	q.e, list = e.Restore(os.LookupEnv)
	if lost := study.Lost(list); lost != "" {
		return usageError{fmt.Errorf("--from: a result keeps no secret: give %s", lost)}
	}
	for _, s := range list {
		q.notes = append(q.notes, fmt.Sprintf("%s: of the environment's %s; a result keeps no secret", s.Path, s.Variable))
	}
	return nil
}

// wasQuick says whether a record is that of a --quick run.
func wasQuick(r *result.Record) bool {
	config, _ := r.Config.(map[string]any)
	quick, _ := config["quick"].(bool)
	return quick
}
