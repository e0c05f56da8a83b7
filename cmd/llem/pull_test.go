package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/hub/standin"
)

// plantedToken is searched for wherever llem writes.
const plantedToken = "hf_PlantedSecretToken"

// hubHost is a host whose hub is a stand-in with one model.
func hubHost(t *testing.T, edit func(*standin.Hub)) (*host, *standin.Hub) {
	t.Helper()
	hub := &standin.Hub{Repo: "owner/name", Token: plantedToken, Files: map[string][]byte{
		"config.json": []byte(`{"model_type":"llama"}`), "tokenizer.json": []byte("{}"), "model.safetensors": bytes.Repeat([]byte("0123456789abcdef"), 100_000),
	}}
	if edit != nil {
		edit(hub)
	}
	hub.Start()
	t.Cleanup(hub.Close)
	h := newHost(t)
	h.set("HF_ENDPOINT", hub.URL)
	h.set("HF_HOME", h.path("hf"))
	h.set("HF_TOKEN", plantedToken)
	return h, hub
}

// pull runs llem pull for a vLLM of which the test image is the image.
func (h *host) pull(more ...string) outcome {
	h.t.Helper()
	args := append([]string{"-v", "pull", h.config("model: owner/name\n"), "--image", image, "--engine", "vllm"}, more...)
	o := h.llem(args...)
	if all := o.stdout + o.stderr; strings.Contains(all, plantedToken) || strings.Contains(all, "Signature") {
		h.t.Errorf("a secret is printed:\n%s", all)
	}
	return o
}

const wholeModel = 1_600_000 + len(`{"model_type":"llama"}`) + len("{}")

func TestPullBringsImageAndModel(t *testing.T) {
	t.Parallel()
	h, hub := hubHost(t, nil)
	for _, fetched := range []int64{int64(wholeModel), 0} {
		o := h.pull("--json")
		var p pulled
		decodeJSON(t, o.stdout, &p)
		if o.code != exitDone || p.Image == nil || p.Image.Ref != image || !strings.HasPrefix(p.Image.ID, "sha256:") || p.Engine == nil || *p.Engine != "vllm" {
			t.Fatalf("exit %d, %s\n%s", o.code, o.stdout, o.stderr)
		}
		if m := p.Model; m == nil || m.Commit == nil || *m.Commit != standin.Commit || m.Fetched != fetched || m.Bytes != int64(wholeModel) || hub.Served() != fetched {
			t.Errorf("model %s, want %d bytes downloaded", o.stdout, fetched)
		}
	}
	o := h.pull()
	for _, want := range []string{image, "owner/name", "commit " + standin.Commit, h.path("hf"), "3 files of 1.6 MB, 0 B downloaded"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("no %q in:\n%s", want, o.stdout)
		}
	}
	if hub.Leaked() {
		t.Error("the store was sent the token")
	}
}

func TestAnInterruptedPullIsResumed(t *testing.T) {
	t.Parallel()
	h, hub := hubHost(t, nil)
	hub.Slow(5 * time.Millisecond)
	c := h.start("pull", h.config("model: owner/name\n"), "--image", image, "--engine", "vllm")
	part := filepath.Join(h.path("hf"), "hub", "models--owner--name", "blobs", standin.SHA256(hub.Files["model.safetensors"])+".incomplete")
	until(t, "a part of the model", func() bool { st, err := os.Stat(part); return err == nil && st.Size() > 300_000 })
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if o := c.finish(); o.code != exitInterrupted || !strings.Contains(o.stderr, "interrupted") || !strings.Contains(o.stderr, "kept") {
		t.Fatalf("exit %d, stderr:\n%s", o.code, o.stderr)
	}
	st, err := os.Stat(part)
	if err != nil {
		t.Fatal("what was here is not kept: ", err)
	}
	hub.Slow(0)
	hub.Served()
	o := h.pull("--json")
	var p pulled
	decodeJSON(t, o.stdout, &p)
	rest := 1_600_000 - st.Size()
	if o.code != exitDone || p.Model.Fetched != rest {
		t.Errorf("exit %d, want %d bytes downloaded: %s\n%s", o.code, rest, o.stdout, o.stderr)
	}
	// What the store was writing when the first one left is counted late.
	if late := hub.Served() - rest; late < 0 || late > 64<<10 {
		t.Errorf("%d bytes served beyond the rest of %d", late, rest)
	}
}

func TestPullRefusals(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		edit func(*standin.Hub)
		set  [2]string
		args []string
		code int
		want string
	}{
		{"checksum", func(s *standin.Hub) { s.Corrupt = "model.safetensors" }, [2]string{}, nil, exitHost, "its file was removed, and the next try starts from the beginning"},
		{"no token", nil, [2]string{"HF_TOKEN", ""}, nil, exitUsage, "set HF_TOKEN"},
		{"token refused", nil, [2]string{"HF_TOKEN", "hf_other"}, nil, exitUsage, "the token from HF_TOKEN is refused"},
		{"gated", func(s *standin.Hub) { s.Gated = true }, [2]string{"HF_TOKEN", "hf_other"}, nil, exitUsage, "accept its licence at "},
		{"no such model", nil, [2]string{}, []string{"--model", "owner/other"}, exitUsage, "there is no model owner/other"},
		{"offline", nil, [2]string{"HF_HUB_OFFLINE", "1"}, nil, exitHost, "HF_HUB_OFFLINE is set, and "},
		{"disk full", func(s *standin.Hub) { s.Claim = 1 << 55 }, [2]string{}, nil, exitHost, "HF_HUB_CACHE"},
		{"blank flag", nil, [2]string{}, []string{"--model", ""}, exitUsage, "--model: blank"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			h, _ := hubHost(t, tc.edit)
			if tc.set[0] != "" {
				h.set(tc.set[0], tc.set[1])
			}
			o := h.pull(tc.args...)
			if o.code != tc.code || !strings.Contains(o.stderr, tc.want) || o.stdout != "" {
				t.Errorf("exit %d, want %d and %q in:\n%s%s", o.code, tc.code, tc.want, o.stdout, o.stderr)
			}
		})
	}
}

func TestPullLeavesTheEnginesOwnModelsToIt(t *testing.T) {
	t.Parallel()
	h, hub := hubHost(t, nil)
	o := h.llem("pull", h.config("model: reference/tiny\n"), "--image", image, "--json")
	var p pulled
	decodeJSON(t, o.stdout, &p)
	if o.code != exitDone || p.Model != nil || len(hub.Asked()) > 0 {
		t.Errorf("exit %d, %s\n%s", o.code, o.stdout, o.stderr)
	}
}

func TestPullForARunningServerBringsTheTokenizer(t *testing.T) {
	t.Parallel()
	h, hub := hubHost(t, nil)
	o := h.llem("pull", h.config("model: owner/name\nengine: {endpoint: 'http://127.0.0.1:1', name: vllm}\n"), "--json")
	var p pulled
	decodeJSON(t, o.stdout, &p)
	if o.code != exitDone || p.Image != nil || p.Model == nil || p.Model.Files != 2 || hub.Served() > 1000 {
		t.Errorf("exit %d, %s\n%s", o.code, o.stdout, o.stderr)
	}
}
