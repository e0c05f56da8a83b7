package stats_test

import (
	"fmt"

	"github.com/llenergymeasure/llem/internal/stats"
)

func ExampleSummarise() {
	s := stats.Summarise([]float64{21, 19, 24, 20, 180})
	fmt.Printf("n %d, mean %.1f, p50 %g, p99 %g, max %g\n", s.N, s.Mean, s.P50, s.P99, s.Max)
	// Output:
	// n 5, mean 52.8, p50 21, p99 180, max 180
}

func ExampleCV() {
	cv, ok := stats.CV([]float64{1.02, 0.99, 1.01, 0.98, 1.00})
	fmt.Printf("%.3f %v\n", cv, ok)
	// Output:
	// 0.016 true
}

func ExampleInterval() {
	mean, half, ok := stats.Interval([]float64{0.992, 1.001, 1.007})
	fmt.Printf("%.3f ± %.3f J/token, %v\n", mean, half, ok)
	// Output:
	// 1.000 ± 0.019 J/token, true
}

// Two points ran in turns while the machine warmed up: the order lets a straight line
// of drift be taken out. In blocks it does not.
func ExampleArrange() {
	turns := stats.Arrange([]stats.Run{{At: 0}, {At: 1, Second: true}, {At: 2, Second: true}, {At: 3}, {At: 4}, {At: 5, Second: true}})
	d, ok := turns.Difference([]float64{1.000, 0.951, 0.962, 1.031, 1.040, 0.990})
	low, high := d.Interval(0.05)
	fmt.Printf("%s: %.1f %% (%.1f to %.1f %%), %s, %v\n", turns.Method, 100*d.Relative(), 100*low, 100*high, d.Verdict(0.05), ok)

	blocks := stats.Arrange([]stats.Run{{At: 0}, {At: 1}, {At: 2}, {At: 3, Second: true}, {At: 4, Second: true}, {At: 5, Second: true}})
	fmt.Println("blocks refused:", blocks.Refused)
	// Output:
	// trend: -5.8 % (-6.1 to -5.5 %), less, true
	// blocks refused: true
}

func ExampleHolm() {
	for i, level := range stats.Holm([]float64{0.001, 0.04, 0.02}, 0.05) {
		fmt.Printf("comparison %d is judged at %.4f\n", i+1, level)
	}
	// Output:
	// comparison 1 is judged at 0.0167
	// comparison 2 is judged at 0.0500
	// comparison 3 is judged at 0.0250
}

func ExampleDifference_Repeats() {
	d, _ := stats.Welch([]float64{1.00, 1.02, 0.99}, []float64{0.99, 1.00, 0.97})
	n, ok := d.Repeats(0.05, 0.8)
	fmt.Println(d.Verdict(0.05), n, ok)
	// Output:
	// no_difference_shown 15 true
}

func ExamplePareto() {
	joulesPerToken, tokensPerSecond := []float64{1.0, 0.8, 0.9}, []float64{700, 500, 450}
	fmt.Println(stats.Pareto(joulesPerToken, tokensPerSecond))
	// Output:
	// [true true false]
}

// Two points whose runs nothing pairs.
func ExampleWelch() {
	d, ok := stats.Welch([]float64{1.000, 1.004, 0.997}, []float64{0.931, 0.927, 0.925})
	low, high := d.Interval(0.05)
	fmt.Printf("%.1f %% (%.1f to %.1f %%), %s, %v\n", 100*d.Relative(), 100*low, 100*high, d.Verdict(0.05), ok)
	// Output:
	// -7.3 % (-8.0 to -6.5 %), less, true
}

// A value has the digits that its interval bears; the narrower of two intervals has one
// that is not 0.
func ExampleDigits() {
	const value, absolute, repeatability = 5.99442, 0.346, 0.00062
	fmt.Println(stats.Fixed(value, stats.Digits(absolute)), "±", stats.Fixed(absolute, stats.Digits(absolute)))
	fmt.Println("±", stats.Fixed(repeatability, stats.NarrowDigits(repeatability, absolute)))
	// Output:
	// 5.99 ± 0.35
	// ± 0.0006
}

// Below 0 the digits end before the point.
func ExampleFixed() {
	fmt.Println(stats.Fixed(25432.1, -2), stats.Fixed(-0.004, 2))
	// Output:
	// 25400 0.00
}

// Runs that get slower throughout, whichever point they are of.
func ExampleOrder_Drift() {
	turns := stats.Arrange([]stats.Run{{At: 0}, {At: 1, Second: true}, {At: 2, Second: true}, {At: 3}, {At: 4}, {At: 5, Second: true}})
	d := turns.Drift([]float64{1.00, 0.97, 0.98, 1.06, 1.08, 1.05})
	fmt.Printf("%v: %.1f %% from the first to the last, of chance: %v\n", d.Known, 100*d.Trend, d.TrendP > 0.05)
	// Output:
	// true: 10.0 % from the first to the last, of chance: false
}

// On another card the gain of its sensor may be all of a difference.
func ExampleDifference_With() {
	d, _ := stats.Welch([]float64{1.00, 1.01, 0.99}, []float64{0.95, 0.96, 0.94})
	fmt.Println(d.Verdict(0.05), d.With(0.06).Verdict(0.05))
	// Output:
	// less no_difference_shown
}
