package stats

import (
	"math"
	"strconv"
	"strings"
)

// Fixed prints v with so many digits behind the point; below 0 it is rounded before
// the point: -2 is to whole hundreds. What rounds to zero has no sign.
func Fixed(v float64, digits int) string {
	if digits < 0 {
		scale := math.Pow10(-digits)
		v, digits = math.Round(v/scale)*scale, 0
	}
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if v <= 0 && !math.IsInf(v, 0) && strings.Trim(text, "-0.") == "" {
		return strings.TrimPrefix(text, "-")
	}
	return text
}
