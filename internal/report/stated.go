package report

import (
	"math"
	"strconv"
	"strings"

	"github.com/llenergymeasure/llem/internal/stats"
)

// widths are half of a figure's two 95 % intervals: on one card, and with the gain
// of its sensor besides. 0 is not known.
type widths struct{ repeatability, absolute float64 }

// widthsOf are k·u/n; what cannot be a width is not known.
func widthsOf(repeatability, absolute *float64, k, n float64) (w widths) {
	for _, c := range []struct {
		u  *float64
		to *float64
	}{{repeatability, &w.repeatability}, {absolute, &w.absolute}} {
		if c.u != nil && isWidth(k**c.u/n) {
			*c.to = k * *c.u / n
		}
	}
	return w
}

func (w widths) known() bool { return w.repeatability > 0 || w.absolute > 0 }

// stated is a figure as text, with half of each interval; a dash is not known.
type stated struct{ value, repeatability, absolute string }

// state rounds a figure to the digits that the wider interval bears. Where the
// absolute one is not known, it has no more than [number] would print.
func state(v *float64, w widths) stated {
	out := stated{"–", "–", "–"}
	if v == nil {
		return out
	}
	if out.value = number(*v); !w.known() {
		return out
	}
	wide := max(w.repeatability, w.absolute)
	digits := stats.Digits(wide)
	if w.absolute == 0 {
		digits = min(digits, numberDigits(*v))
	}
	out.value = fixed(*v, digits)
	if w.repeatability > 0 {
		out.repeatability = beside(w.repeatability, wide)
	}
	if w.absolute > 0 {
		out.absolute = beside(w.absolute, wide)
	}
	return out
}

// beside prints one of two half-widths, of which wide is the wider.
func beside(half, wide float64) string {
	digits := stats.Digits(wide)
	if half < wide {
		digits = stats.NarrowDigits(half, wide)
	}
	text := fixed(half, digits)
	if strings.Trim(text, "0.") == "" {
		return strconv.FormatFloat(half, 'e', 0, 64)
	}
	return text
}

// both prints a figure in its unit, and each interval by its name.
func both(v *float64, w widths, name string) string {
	return bothAs(v, w, name, "repeatability")
}

// bothAs is both where the first interval has another name.
func bothAs(v *float64, w widths, unit, repeatability string) string {
	s := state(v, w)
	out := s.value
	if v == nil {
		return out
	}
	out += hard + strings.ReplaceAll(unit, " ", hard)
	if !w.known() {
		return out
	}
	interval := func(half, name string) string {
		if half == "–" {
			return strings.ReplaceAll(name+" not known", " ", hard)
		}
		return strings.ReplaceAll("± "+half+" "+name, " ", hard)
	}
	// No line ends between the two: the first alone would look too sure.
	return out + ", " + interval(s.repeatability, repeatability) + "," + hard + interval(s.absolute, "absolute")
}

// gainWidth is the part of the absolute interval that the sensor's gain has, as a
// share of v; 0 where it is not known.
func gainWidth(v *float64, w widths) float64 {
	if v == nil || *v == 0 || !w.known() {
		return 0
	}
	return math.Sqrt(max(0, w.absolute*w.absolute-w.repeatability*w.repeatability)) / math.Abs(*v)
}

// withGain are the widths of a figure v that is known to k·u on one card, by a sensor
// whose gain is known to a share of v; 0 is not known.
func withGain(v, u *float64, k, share float64) widths {
	w := widthsOf(u, nil, k, 1)
	if v != nil && share > 0 && w.repeatability > 0 {
		w.absolute = math.Hypot(w.repeatability, share**v)
	}
	return w
}
