package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// kindOfField is what a column has in a row.
type kindOfField int

const (
	empty  kindOfField = iota // null, "", [] or nothing
	text                      // a string
	scalar                    // or a truth value: of no text
	list                      // of strings
	turns                     // of a conversation
	object                    // anything else with text in it
)

func (k kindOfField) String() string {
	return [...]string{"empty", "a string", "a number", "a list of strings", "a conversation", "an object, or a list of other things than strings"}[k]
}

// field is one column of a row.
type field struct {
	name  string
	kind  kindOfField
	text  string // of number as it is written
	list  []string
	turns []turn
	bytes int // of an object
}

// size is how many bytes of text it has.
func (f *field) size() int {
	n := len(f.text) + f.bytes
	for _, t := range f.list {
		n += len(t)
	}
	for _, t := range f.turns {
		n += len(t.text)
	}
	return n
}

// turn is what one side of a conversation says.
type turn struct{ who, text string }

// entry is one row of a file of prompts.
type entry struct{ fields []field }

// field is the one of a name, else of that name in other letters' case; nil: there is
// none.
func (r *entry) field(name string) *field {
	var alike *field
	for i := range r.fields {
		f := &r.fields[i]
		if f.name == name {
			return f
		}
		if strings.EqualFold(f.name, name) {
			alike = f
		}
	}
	return alike
}

// names are the columns, in words.
func (r *entry) names() string {
	var out []string
	for _, f := range r.fields {
		out = append(out, f.name)
	}
	if len(out) == 0 {
		return "none"
	}
	const most = 300
	all := strings.Join(out, ", ")
	if len(all) > most {
		all = strings.ToValidUTF8(all[:most], "") + "…"
	}
	return all
}

// objectRow is a row of JSON.
func objectRow(data []byte) (*entry, error) {
	if !utf8.Valid(data) {
		return nil, errors.New("it is not UTF-8")
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(data, &object); err != nil {
		return nil, fmt.Errorf("not a JSON object: %v", err)
	}
	r := &entry{}
	for _, name := range slices.Sorted(maps.Keys(object)) {
		f, err := fieldOf(name, object[name])
		if err != nil {
			return nil, err
		}
		r.fields = append(r.fields, f)
	}
	return r, nil
}

// fieldOf is what a value of JSON is.
func fieldOf(name string, raw json.RawMessage) (field, error) {
	f := field{name: name}
	raw = bytes.TrimSpace(raw)
	switch raw[0] {
	case '"':
		f.kind = text
		if err := json.Unmarshal(raw, &f.text); err != nil {
			return f, fmt.Errorf("%q: %v", name, err)
		}
		if f.text == "" {
			f.kind = empty
		}
	case '[':
		return listOf(f, raw)
	case '{':
		f.kind, f.bytes = object, len(raw)
		if string(raw) == "{}" {
			f.kind = empty
		}
	case 'n':
	default:
		f.kind, f.text = scalar, string(raw)
	}
	return f, nil
}

func listOf(f field, raw json.RawMessage) (field, error) {
	var some []json.RawMessage
	if err := json.Unmarshal(raw, &some); err != nil {
		return f, fmt.Errorf("%q: %v", f.name, err)
	}
	if len(some) == 0 {
		return f, nil
	}
	var texts []string
	if json.Unmarshal(raw, &texts) == nil && !slices.ContainsFunc(some, func(v json.RawMessage) bool { return v[0] != '"' }) {
		f.kind, f.list = list, texts
		return f, nil
	}
	if roleOf(f.name) == conversation {
		return conversationOf(f, raw)
	}
	f.kind, f.bytes = object, len(raw)
	if !bytes.Contains(raw, []byte(`"`)) {
		f.kind, f.text, f.bytes = scalar, string(raw), 0
	}
	return f, nil
}

// conversationOf reads turns with role and content (OpenAI) or from and value
// (ShareGPT).
func conversationOf(f field, raw json.RawMessage) (field, error) {
	var said []struct {
		Role, From *string
		Content    json.RawMessage
		Value      json.RawMessage
	}
	if json.Unmarshal(raw, &said) != nil {
		f.kind, f.bytes = object, len(raw)
		return f, nil
	}
	f.kind = turns
	for _, s := range said {
		var t turn
		content := s.Content
		switch {
		case s.Role != nil:
			t.who = strings.ToLower(*s.Role)
		case s.From != nil:
			t.who, content = strings.ToLower(*s.From), s.Value
		default:
			f.kind, f.turns, f.bytes = object, nil, len(raw)
			return f, nil
		}
		if len(content) > 0 && json.Unmarshal(content, &t.text) != nil {
			return f, fmt.Errorf(`"content" of a message in %q is not a string, and images are not in this version of llem`, f.name)
		}
		f.turns = append(f.turns, t)
	}
	return f, nil
}
