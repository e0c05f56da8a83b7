package main

import (
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
)

// The result in testdata/older was written by an llem before schema_version 1.1, with
// fewer columns and another estimator. It is read and verified as before; what is changed
// in it is found as far as it was.
func TestOlderResultsAreReadAndVerified(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	stripped := func(f *forgery) {
		delete(f.r, "record_sha256")
		delete(f.get("tokens").(map[string]any), "input_source")
		f.encode()
	}
	for name, c := range map[string]struct {
		do       func(f *forgery)
		says     string
		code     int
		show     int
		verified string // of the energy
	}{
		"as it was written":     {func(*forgery) {}, "ok       result.json              as it was written", exitDone, exitDone, "another, computes"},
		"without its checksums": {stripped, "ok       result.json              not checked", exitDone, exitDone, "another, computes"},
		"less energy":           {func(f *forgery) { f.times(0.9, "energy_total_j", "energy.per_gpu[0].energy_j"); f.seal() }, "differs  energy_total_j", exitFailed, exitDone, ""},
		"more tokens":           {func(f *forgery) { f.times(2, "tokens.output"); f.seal() }, "differs  tokens.output", exitFailed, exitDone, ""},
		"a key of now":          {func(f *forgery) { f.r["engine"].(map[string]any)["context_length"] = nil; f.seal() }, "differs  result.json", exitFailed, exitFailed, ""},
		"another version":       {func(f *forgery) { f.set("schema_version", result.SchemaVersion); f.seal() }, "differs  result.json", exitFailed, exitFailed, ""},
	} {
		f := forge(t, "testdata/older")
		c.do(f)
		v := h.llem("verify", f.dir)
		if v.code != c.code || !strings.Contains(v.stdout, c.says) || !strings.Contains(v.stdout, c.verified) {
			t.Errorf("%s: exit %d, want %d and %q\n%s%s", name, v.code, c.code, c.says, v.stdout, v.stderr)
		}
		if o := h.llem("show", f.dir); o.code != c.show || !strings.Contains(o.stdout, "J per output token") && c.show == exitDone {
			t.Errorf("%s: show: exit %d\n%s%s", name, o.code, o.stdout, o.stderr)
		}
	}
}
