package job

import (
	"encoding/binary"
	"log/slog"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/hub"
	"github.com/llenergymeasure/llem/internal/hub/standin"
	"github.com/llenergymeasure/llem/internal/study"
)

// smallModel is one whose configuration and tokenizer alone are here, and
// tell no parameters.
func smallModel(t *testing.T, name string) hub.Model {
	t.Helper()
	header := `{"model.embed_tokens.weight":{"dtype":"BF16","shape":[100,8]},"model.layers.0.x.weight":{"dtype":"BF16","shape":[8,8]}}`
	h := &standin.Hub{Repo: name, Files: map[string][]byte{
		"config.json": []byte(`{"model_type":"unheard_of"}`), "tokenizer.json": []byte("{}"),
		"model.safetensors": append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...),
	}}
	h.Start()
	t.Cleanup(h.Close)
	t.Setenv("HF_ENDPOINT", h.URL)
	t.Setenv("HF_HOME", t.TempDir())
	t.Setenv("HF_HUB_CACHE", "")
	t.Setenv("HF_HUB_OFFLINE", "")
	m, err := hub.Ensure(t.Context(), hub.Options{Model: name, Small: true})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// counted are the parameters of m.
func counted(t *testing.T, m hub.Model) Sized {
	t.Helper()
	j := Job{Experiment: study.Experiment{Model: m.ID}, Model: Model{Files: m}}
	(&Finder{Log: slog.New(slog.DiscardHandler)}).Count(t.Context(), &j)
	return *j.Model.Sized
}

func TestParametersFromTheHubWhereFilesTellNone(t *testing.T) {
	s := counted(t, smallModel(t, "owner/name"))
	if s.Total != 864 || s.Source != "safetensors" || s.Commit != standin.Commit || s.Err != nil {
		t.Errorf("%+v", s)
	}
}

func TestParametersAreUnknownWhereNothingTells(t *testing.T) {
	m := smallModel(t, "owner/name-8B")
	t.Setenv("HF_HUB_OFFLINE", "1")
	if s := counted(t, m); s.Commit != standin.Commit || s.Err == nil {
		t.Errorf("%+v", s)
	}
}

func TestTheFilesOfALocalModelHaveAFingerprint(t *testing.T) {
	dir := t.TempDir()
	if s := counted(t, hub.Model{ID: dir, Path: dir}); !strings.HasPrefix(s.Fingerprint, "sha256:") {
		t.Errorf("%+v", s)
	}
	t.Setenv("HF_HUB_OFFLINE", "1")
	if s := counted(t, hub.Model{ID: "owner/name", Path: dir, Commit: standin.Commit}); s.Fingerprint != "" {
		t.Errorf("%s of a model of the hub", s.Fingerprint)
	}
}
