package study

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

var (
	assigned = regexp.MustCompile(`(?m)^\s*(export )?[\w.-]+\s*=[^=]`)
	section  = regexp.MustCompile(`(?m)^\s*\[[\w."-]+\]\s*$`)
	noSpace  = regexp.MustCompile(`^\s*[\w.-]+:[^\s/\\:]`)
	starts   = regexp.MustCompile(`^\s*[\w.-]+\s*:\s*([@%` + "`" + `*&!|>])`)
)

// notText says what a file is that is no text in UTF-8.
func notText(data []byte) error {
	none := fmt.Errorf("%w: it is no text at all; name a YAML file", errNotUTF8)
	switch {
	case bytes.HasPrefix(data, []byte{0x1f, 0x8b}), bytes.HasPrefix(data, []byte("\x7fELF")):
		return none
	case bytes.HasPrefix(data, []byte{0xff, 0xfe}), bytes.HasPrefix(data, []byte{0xfe, 0xff}), wide(data):
		return fmt.Errorf("%w: it is UTF-16; save it as UTF-8", errNotUTF8)
	case bytes.IndexByte(data, 0) >= 0:
		return none
	}
	line := 1
	for rest := data; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			return fmt.Errorf("%w: line %d has the byte %#x; save it as UTF-8", errNotUTF8, line, rest[0])
		}
		if r == '\n' {
			line++
		}
		rest = rest[size:]
	}
	return nil
}

// looksLike says what a file is that is text and no YAML mapping; empty: it is not
// known.
func looksLike(data []byte) string {
	switch {
	case bytes.HasPrefix(data, []byte("#!")):
		return "a script; llem run takes an experiment file, see llem config init"
	case section.Match(data) && assigned.Match(data), assigned.Match(data):
		return "lines of NAME = value, as in TOML, INI or a shell; YAML has name: value, with a group's keys indented below its name"
	}
	return ""
}

// notMapping says how a file is written whose root is no mapping.
func notMapping(data []byte, root *yaml.Node) string {
	if kind := looksLike(data); kind != "" {
		return "the file is not a mapping of keys to values but " + kind
	}
	if root.Kind == yaml.SequenceNode {
		return "the file is not a mapping of keys to values but a list; list several experiments under experiments:"
	}
	for line := range strings.Lines(string(data)) {
		if noSpace.MatchString(line) {
			return "the file is not a mapping of keys to values: a colon needs a space after it, as in model: NAME"
		}
	}
	return "the file is not a mapping of keys to values, such as model: NAME"
}

// notYAML says what is likely to be wrong in a file that cannot be parsed, at line;
// empty: it is not known.
func notYAML(data []byte, line int, message string) string {
	lines := strings.Split(string(data), "\n")
	text, above := "", ""
	if line >= 1 && line <= len(lines) {
		text = lines[line-1]
	}
	if line >= 2 && line <= len(lines) {
		above = lines[line-2]
	}
	indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
	switch first := starts.FindStringSubmatch(text); {
	case strings.Contains(indent, "\t"):
		return "the line is indented by a tab: write spaces"
	case strings.Contains(text+above, "\u00a0"):
		return "there is a no-break space: write a plain one"
	case strings.Contains(message, "escape"):
		return `in double quotes \ begins an escape: write the text in single quotes, or / in place of \`
	case strings.Contains(text, "${") || strings.Contains(text, "{{"):
		return "llem fills in no variables or templates: write the value"
	case first != nil:
		return "a value that begins with " + first[1] + " is written in quotes"
	case noSpace.MatchString(above), noSpace.MatchString(text):
		return "a colon needs a space after it, as in model: NAME"
	case looksLike(data) != "":
		return "the file has " + looksLike(data)
	case strings.Contains(message, "mapping values are not allowed"):
		return "a line is indented unlike those of its group, or the one above has no colon"
	}
	return ""
}

// wide says whether every other byte of a text is 0, as in UTF-16 without a mark.
func wide(data []byte) bool {
	var zeros [2]int
	for i, b := range data[:min(len(data), 100)] {
		if b == 0 {
			zeros[i%2]++
		}
	}
	half := min(len(data), 100) / 2
	return half > 1 && (zeros[0] >= half-1 && zeros[1] < 2 || zeros[1] >= half-1 && zeros[0] < 2)
}

var errNotUTF8 = errors.New("the file is not UTF-8")
