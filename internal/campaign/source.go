package campaign

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// Source is a file with all that is set above and below it.
type Source struct {
	Name    string // as errors call it
	Data    []byte // nil: there is no file, and flags set everything
	Options study.Options
}

// plan decodes and expands a study. An error is a [launch.ConfigFault].
func (s Source) plan() (*study.Study, *study.Plan, error) {
	st, err := study.DecodeStudy(s.Name, s.Data, s.Options)
	if err != nil {
		return nil, nil, &launch.Fault{Kind: launch.ConfigFault, Err: err}
	}
	p, err := st.Plan()
	if err != nil {
		return nil, nil, launch.Faultf(launch.ConfigFault, "%s: %w", s.Name, err)
	}
	return st, p, nil
}

// setsOf are the values that are set above a study's file, without secrets.
func setsOf(lists ...[]study.Set) []result.StudySet {
	out := []result.StudySet{}
	for _, s := range slices.Concat(lists...) {
		line := string(study.Redact([]byte(s.Path + ": " + s.Value)))
		out = append(out, result.StudySet{Path: s.Path, Value: strings.TrimPrefix(line, s.Path+": "), Source: s.Source})
	}
	return out
}

// mostStudy bounds a study's file in bytes.
const mostStudy = 16 << 20

// sourceOf is the file of the study in dir with what was set above it as the study was
// begun; where the file is gone, ours, which is the copy in dir.
func sourceOf(p *result.StudyPlan, dir string, ours []byte, o ResumeOptions) (Source, error) {
	s := Source{Name: filepath.Join(dir, result.StudyFile), Data: ours, Options: study.Options{Quick: p.Quick, Own: true}}
	data, err := result.ReadFile(p.Source, mostStudy)
	switch {
	case p.Source == "":
		return s, nil
	case errors.Is(err, fs.ErrNotExist):
		o.Say(p.Source + " is gone: the study is taken from its own folder")
		return s, nil
	case err != nil:
		return s, launch.Faultf(launch.ConfigFault, "--resume: the study's file: %w", err)
	}
	s.Name, s.Data, s.Options.Own = p.Source, data, false
	if s.Options.User, err = o.User(); err != nil {
		return s, err
	}
	for _, set := range p.Sets {
		value := set.Value
		if strings.Contains(value, "REDACTED") {
			now, there := os.LookupEnv(set.Source)
			if !there {
				return s, launch.Faultf(launch.ConfigFault, "--resume: %s was set by %s as the study was begun and holds a secret, which no folder keeps: set it again", set.Path, set.Source)
			}
			value = now
		}
		s.Options.Flags = append(s.Options.Flags, study.Set{Path: set.Path, Value: value, Source: set.Source})
	}
	return s, nil
}

// restored is an experiment with the secrets that a study's folder does not hold.
func restored(e study.Experiment) (study.Experiment, error) {
	e, list := e.Restore(os.LookupEnv)
	if lost := study.Lost(list); lost != "" {
		return e, fmt.Errorf("a study's folder keeps no secret: give %s", lost)
	}
	return e, nil
}
