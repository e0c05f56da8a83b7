package main

import (
	"math"
	"testing"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// What came within an SLO stands in the record, the table and the export, and comes
// out again from the files.
func TestGoodputOfARun(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 100})
	config := func(slo string) string {
		return h.config("model: reference/tiny\nengine: {image: " + image + ", args: {x-pace: 10}}\nworkload: {prompts: 12, max_output_tokens: 40, load: {pattern: constant, rate_per_second: 4}}\nslo: {" + slo + "}\n")
	}
	h.llem("run", "--quick", "-o", h.path("out"), config("ttft: 5")).refused(t, exitUsage, "slo.ttft", "ttft_ms")
	// Answers take 40 × 10 ms, so that none is good within 100 ms, and all are in a minute.
	all := h.llem("run", "--quick", "-o", h.path("out"), config("ttft_ms: 60000, tpot_ms: 60000, e2e_ms: 60000"))
	r, dir := all.record(t), all.dirs[0]
	if s := r.SLO; all.code != exitDone || s == nil || *s.RequestsGood != 12 || *s.OutputTokensGood != 480 || math.Abs(*s.EnergyPerGoodTokenJ-*r.EnergyPerOutputToken) > 1e-12 || *s.UEnergyPerGoodTokenJ <= 0 {
		t.Errorf("exit %d, all: %+v\n%s", all.code, r.SLO, all.stderr)
	}
	all.prints(t, "within the SLO", "12 of 12 requests (TTFT", "J/good")
	if o := h.llem("verify", dir); o.code != exitDone {
		t.Errorf("verify: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	none := h.llem("run", "--quick", "-o", h.path("out"), config("e2e_ms: 100"))
	if s := none.records[1].SLO; s == nil || *s.RequestsGood != 0 || s.EnergyPerGoodTokenJ != nil || s.TTFTMS != nil {
		t.Errorf("none: %+v", s)
	}
}
