package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
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
	return fixed(*v, digits(half)) + hard + within(half, name)
}

// within prints ± half with two significant digits.
func within(half float64, name string) string {
	return "±" + hard + fixed(half, digits(half)) + hard + name
}

// isWidth says whether half can stand after ±.
func isWidth(half float64) bool { return half > 0 && !math.IsInf(half, 1) }

// digits are those behind the point that half is known to.
func digits(half float64) int { return min(max(0, 1-exponent(half, 1)), 9) }

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
	return fixed(v, max(0, 3-exponent(v, 3)))
}

// short prints three significant digits at most: what was set, or need not be
// known to more.
func short(v float64) string {
	s := number(v)
	if a := math.Abs(v); a >= 1e-6 && a < 1e15 {
		s = fixed(v, max(0, 2-exponent(v, 2)))
	}
	if strings.Contains(s, ".") && !strings.Contains(s, "e") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// exponent is that of v in base ten once v is rounded to digits behind its
// first.
func exponent(v float64, digits int) int {
	s := strconv.FormatFloat(v, 'e', digits, 64)
	n, _ := strconv.Atoi(s[strings.IndexByte(s, 'e')+1:]) // the format has it
	return n
}

// settled is a text that is kept or printed as it is: with plain spaces and numbers.
func settled(s string) string { return strings.NewReplacer(hard, " ", group, "").Replace(s) }

// fixed prints digits behind the point, and thousands apart: 12 345.6. Zero has no
// sign.
func fixed(v float64, digits int) string {
	s := strconv.FormatFloat(math.Abs(v), 'f', digits, 64)
	whole, rest, _ := strings.Cut(s, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + group + whole[i:]
	}
	if rest != "" {
		whole += "." + rest
	}
	if v < 0 && strings.Trim(s, "0.") != "" {
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

// siPlusMinus prints v ± k·u with a decimal prefix.
func siPlusMinus(v, u *float64, k float64, name string) string {
	if v == nil || u == nil {
		return si(v, name)
	}
	scale, prefix := decimal(*v)
	x, half := *v/scale, *u/scale
	return plusMinus(&x, &half, k, 1, prefix+name)
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
