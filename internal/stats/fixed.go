package stats

import (
	"math"
	"strconv"
	"strings"
)

// Fixed prints v with so many digits behind the point. What rounds to zero has no
// sign.
func Fixed(v float64, digits int) string {
	text := strconv.FormatFloat(v, 'f', digits, 64)
	if v <= 0 && !math.IsInf(v, 0) && strings.Trim(text, "-0.") == "" {
		return strings.TrimPrefix(text, "-")
	}
	return text
}
