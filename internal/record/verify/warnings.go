package verify

import (
	"fmt"
	"slices"
	"strings"
)

// warnings holds the record's warnings to those that are made again, in any order. Of
// another llem's, whose words may be others, the codes are compared, and how often each
// is there.
func (c *comparison) warnings() (out []Finding) {
	if c.r.Older() || c.unread {
		return nil
	}
	word := func(text string) string { return text }
	if c.r.LlemVersion != c.version {
		word = func(text string) string { code, _, _ := strings.Cut(text, ": "); return code }
	}
	left := map[string]int{}
	for _, text := range c.r.MeasurementWarnings {
		left[word(text)]++
	}
	for _, text := range c.recomputed.MeasurementWarnings {
		left[word(text)]--
	}
	var lacking, added []string
	for text, n := range left {
		switch {
		case n < 0:
			lacking = append(lacking, text)
		case n > 0:
			added = append(added, text)
		}
	}
	slices.Sort(lacking)
	slices.Sort(added)
	for _, text := range lacking {
		out = append(out, Finding{"measurement_warnings", false, fmt.Sprintf("the record lacks %q%s", text, c.otherVersion())})
	}
	for _, text := range added {
		out = append(out, Finding{"measurement_warnings", false, fmt.Sprintf("nothing gives %q%s", text, c.otherVersion())})
	}
	return out
}
