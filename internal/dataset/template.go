package dataset

import (
	"errors"
	"fmt"
	"strings"
)

// template is workload.template: text with columns in braces. Parts that a blank line
// parts are left out where all their columns are empty.
type template [][]piece

// piece is text or a column.
type piece struct {
	text   string
	column bool
}

const paragraph = "\n\n"

func parseTemplate(from string) (template, error) {
	var t template
	columns := 0
	for _, p := range strings.Split(from, paragraph) {
		var part []piece
		for p != "" {
			i := strings.IndexAny(p, "{}")
			if i < 0 {
				part = append(part, piece{text: p})
				break
			}
			if i+1 < len(p) && p[i] == p[i+1] { // {{ is {
				part = append(part, piece{text: p[:i+1]})
				p = p[i+2:]
				continue
			}
			end := strings.IndexByte(p[i:], '}')
			if p[i] == '}' || end < 2 {
				return nil, fmt.Errorf("workload.template %q: write a column as {name}, and a brace twice: {{ or }}", from)
			}
			if i > 0 {
				part = append(part, piece{text: p[:i]})
			}
			part = append(part, piece{p[i+1 : i+end], true})
			columns++
			p = p[i+end+1:]
		}
		t = append(t, part)
	}
	if columns == 0 {
		return nil, errors.New("workload.template names no column: write one as {name}")
	}
	return t, nil
}

func (t template) has(name string) bool {
	for _, part := range t {
		for _, p := range part {
			if p.column && strings.EqualFold(p.text, name) {
				return true
			}
		}
	}
	return false
}

// render fills the columns in.
func (t template) render(of func(name string) (string, error)) (string, error) {
	var parts []string
	for _, part := range t {
		var out strings.Builder
		columns, filled := 0, 0
		for _, p := range part {
			if !p.column {
				out.WriteString(p.text)
				continue
			}
			text, err := of(p.text)
			if err != nil {
				return "", err
			}
			if columns++; strings.TrimSpace(text) != "" {
				filled++
			}
			out.WriteString(text)
		}
		if columns == 0 || filled > 0 {
			parts = append(parts, out.String())
		}
	}
	return strings.Join(parts, paragraph), nil
}

func (t template) String() string {
	var parts []string
	for _, part := range t {
		var out strings.Builder
		for _, p := range part {
			if p.column {
				out.WriteString("{" + p.text + "}")
			} else {
				out.WriteString(strings.NewReplacer("{", "{{", "}", "}}").Replace(p.text))
			}
		}
		parts = append(parts, out.String())
	}
	return strings.Join(parts, paragraph)
}
