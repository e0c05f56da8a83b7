package load

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A histogram's quantiles are those of the sample, to a 64th part.
func TestAHistogramKnowsItsSample(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SliceOfN(rapid.Int64Range(0, math.MaxInt64/1024), 1, 200).Draw(t, "durations")
		var h histogram
		var sum float64
		for _, d := range v {
			h.add(time.Duration(d), 1)
			sum += float64(d)
		}
		slices.Sort(v)
		for _, q := range []float64{0.5, 0.9, 0.99} {
			want := v[int(math.Ceil(q*float64(len(v))))-1]
			if got := int64(h.quantile(q)); got < want || got > want+want/64 {
				t.Errorf("quantile %g of %v is %d, want %d", q, v, got, want)
			}
		}
		s := h.summary()
		if s.N != len(v) || s.Max != ms(time.Duration(slices.Max(v))) || cmp.Compare(math.Abs(s.Mean*1e6*float64(len(v))-sum), sum/1e9+1) > 0 {
			t.Errorf("%+v of %v", s, v)
		}
	})
}

func TestBucketsAreInOrder(t *testing.T) {
	for i := 1; i < len(histogram{}.counts)-1; i++ {
		if edge(i) <= edge(i-1) || bucket(edge(i)) != i || bucket(edge(i)-1) != i-1 {
			t.Fatalf("bucket %d begins at %d, the one before at %d", i, edge(i), edge(i-1))
		}
	}
}

func TestTheAuditCountsCollections(t *testing.T) {
	a := StartAudit()
	for range 3 {
		runtime.GC()
	}
	if got := a.Stop(); got.GC == nil || got.GC.N < 3 || got.GC.Max <= 0 {
		t.Errorf("pauses %+v of three collections", got.GC)
	}
}
