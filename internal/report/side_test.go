package report

import (
	"bytes"
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
)

// side is the table of records, each shown under its directory's name.
func side(t *testing.T, records ...*result.Record) string {
	t.Helper()
	var list []Entry
	for i, r := range records {
		list = append(list, Entry{Record: r, Dir: "results/" + Letter(i)})
	}
	var b bytes.Buffer
	if err := Side(list).Write(&b, Options{Grouped: true}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// other is full by another engine.
func other() *result.Record {
	r := full()
	r.Name, r.Engine.Name, r.Engine.Version = "llama31-8b-sglang", "sglang", p("0.5.16")
	r.EnergyTotalJ, r.EnergyPerOutputToken, r.TokensPerSecond = p(27001.0), p(1.0547), p(688.1)
	r.Energy.URepeatabilityJ = p(21.0)
	return r
}

func TestResultsStandBesideEachOther(t *testing.T) {
	golden(t, "side", side(t, full(), other()))
}

func TestResultsThatCannotBeComparedSaySo(t *testing.T) {
	bad := other()
	bad.Requests.PromptChecksum, bad.Model.ID, bad.Energy.Scope, bad.Energy.Valid, bad.Tokens.Output = "sha256:other", "m", "host", false, p(int64(9))
	bad.Environment.GPUs = nil
	failed := full()
	failed.Status, failed.EnergyTotalJ, failed.FLOPs, failed.MeasurementWarnings = result.Failed, nil, nil, nil
	failed.Latency = result.Latency{}
	golden(t, "side_unlike", side(t, full(), bad, failed, other()))
}
