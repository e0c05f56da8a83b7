package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/peer"
	"github.com/llenergymeasure/llem/internal/result"
)

// oneRequest writes a run of one request, which took 10 ms to its first token and 20 to its last.
func oneRequest(t *testing.T, h *host) string {
	t.Helper()
	s, err := result.Create(h.path("out"), "asked", time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	ns := func(ms int64) *int64 { v := ms * int64(time.Millisecond); return &v }
	rows := []result.RequestRow{{
		SentNS: ns(0), FirstByteNS: ns(10), FirstTokenNS: ns(10), LastTokenNS: ns(20), EndNS: ns(25), InputTokens: new(int32(3)), OutputTokens: new(int32(2)),
		Status: "ok", FinishReason: "length", ChunkDeltaNS: []int64{*ns(10), *ns(10)}, ChunkTokens: []int32{1, 1},
	}}
	if err := s.PutRequests(slices.Values(rows)); err != nil {
		t.Fatal(err)
	}
	if err := s.PutRecord(&result.Record{SchemaVersion: result.SchemaVersion, ExperimentID: "a", Status: result.Completed, RequestsFile: result.RequestsFile}); err != nil {
		t.Fatal(err)
	}
	return s.Dir()
}

func TestShowAsPeers(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir := oneRequest(t, h)
	for _, name := range peer.Names() {
		of, _ := peer.Lookup(name)
		if o := h.llem("show", "--as", name, dir, dir); o.code != 0 || strings.Count(o.stdout, "as "+of.Title+" "+of.Version) != 2 {
			t.Errorf("--as %s: exit %d\n%s%s", name, o.code, o.stdout, o.stderr)
		}
	}
	var got struct {
		TTFT float64 `json:"mean_ttft_ms"`
		Llem struct{ Peer, Version, Result, Status string }
	}
	decodeJSON(t, h.llem("show", "--as", "vllm", "--json", dir).stdout, &got)
	if got.TTFT != 10 || got.Llem.Peer != "vllm" || got.Llem.Version == "" || got.Llem.Result != dir || got.Llem.Status != result.Completed {
		t.Errorf("got %+v", got)
	}
}

func TestShowAsRefusesWhatHasNoRequests(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir := oneRequest(t, h)
	empty, err := result.Create(h.path("empty"), "early", time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := empty.PutRequests(slices.Values([]result.RequestRow(nil))); err != nil {
		t.Fatal(err)
	}
	if err := empty.PutRecord(&result.Record{SchemaVersion: result.SchemaVersion, ExperimentID: "b", Status: result.Failed, RequestsFile: result.RequestsFile}); err != nil {
		t.Fatal(err)
	}
	h.llem("show", "--as", "vllm", empty.Dir()).says(t, exitUsage, "sent no request in its window: its status is failed")
	for name, text := range map[string]string{
		"command/" + result.RecordFile: `{"schema_version": "` + result.SchemaVersion + `", "command": ["true"], "runs": []}`,
		"gone/" + result.RecordFile:    `{"schema_version": "` + result.SchemaVersion + `", "experiment_id": "a", "requests_file": "` + result.RequestsFile + `"}`,
	} {
		if err := os.MkdirAll(filepath.Dir(h.path(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(h.path(name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"command": "tells of no requests",
		"gone":    "read " + h.path("gone/"+result.RequestsFile),
	} {
		h.llem("show", "--as", "vllm", h.path(name)).says(t, exitUsage, want)
	}
	if o := h.llem("show", "--as", "vllm", h.path("gone"), dir); o.code != exitUsage || !strings.Contains(o.stdout, "TTFT (ms)") {
		t.Errorf("one without requests hides another: exit %d\n%s", o.code, o.stdout)
	}
}
