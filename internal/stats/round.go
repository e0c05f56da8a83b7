package stats

import (
	"math"
	"strconv"
	"strings"
)

// mostDigits behind the point are printed: a nanojoule of a joule.
const mostDigits = 9

// Digits says how many digits behind the point a value bears whose interval is
// ± half: so many that half keeps two of its own. Below 0 they end before the
// point: -2 is whole hundreds. half is finite and above 0.
func Digits(half float64) int { return min(1-Exponent(half, 1), mostDigits) }

// NarrowDigits are those of the narrower of two half-widths beside the wider one:
// as many as that bears, but always one that is not 0, and two where it is a 1,
// since rounding that to one digit could halve it. Both are finite and above 0.
func NarrowDigits(narrow, wide float64) int {
	first := Exponent(narrow, 0)
	own := -first
	if narrow < 2*math.Pow10(first) {
		own++
	}
	return min(max(Digits(wide), own), mostDigits)
}

// Exponent is that of v in base ten once v is rounded to digits behind its first.
func Exponent(v float64, digits int) int {
	s := strconv.FormatFloat(v, 'e', digits, 64)
	n, _ := strconv.Atoi(s[strings.IndexByte(s, 'e')+1:]) // the format has it
	return n
}
