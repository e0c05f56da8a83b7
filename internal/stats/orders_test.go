package stats

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"
)

// way is a way of comparing, by another program; Widening is nil where drift may do
// anything.
type way struct {
	Log, Variance, DF float64
	Widening          *float64
}

// Differences, what drift does to them and what is seen of it are those that another
// program finds by matrices: testdata/orders.json, written by testdata/orders.py.
func TestOrdersAreNumPys(t *testing.T) {
	data, err := os.ReadFile("testdata/orders.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Order            string
		At, Values, Axis []float64
		Trend, Paired    *way
		Drift            struct {
			Trend, Dependence float64
			TrendP            float64 `json:"trend_p"`
			DependenceP       float64 `json:"dependence_p"`
		}
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	if len(cases) < 20 {
		t.Fatalf("%d cases", len(cases))
	}
	for i, c := range cases {
		runs := laid(c.Order, true)
		for j := range runs {
			runs[j].At = c.At[j]
		}
		name := fmt.Sprintf("case %d, %s", i, c.Order)
		same := func(what string, got, want float64) {
			t.Helper()
			if !near(got, want, 1e-12) {
				t.Errorf("%s: %s %g, want %g", name, what, got, want)
			}
		}
		o := Arrange(runs)
		for j, at := range c.Axis {
			same("axis", o.axis[j], at)
		}
		check := func(method string, e estimator, want *way) {
			t.Helper()
			got, w := e.of(o.logs(c.Values)), widening(e, o.axis)
			same(method, got.delta, want.Log)
			same(method+" variance", got.variance(), want.Variance)
			same(method+" df", got.df(), want.DF)
			if want.Widening == nil {
				want.Widening = new(math.Inf(1))
			}
			if w != *want.Widening {
				same(method+" widening", w, *want.Widening)
			}
		}
		check("trend", o.line, c.Trend)
		if p, ok := newPairs(runs, o.axis); ok {
			check("paired", p, c.Paired)
		} else if c.Paired != nil {
			t.Errorf("%s: no pairs", name)
		}
		d := o.Drift(c.Values)
		same("trend", d.Trend, c.Drift.Trend)
		same("p of trend", d.TrendP, c.Drift.TrendP)
		same("dependence", d.Dependence, c.Drift.Dependence)
		same("p of dependence", d.DependenceP, c.Drift.DependenceP)
	}
}
