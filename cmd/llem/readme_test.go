package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// labels are what the sections and rows of a table are called, but for its
// warnings.
func labels(table string) map[string]bool {
	out := map[string]bool{}
	table, _, _ = strings.Cut(table, "\nWarnings")
	for line := range strings.Lines(table) {
		row, indented := strings.CutPrefix(strings.TrimRight(line, "\n"), "  ")
		label := []rune(row)
		if indented {
			label = label[:min(20, len(label))]
		}
		if text := strings.TrimSpace(string(label)); text != "" && !strings.Contains(text, ":") {
			out[text] = true
		}
	}
	return out
}

// The table that the README opens with is what a run prints.
func TestTheReadmesTableIsWhatIsPrinted(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(readme), "```\n")
	table, _, ok := strings.Cut(rest, "```")
	if !ok {
		t.Fatal("the README has no table")
	}
	if lines := strings.Count(string(readme), "\n"); lines >= 150 {
		t.Errorf("the README has %d lines", lines)
	}
	h := newHost(t)
	o := h.llem(h.quick("-n", "4")...)
	printed := labels(o.stdout)
	for l := range labels(table) {
		if !printed[l] && l != "quickstart" { // its name
			t.Errorf("the README's table has %q, which a run does not print", l)
		}
	}
	for line := range strings.Lines(table) {
		if n := len([]rune(strings.TrimRight(line, "\n"))); n > 80 {
			t.Errorf("%d columns in the README's table: %s", n, line)
		}
	}
}

// Every command and flag that the README names is there.
func TestTheReadmesCommandsAreThere(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	h := newHost(t)
	commands := regexp.MustCompile(`(?m)^    llem ([a-z]+)((?: \S+)*)`).FindAllStringSubmatch(string(readme), -1)
	if len(commands) < 6 {
		t.Fatalf("%d commands in the README", len(commands))
	}
	for _, c := range commands {
		o := h.llem(c[1], "--help")
		if o.code != 0 {
			t.Errorf("llem %s: exit %d\n%s", c[1], o.code, o.stderr)
		}
		args, _, _ := strings.Cut(c[2], " -- ")
		for _, flag := range regexp.MustCompile(` (--?[a-z][a-z-]*)`).FindAllStringSubmatch(args, -1) {
			if !regexp.MustCompile(`(?m)(^|\s)` + flag[1] + `\b`).MatchString(o.stdout) {
				t.Errorf("llem %s has no %s", c[1], flag[1])
			}
		}
	}
}
