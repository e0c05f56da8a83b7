package dataset

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// role is what a column is to a prompt, by its name.
type role int

const (
	unknown      role = iota
	main              // the prompt itself; the first of promptKeys that there is
	conversation      // the prompt is in its turns
	before            // text that a prompt is sent behind
	after             // text that is sent behind a prompt
	answer            // what a model is to say, and what checks it
	about             // what a row is, short
)

// roles are the columns of public data sets. Others are unknown: their text is
// neither sent nor passed over without a word.
var roles = map[role][]string{
	main:         promptKeys,
	conversation: {"conversations", "conversation", "messages"},
	before:       {"system", "system_prompt", "context", "passage", "documents", "document"},
	after:        {"choices", "options", "hint"},
	answer: {
		"output", "outputs", "response", "responses", "completion", "completions", "chosen", "rejected", "target", "targets", "label", "labels",
		"reference", "references", "solution", "canonical_solution", "ground_truth", "gold", "correct", "explanation", "rationale",
		"best_answer", "correct_answer", "correct_answers", "incorrect_answers", "test", "tests", "test_list", "summary", "highlights",
	},
	about: {
		"id", "uuid", "idx", "index", "key", "hash", "url", "uri", "link", "source", "category", "subject", "topic", "domain", "task", "task_type", "type", "dataset", "split",
		"title", "name", "tag", "tags", "lang", "language", "level", "difficulty", "date", "created_at", "timestamp", "license", "model", "author", "role",
		"score", "rating", "meta", "metadata", "length", "entry_point", "all_classes", "openai_moderation",
	},
}

// Endings and beginnings of names that say what a column is.
var aboutEndings = []string{"_id", "_ids", "_url", "_id_list"}

const answerBeginning = "answer"

func roleOf(name string) role {
	name = strings.ToLower(name)
	for r, names := range roles {
		if slices.Contains(names, name) {
			return r
		}
	}
	switch {
	case strings.HasPrefix(name, answerBeginning):
		return answer
	case slices.ContainsFunc(aboutEndings, func(end string) bool { return strings.HasSuffix(name, end) }):
		return about
	}
	return unknown
}

// maxAbout bounds the text of a column that says what a row is: more is text that a
// prompt may need.
const maxAbout = 256

// shape is how the rows of a file become prompts.
type shape struct {
	asked  template            // by the user; empty: by the names of the columns
	column string              // by the user; empty: the same
	mains  []string            // the columns that prompts were in
	used   map[string][]string // what was sent of each of them, itself included
	left   map[string]bool     // columns whose text is not sent
	later  int                 // turns of conversations that are not sent
}

func newShape(column, text string) (*shape, error) {
	s := &shape{column: column, used: map[string][]string{}, left: map[string]bool{}}
	var err error
	if text != "" {
		s.asked, err = parseTemplate(text)
	}
	return s, err
}

// prompt is what is sent of a row.
func (s *shape) prompt(r *entry) (string, error) {
	for _, name := range []string{"image", "images"} {
		if f := r.field(name); f != nil && f.kind != empty {
			return "", fmt.Errorf("it has %q, and images are not in this version of llem: take such rows out", name)
		}
	}
	switch {
	case s.asked != nil:
		return s.byTemplate(r)
	case s.column != "":
		return s.byColumn(r)
	}
	return s.byNames(r)
}

// byTemplate is what the user's template says.
func (s *shape) byTemplate(r *entry) (string, error) {
	for i := range r.fields {
		if f := &r.fields[i]; f.kind != empty && !s.asked.has(f.name) {
			s.left[f.name] = true
		}
	}
	return s.asked.render(func(name string) (string, error) {
		f := r.field(name)
		if f == nil {
			return "", fmt.Errorf("it has no %q (workload.template); it has %s", name, r.names())
		}
		return s.text(f, true)
	})
}

// byColumn is one column alone, as the user says.
func (s *shape) byColumn(r *entry) (string, error) {
	f := r.field(s.column)
	if f == nil {
		return "", fmt.Errorf("it has no %q (workload.column); it has %s", s.column, r.names())
	}
	for i := range r.fields {
		if other := &r.fields[i]; other != f && other.kind != empty {
			s.left[other.name] = true
		}
	}
	s.put(f.name, f.name)
	return s.mainText(f)
}

// mainText is that of the column that the prompt is in: a string, or a conversation.
func (s *shape) mainText(f *field) (string, error) {
	if f.kind == list {
		return "", fmt.Errorf("%q is not a string: it is %s", f.name, f.kind)
	}
	return s.text(f, false)
}

// byNames puts together what the names of the columns say belongs together, and refuses
// a row with text that they say nothing of.
func (s *shape) byNames(r *entry) (string, error) {
	f := s.mainOf(r)
	if f == nil {
		return "", fmt.Errorf("none of the keys %s; name one with workload.column, or several with workload.template: it has %s", strings.Join(slices.Concat(promptKeys, roles[conversation]), ", "), r.names())
	}
	parts := [3][]*field{1: {f}}
	for i := range r.fields {
		other := &r.fields[i]
		if other == f || other.kind == empty {
			continue
		}
		where, err := placeOf(r, f, other)
		switch {
		case err != nil:
			return "", err
		case where < 0:
			s.left[other.name] = true
		default:
			parts[where] = append(parts[where], other)
		}
	}
	if roleOf(f.name) == conversation && f.kind != turns && f.kind != empty {
		return "", fmt.Errorf("%q is no list of turns with role and content, or from and value: it is %s", f.name, f.kind)
	}
	main, err := s.mainText(f)
	if err != nil || strings.TrimSpace(main) == "" {
		return "", err // nothing to ask
	}
	var out []string
	for i, list := range parts {
		slices.SortStableFunc(list, func(a, b *field) int { return rank(a.name) - rank(b.name) })
		for _, p := range list {
			said := main
			if i != 1 {
				if said, err = s.text(p, false); err != nil {
					return "", err
				}
			}
			s.put(f.name, p.name)
			out = append(out, said)
		}
	}
	return strings.Join(out, paragraph), nil
}

// placeOf is where a column's text goes beside that of the prompt f: 0 before it, 2 behind
// it, -1 nowhere.
func placeOf(r *entry, f, other *field) (int, error) {
	kind := roleOf(other.name)
	switch {
	case kind == before || kind == after || isInstruction(f) && strings.EqualFold(other.name, "input"):
		return side(f.name, other.name), nil
	case kind == answer, other.kind == scalar, other.kind == text && numeric(other.text):
	case kind == about && (other.kind == object || other.size() <= maxAbout):
	case isInstruction(f) && strings.EqualFold(other.name, "text") && strings.Contains(other.text, f.text):
		// Alpaca's, which has it all once more, answer included.
	default:
		return 0, fmt.Errorf("%q would be sent without %q, which has %d bytes of text too: say what is sent by workload.template, such as %q, or workload.column: %s; it has %s",
			f.name, other.name, other.size(), "{"+other.name+"}"+paragraph+"{"+f.name+"}", f.name, r.names())
	}
	return -1, nil
}

// side is where a companion goes: what belongs to an instruction follows it, as data sets of
// instructions mean it.
func side(main, name string) int {
	instruction := strings.EqualFold(main, "instruction")
	if roleOf(name) == before && (!instruction || strings.HasPrefix(strings.ToLower(name), "system")) {
		return 0
	}
	return 2
}

func isInstruction(f *field) bool { return strings.EqualFold(f.name, "instruction") }

// numeric says that a text is a number or a truth value, as all cells of CSV are
// texts.
func numeric(text string) bool {
	if _, err := strconv.ParseFloat(text, 64); err == nil {
		return true
	}
	_, err := strconv.ParseBool(text)
	return err == nil
}

// mainOf is what the prompt of a row is in; nil: there is nothing.
func (s *shape) mainOf(r *entry) *field {
	if f := r.field("instruction"); f != nil && f.kind == text && slices.ContainsFunc(r.fields, func(f field) bool { return roleOf(f.name) == answer }) {
		return f
	}
	for _, kind := range []role{main, conversation} {
		for _, name := range roles[kind] {
			if f := r.field(name); f != nil {
				return f
			}
		}
	}
	return nil
}

// rank is a companion's place among others, as the table of roles has them.
func rank(name string) int {
	name = strings.ToLower(name)
	if name == "input" {
		return -1
	}
	for _, kind := range []role{before, after} {
		if i := slices.Index(roles[kind], name); i >= 0 {
			return i
		}
	}
	return 0
}

// put notes that a column is sent with a main one.
func (s *shape) put(main, name string) {
	list, known := s.used[main]
	if !known {
		s.mains = append(s.mains, main)
	}
	if !slices.Contains(list, name) {
		s.used[main] = append(list, name)
	}
}

// text is a column's value as it is sent.
func (s *shape) text(f *field, numbers bool) (string, error) {
	switch f.kind {
	case empty:
		return "", nil
	case text:
		return f.text, nil
	case scalar:
		if numbers {
			return f.text, nil
		}
	case list:
		if name := strings.ToLower(f.name); name == "choices" || name == "options" {
			return lettered(f.list), nil
		}
		return strings.Join(f.list, "\n\n"), nil
	case turns:
		said, later, err := spoken(f)
		s.later += later
		return said, err
	}
	return "", fmt.Errorf("%q is not a string: it is %s", f.name, f.kind)
}

// lettered are choices as multiple-choice questions write them.
func lettered(list []string) string {
	var out strings.Builder
	for i, choice := range list {
		if i > 0 {
			out.WriteByte('\n')
		}
		label := fmt.Sprint(i + 1)
		if i < 26 {
			label = string(rune('A' + i))
		}
		fmt.Fprintf(&out, "%s. %s", label, choice)
	}
	return out.String()
}

// Who answers in conversations, by their names in public data sets.
var answering = []string{"assistant", "gpt", "chatgpt", "bard", "bing", "model", "ai", "bot"}

// spoken is what is sent of a conversation: what its system says, and what the user says
// first. later is how many of the user's turns are not sent.
func spoken(f *field) (said string, later int, err error) {
	var out []string
	asked := false
	for _, t := range f.turns {
		switch user := t.who == "user" || t.who == "human" || t.who == "prompter"; {
		case user && asked:
			later++
		case asked:
		case user || t.who == "system":
			asked = user
			if strings.TrimSpace(t.text) != "" {
				out = append(out, t.text)
			}
		case !slices.Contains(answering, t.who):
			return "", 0, fmt.Errorf("%q has a turn of %q before the user's, which is neither the system's nor an answer: give each prompt as \"prompt\"", f.name, t.who)
		}
	}
	switch {
	case strings.EqualFold(f.name, "messages") && (later > 0 || !asked):
		return "", 0, fmt.Errorf("%q is not one message of the user, which a system's may precede and an answer may follow, and conversations of several turns are not in this version of llem: give each prompt as \"prompt\"", f.name)
	case !asked:
		return "", 0, nil // nothing to send: left out
	}
	return strings.Join(out, paragraph), later, nil
}

// stated is the template by which prompts were made; of several they are parted by
// " or ". Empty: none was.
func (s *shape) stated() string {
	if s.asked != nil {
		return s.asked.String()
	}
	var all []string
	for _, main := range s.mains {
		position := func(name string) int {
			const far = 100
			if name == main {
				return 0
			}
			return (side(main, name)-1)*far + rank(name)
		}
		names := slices.Clone(s.used[main])
		slices.SortStableFunc(names, func(a, b string) int { return position(a) - position(b) })
		for i := range names {
			names[i] = "{" + names[i] + "}"
		}
		all = append(all, strings.Join(names, paragraph))
	}
	return strings.Join(all, " or ")
}

// unsent are the columns whose values were not sent, in order, and what of conversations
// was not.
func (s *shape) unsent() []string {
	out := slices.Sorted(maps.Keys(s.left))
	if s.later > 0 {
		out = append(out, fmt.Sprintf("%d later turns of conversations", s.later))
	}
	return out
}
