package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/stats"
)

// hard marks a space at which no line is broken, until the document is written.
const hard = "\u00a0"

// group parts thousands, until the document is written: a terminal shows a space, a pipe
// nothing, so that scripts read a number.
const group = "\ue000"

// decimal is a number with its digits decided.
type decimal struct {
	value      float64
	digits     int  // behind the point; below 0 it is rounded before the point
	scientific bool // with an exponent; digits are then those of the mantissa
}

func (d decimal) String() string {
	if d.scientific {
		return strconv.FormatFloat(d.value, 'e', d.digits, 64)
	}
	return fixed(d.value, d.digits)
}

// zero says that no digit but 0 is printed.
func (d decimal) zero() bool { return strings.Trim(d.String(), "-0.") == "" }

// figure is a number in its unit, with what is known of its uncertainty. nil is one that
// is not known, a dash.
type figure struct {
	decimal
	signed    bool   // a plus sign is before what is above 0
	unit      string // may be empty
	invalid   bool   // it is not to be believed
	intervals []interval
}

// interval is half of a 95 % interval, in the figure's unit; a value of 0 is not known.
type interval struct {
	decimal
	name string // empty where it is the only one
}

func (f *figure) String() string {
	if f == nil {
		return "–"
	}
	text := f.decimal.String()
	if f.signed && f.value > 0 && !f.zero() {
		text = "+" + text
	}
	if len(f.intervals) == 1 && f.intervals[0].name == "" {
		text += " ± " + f.intervals[0].String()
	}
	if f.unit != "" {
		text += " " + f.unit
	}
	if f.invalid {
		text += " INVALID"
	}
	text = strings.ReplaceAll(text, " ", hard)
	for i, half := range f.intervals {
		named := "± " + half.String() + " " + half.name
		switch {
		case half.name == "":
			continue
		case half.value == 0:
			named = half.name + " not known"
		}
		// No line ends between two of them: the first alone would look too sure.
		text += []string{", ", "," + hard}[min(i, 1)] + strings.ReplaceAll(named, " ", hard)
	}
	return text
}

// value has four significant digits, and an exponent only where zeros would be all
// there is to see.
func value(v float64, unit string) *figure {
	f := &figure{unit: unit}
	switch a := math.Abs(v); {
	case a == 0:
	case a < 1e-6 || a >= 1e15:
		f.decimal = decimal{v, 3, true}
	default:
		f.decimal = decimal{v, numberDigits(v), false}
	}
	return f
}

// numberDigits are those behind the point that [value] has.
func numberDigits(v float64) int { return max(0, 3-stats.Exponent(v, 3)) }

// unit is [value] of what may not be known.
func unit(v *float64, u string) *figure {
	if v == nil {
		return nil
	}
	return value(*v, u)
}

// plusMinus is v ± k·u/n with the digits that u leaves.
func plusMinus(v, u *float64, k, n float64, name string) *figure {
	if v == nil || u == nil {
		return unit(v, name)
	}
	half := k * *u / n
	if !isWidth(half) {
		return unit(v, name)
	}
	digits := stats.Digits(half)
	return &figure{decimal: decimal{*v, digits, false}, unit: name, intervals: []interval{{decimal: decimal{half, digits, false}}}}
}

// isWidth says whether half can stand after ±.
func isWidth(half float64) bool { return half > 0 && !math.IsInf(half, 1) }

// short has three significant digits at most: what was set, or need not be known to more.
func short(v float64, unit string) *figure {
	f := value(v, unit)
	if f.scientific || v == 0 {
		return f
	}
	if f.digits = max(0, 2-stats.Exponent(v, 2)); f.digits > 0 {
		text := stats.Fixed(v, f.digits)
		f.digits -= len(text) - len(strings.TrimRight(text, "0"))
	}
	return f
}

// signed is [short] with its sign.
func signed(v float64, unit string) *figure {
	f := short(v, unit)
	f.signed = true
	return f
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

// percent is a share with its sign and two digits behind the point: +0.25 %, and
// 0.00 % for what is less.
func percent(share float64) *figure {
	return &figure{decimal: decimal{100 * share, 2, false}, signed: true, unit: "%"}
}

// share is part as a percentage of whole.
func share(part *float64, whole float64) *figure {
	if part == nil {
		return nil
	}
	return short(100**part/whole, "%")
}

func seconds(v float64) *figure { return short(v, "s") }

// age has seconds as a person would say them.
func age(v float64) *figure {
	switch {
	case v < 120:
		return seconds(v)
	case v < 7200:
		return short(math.Round(v/60), "min")
	}
	return short(v/3600, "h")
}

// si has a decimal prefix.
func si(v *float64, u string) *figure { return siBoth(v, widths{}, u) }

// siBoth is [both] with a decimal prefix.
func siBoth(v *float64, w widths, name string) *figure {
	if v == nil {
		return nil
	}
	scale, prefix := 1.0, ""
	for _, next := range []string{"k", "M", "G", "T", "P", "E"} {
		if math.Abs(*v/scale) < 999.95 {
			break
		}
		scale, prefix = scale*1000, next
	}
	x := *v / scale
	return both(&x, widths{w.repeatability / scale, w.absolute / scale}, prefix+name)
}

// count is a count, or nil where it is not known.
func count(n *int64) *figure {
	if n == nil {
		return nil
	}
	return whole(float64(*n), "")
}

// countOr is a count, or a word for one that is not known.
func countOr[N int | int64](n *N, unknown string) prose {
	if n == nil {
		return say(unknown)
	}
	return say("%s", whole(float64(*n), ""))
}

// whole is a count as it is, and another number to four digits.
func whole(v float64, unit string) *figure {
	if v == float64(int64(v)) {
		return &figure{decimal: decimal{value: v}, unit: unit}
	}
	return value(v, unit)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1" + hard + noun
	}
	return fmt.Sprintf("%d"+hard+"%ss", n, noun)
}

// both is a figure in its unit, with each interval by its name.
func both(v *float64, w widths, name string) *figure { return bothAs(v, w, name, "repeatability") }

// bothAs is both where the first interval has another name. It is rounded to the digits
// that the wider interval bears. Where the absolute one is not known, it has no more
// than [value] has.
func bothAs(v *float64, w widths, name, repeatability string) *figure {
	f := unit(v, name)
	if f == nil || !w.known() {
		return f
	}
	wide := max(w.repeatability, w.absolute)
	digits := stats.Digits(wide)
	if w.absolute == 0 {
		digits = min(digits, numberDigits(*v))
	}
	f.decimal = decimal{*v, digits, false}
	f.intervals = []interval{{beside(w.repeatability, wide), repeatability}, {beside(w.absolute, wide), "absolute"}}
	return f
}

// stated are a figure without its intervals, then each of these: nil is not known.
func stated(v *float64, w widths) [3]*figure {
	f := both(v, w, "")
	out := [3]*figure{f}
	if f == nil {
		return out
	}
	for i, half := range f.intervals {
		if half.value > 0 {
			out[1+i] = &figure{decimal: half.decimal}
		}
	}
	f.intervals = nil
	return out
}

// beside is one of two half-widths, of which wide is the wider.
func beside(half, wide float64) decimal {
	if half == 0 {
		return decimal{}
	}
	d := decimal{half, stats.Digits(wide), false}
	if half < wide {
		d.digits = stats.NarrowDigits(half, wide)
	}
	if d.zero() {
		return decimal{half, 0, true}
	}
	return d
}
