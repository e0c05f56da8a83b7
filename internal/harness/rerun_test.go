package harness

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/result"
	"github.com/llenergymeasure/llem/internal/study"
)

// store is a daemon that has some images, and a registry that has others.
type store struct {
	*fake
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
		"built somewhere, not here": {"", nil, nil, []string{id + " never"}, "docker load"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from := &result.Record{Engine: result.Engine{Image: "a/b:1", ImageDigest: textOrNil(c.digest), ImageID: id}}
			s := &store{has: c.has, remote: c.remote}
			x := &run{Runner: &Runner{Launcher: s, From: from, SameImage: true, Observer: &watching{}}, exp: study.Experiment{Engine: study.Engine{Image: "a/b:1", Pull: "missing"}}}
			img, err := x.findImage(t.Context())
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
	x := &run{Runner: &Runner{Launcher: broken{}, From: &result.Record{Engine: result.Engine{ImageID: id}}, SameImage: true, Observer: &watching{}}}
	if _, err := x.findImage(t.Context()); !errors.Is(err, errBroken) {
		t.Errorf("error %v, want the daemon's", err)
	}
}

var errBroken = errors.New("the daemon is broken")

type broken struct{ *fake }

func (broken) Resolve(context.Context, string, string, func(done, total int64)) (launch.Image, error) {
	return launch.Image{}, errBroken
}

func TestReplacedFilesOfALocalModelDiffer(t *testing.T) {
	t.Parallel()
	now, then := "sha256:"+strings.Repeat("1", 64), "sha256:"+strings.Repeat("2", 64)
	for name, c := range map[string]struct {
		was  *string
		want bool
	}{"replaced": {&then, true}, "the same": {&now, false}, "of a record that did not keep it": {nil, false}} {
		from := &result.Record{Model: result.Model{ID: "/m", Fingerprint: c.was}}
		x := &run{Runner: &Runner{From: from}, exp: study.Experiment{Model: "/m"}, sized: &sized{fingerprint: now}}
		list := x.differences()
		if got := slices.Contains(list, "model files (fingerprint): then 222222222222, now 111111111111"); got != c.want {
			t.Errorf("%s: %v in %q, want %v", name, got, list, c.want)
		}
	}
}
