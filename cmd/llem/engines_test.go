package main

import (
	"regexp"
	"testing"

	"github.com/llenergymeasure/llem/internal/engine"
)

func TestEnginesAreListed(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	var rows []engineRow
	o := h.llem("engines", "--json")
	decodeJSON(t, o.stdout, &rows)
	if o.code != 0 || len(rows) != len(engine.Names()) {
		t.Fatalf("exit %d, %d engines, want %d", o.code, len(rows), len(engine.Names()))
	}
	for _, r := range rows {
		if r.Name == "ollama" && (r.TokenIDs || r.IgnoreEOS || r.Upstream != "ollama/ollama") {
			t.Errorf("%+v", r)
		}
		if (r.UpstreamCPU != "") != (r.Name == "vllm") {
			t.Errorf("%s: without a GPU %q", r.Name, r.UpstreamCPU)
		}
		if r.Versions == "" {
			t.Errorf("%s: it was written for no version", r.Name)
		}
	}
	table := h.llem("engines").stdout
	for _, line := range []string{`(?m)^vllm +yes +yes +\S.* vllm/vllm-openai$`, `(?m)^ollama +no +no `, `(?m)^reference +yes +yes +this one +-$`} {
		if !regexp.MustCompile(line).MatchString(table) {
			t.Errorf("no line %s in\n%s", line, table)
		}
	}
}
