package stats

import (
	"math"
	"slices"
	"testing"
)

func TestIntervalIsStudents(t *testing.T) {
	// Five values: t(0.975, 4) = 2.776.
	mean, half, ok := Interval([]float64{10, 12, 11, 13, 14})
	if want := 2.7764451 * math.Sqrt(2.5/5); !ok || mean != 12 || math.Abs(half-want) > 1e-6 {
		t.Errorf("%g ± %g, %v; want 12 ± %g", mean, half, ok, want)
	}
	for _, v := range [][]float64{nil, {1}, {1, math.NaN()}} {
		if _, _, ok := Interval(v); ok {
			t.Errorf("an interval of %v", v)
		}
	}
}

func TestSummarise(t *testing.T) {
	v := make([]float64, 100)
	for i := range v {
		v[i] = float64(100 - i) // 100 … 1
	}
	before := slices.Clone(v)
	got := Summarise(v)
	want := Summary{N: 100, Mean: 50.5, P50: 50, P90: 90, P95: 95, P99: 99, Max: 100}
	if got == nil || *got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if !slices.Equal(v, before) {
		t.Error("the sample was changed")
	}
}

func TestSummariseOfNothingOrNonsenseIsUnknown(t *testing.T) {
	for _, v := range [][]float64{nil, {1, math.NaN()}, {math.Inf(1)}} {
		if got := Summarise(v); got != nil {
			t.Errorf("Summarise(%v) = %+v, want nil", v, got)
		}
	}
}

func TestCV(t *testing.T) {
	// 8 and 12: mean 10, sample standard deviation √8.
	if cv, ok := CV([]float64{8, 12}); !ok || math.Abs(cv-math.Sqrt(8)/10) > 1e-12 {
		t.Errorf("CV = %v, %v", cv, ok)
	}
	for _, v := range [][]float64{nil, {1}, {-1, 1}, {1, math.NaN()}} {
		if _, ok := CV(v); ok {
			t.Errorf("CV(%v) is known", v)
		}
	}
}
