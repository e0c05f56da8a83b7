package main

import (
	"cmp"
	"regexp"
	"strconv"
	"strings"
)

// fitsDriver says whether a driver has what an image asks for in its environment.
// NVIDIA_REQUIRE_CUDA is alternatives between spaces, each of terms between commas
// (NVIDIA Container Toolkit, "Specialized configurations"); terms of anything but
// cuda and driver are taken to hold. Without it CUDA_VERSION counts by its major
// number: within one, an older driver runs newer images (CUDA Compatibility, "minor
// version compatibility"). need is the image's own words.
func fitsDriver(env []string, driver, cuda string) (need string, ok bool) {
	vars := map[string]string{}
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		vars[name] = value
	}
	if require := vars["NVIDIA_REQUIRE_CUDA"]; require != "" && vars["NVIDIA_DISABLE_REQUIRE"] == "" {
		for alternative := range strings.FieldsSeq(require) {
			if holds(alternative, driver, cuda) {
				return "", true
			}
		}
		first, _, _ := strings.Cut(require, " ")
		return first + " (NVIDIA_REQUIRE_CUDA)", false
	}
	if v := vars["CUDA_VERSION"]; v != "" && compareVersions(major(v), major(cuda)) > 0 {
		return "CUDA " + v + " (CUDA_VERSION)", false
	}
	return "", true
}

var condition = regexp.MustCompile(`^(cuda|driver)(>=|<=|>|<|!=|=)([\d.]+)$`)

// holds says whether all terms of one alternative do.
func holds(alternative, driver, cuda string) bool {
	for t := range strings.SplitSeq(alternative, ",") {
		m := condition.FindStringSubmatch(t)
		if m == nil {
			continue
		}
		has := cuda
		if m[1] == "driver" {
			has = driver
		}
		c := compareVersions(has, m[3])
		if ok := map[string]bool{">=": c >= 0, "<=": c <= 0, ">": c > 0, "<": c < 0, "!=": c != 0, "=": c == 0}[m[2]]; !ok {
			return false
		}
	}
	return true
}

func major(version string) string {
	m, _, _ := strings.Cut(version, ".")
	return m
}

// compareVersions compares number by number; one that is missing is 0.
func compareVersions(a, b string) int {
	as, bs := strings.Split(a, "."), strings.Split(b, ".")
	for i := range max(len(as), len(bs)) {
		var x, y int
		if i < len(as) {
			x, _ = strconv.Atoi(as[i]) // what is no number is 0
		}
		if i < len(bs) {
			y, _ = strconv.Atoi(bs[i])
		}
		if c := cmp.Compare(x, y); c != 0 {
			return c
		}
	}
	return 0
}
