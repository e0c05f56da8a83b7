package job

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

// store is a daemon that has some images, and a registry that has others.
type store struct {
	launch.Launcher
	has, remote []string
	asked       []string
}

func (s *store) Resolve(_ context.Context, ref, pull string, _ func(done, total int64)) (launch.Image, error) {
	s.asked = append(s.asked, ref+" "+pull)
	if slices.Contains(s.has, ref) || pull != "never" && slices.Contains(s.remote, ref) {
		return launch.Image{Ref: ref, ID: "sha256:1"}, nil
	}
	return launch.Image{}, launch.ErrNoImage
}

func (*store) Words() launch.Words { return launch.Words{Bring: "save and load"} }

// The image of a run that is done again is that run's, wherever it is to be had.
func TestTheSameImageIsFound(t *testing.T) {
	t.Parallel()
	const digest, id = "a/b@sha256:9", "sha256:1"
	for name, c := range map[string]struct {
		digest      string
		has, remote []string
		asked       []string
		says        string // empty: it is found
	}{
		"here by digest":            {digest, []string{digest, id}, nil, []string{digest + " never"}, ""},
		"here under another name":   {digest, []string{id}, nil, []string{digest + " never", id + " never"}, ""},
		"in its registry":           {digest, nil, []string{digest}, []string{digest + " never", id + " never", digest + " missing"}, ""},
		"nowhere":                   {digest, nil, nil, []string{digest + " never", id + " never", digest + " missing"}, launch.ErrNoImage.Error()},
		"built here":                {"", []string{id}, nil, []string{id + " never"}, ""},
		"built somewhere, not here": {"", nil, nil, []string{id + " never"}, "bring it here with save and load, or"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &store{has: c.has, remote: c.remote}
			f := &Finder{Launcher: s, Pins: Pins{Again: &launch.Image{Ref: "a/b:1", Digest: c.digest, ID: id}}}
			img, err := f.findImage(t.Context(), &Job{Experiment: study.Experiment{Engine: study.Engine{Image: "a/b:1", Pull: "missing"}}})
			if c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) || c.says == "" && err != nil {
				t.Errorf("error %v, want %q", err, c.says)
			}
			if err == nil && (img.Ref != "a/b:1" || img.Digest != c.digest || img.ID != id) {
				t.Errorf("%+v", img)
			}
			if !slices.Equal(s.asked, c.asked) {
				t.Errorf("asked for %q, want %q", s.asked, c.asked)
			}
		})
	}
	f := &Finder{Launcher: broken{}, Pins: Pins{Again: &launch.Image{ID: id}}}
	if _, err := f.findImage(t.Context(), &Job{}); !errors.Is(err, errBroken) {
		t.Errorf("error %v, want the daemon's", err)
	}
}

var errBroken = errors.New("the daemon is broken")

type broken struct{ launch.Launcher }

func (broken) Resolve(context.Context, string, string, func(done, total int64)) (launch.Image, error) {
	return launch.Image{}, errBroken
}
