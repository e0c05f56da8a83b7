package main

import "strconv"

// sizeOf prints a number of bytes as docker does, in powers of 1000 and up to
// three digits. A negative one is not known.
func sizeOf(bytes int64) string {
	if bytes < 0 {
		return "size unknown"
	}
	v, units := float64(bytes), []string{"B", "kB", "MB", "GB", "TB"}
	for ; v >= 999.5 && len(units) > 1; units = units[1:] {
		v /= 1000
	}
	digits := 0
	if units[0] != "B" && v < 99.95 {
		digits = 1
	}
	return strconv.FormatFloat(v, 'f', digits, 64) + " " + units[0]
}
