package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/stats"
)

// hard stands for a space at which no line is broken, until the table is
// written.
const hard = "\u00a0"

// group parts thousands, until the table is written: a terminal shows a space, a pipe
// nothing, so that scripts read a number.
const group = "\ue000"

// unit prints a value with four significant digits, or a dash.
func unit(v *float64, u string) string {
	if v == nil {
		return "–"
	}
	return number(*v) + hard + u
}

// plusMinus prints v ± k·u/n with the digits that u leaves.
func plusMinus(v, u *float64, k, n float64, name string) string {
	if v == nil || u == nil {
		return unit(v, name)
	}
	half := k * *u / n
	if !isWidth(half) {
		return unit(v, name)
	}
	digits := stats.Digits(half)
	return fixed(*v, digits) + hard + "±" + hard + fixed(half, digits) + hard + name
}

// isWidth says whether half can stand after ±.
func isWidth(half float64) bool { return half > 0 && !math.IsInf(half, 1) }

// number prints about four significant digits; an exponent only where zeros
// would be all there is to see.
func number(v float64) string {
	a := math.Abs(v)
	switch {
	case a == 0:
		return "0"
	case a < 1e-6 || a >= 1e15:
		return strconv.FormatFloat(v, 'e', 3, 64)
	}
	return fixed(v, numberDigits(v))
}

// numberDigits are those behind the point that number prints.
func numberDigits(v float64) int { return max(0, 3-stats.Exponent(v, 3)) }

// short prints three significant digits at most: what was set, or need not be
// known to more.
func short(v float64) string {
	s := number(v)
	if a := math.Abs(v); a >= 1e-6 && a < 1e15 {
		s = fixed(v, max(0, 2-stats.Exponent(v, 2)))
	}
	if strings.Contains(s, ".") && !strings.Contains(s, "e") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// settled is a text that is kept or printed as it is: with plain spaces and numbers.
func settled(s string) string { return strings.NewReplacer(hard, " ", group, "").Replace(s) }

// fixed prints digits behind the point, and thousands apart: 12 345.6. Zero has no
// sign. Below 0 digits are rounded before the point, as by stats.Fixed.
func fixed(v float64, digits int) string {
	s, below := strings.CutPrefix(stats.Fixed(v, digits), "-")
	whole, rest, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + group + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	if below {
		return "-" + whole
	}
	return whole
}

// percent prints a share with its sign and two digits behind the point: +0.25 %, and
// 0.00 % for what is less.
func percent(share float64) string {
	text := fixed(100*share, 2)
	if strings.Trim(text, "-0.") != "" && share > 0 {
		text = "+" + text
	}
	return text + hard + "%"
}

func grouped(n int64) string { return fixed(float64(n), 0) }

func seconds(v float64) string { return short(v) + hard + "s" }

// age prints seconds as a person would say them.
func age(v float64) string {
	switch {
	case v < 120:
		return seconds(v)
	case v < 7200:
		return short(math.Round(v/60)) + hard + "min"
	}
	return short(v/3600) + hard + "h"
}

// si prints with a decimal prefix.
func si(v *float64, u string) string {
	if v == nil {
		return "–"
	}
	scale, prefix := decimal(*v)
	return strings.TrimSuffix(number(*v/scale)+hard+prefix+u, hard)
}

// siBoth is [both] with a decimal prefix.
func siBoth(v *float64, w widths, name string) string {
	if v == nil || !w.known() {
		return si(v, name)
	}
	scale, prefix := decimal(*v)
	x := *v / scale
	return both(&x, widths{w.repeatability / scale, w.absolute / scale}, prefix+name)
}

// decimal is the power of 1000 that v is best printed in.
func decimal(v float64) (scale float64, prefix string) {
	scale = 1
	for _, next := range []string{"k", "M", "G", "T", "P", "E"} {
		if math.Abs(v/scale) < 999.95 {
			break
		}
		scale, prefix = scale*1000, next
	}
	return scale, prefix
}

func count(n *int64) string {
	if n == nil {
		return "–"
	}
	v := float64(*n)
	return si(&v, "")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1" + hard + noun
	}
	return fmt.Sprintf("%d"+hard+"%ss", n, noun)
}

// countOr is a count, or a word for one that is unknown.
func countOr(n *int64, unknown string) string {
	if n == nil {
		return unknown
	}
	return grouped(*n)
}

// bare is a count as scripts read it; "unknown" for one that is.
func bare(n *int64) string {
	if n == nil {
		return "unknown"
	}
	return strconv.FormatInt(*n, 10)
}

func wide(n *int) *int64 {
	if n == nil {
		return nil
	}
	w := int64(*n)
	return &w
}
