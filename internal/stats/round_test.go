package stats

import "testing"

func TestDigitsThatAnIntervalBears(t *testing.T) {
	for _, c := range []struct {
		half float64
		want int
	}{
		{0.0006, 5}, {0.35, 2}, {0.0996, 2}, {0.0994, 3}, {4.7, 1}, {9.96, 0}, {47, 0}, {128, -1}, {996, -2}, {1474, -2}, {1e-12, 9},
	} {
		if got := Digits(c.half); got != c.want {
			t.Errorf("Digits(%g) is %d, want %d", c.half, got, c.want)
		}
	}
}

func TestTheNarrowerIntervalHasADigitOfItsOwn(t *testing.T) {
	for _, c := range []struct {
		narrow, wide float64
		want         int
	}{
		{0.00062, 0.35, 4},   // 0.0006
		{0.00014, 0.35, 5},   // 0.00014: 0.0001 would be a third less
		{0.00096, 0.35, 4},   // 0.0010
		{0.0156, 0.058, 3},   // 0.016, as the wider one
		{0.3, 0.35, 2},       // 0.30
		{128, 1474, -1},      // 130
		{300, 1474, -2},      // 300
		{4.7, 1474, 0},       // 5
		{1e-12, 0.35, 9},     // no more than a nanojoule
		{0.058, 0.058, 3},    // as wide
		{0.0006, 0.00061, 5}, // 0.00060
	} {
		if got := NarrowDigits(c.narrow, c.wide); got != c.want {
			t.Errorf("NarrowDigits(%g, %g) is %d, want %d", c.narrow, c.wide, got, c.want)
		}
	}
}
