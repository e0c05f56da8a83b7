package study

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// notKept stands for a file of which nothing can be kept.
const notKept = "# not kept: it could not be read as YAML, so its secrets are not known\n"

// Redact returns a file as it was given but for the values of secrets: those
// under a secret's name at any depth, also by an alias, the same texts
// elsewhere, and what a comment sets. A file in which they cannot be told for
// certain comes back as a note.
func Redact(data []byte) []byte {
	if len(bytes.TrimSpace(data)) == 0 {
		return data
	}
	root, err := parse(data)
	if err != nil {
		return []byte(notKept)
	}
	nodes := secretNodes(root)
	spans, ok := newLayout(data, root).spans(nodes)
	if !ok {
		return []byte(notKept)
	}
	var out []byte
	at := 0
	for _, s := range spans {
		out = append(append(out, data[at:s.from]...), redacted...)
		if at = s.to; s.lines {
			out = append(out, '\n')
		}
	}
	text := string(append(out, data[at:]...))
	for _, n := range nodes {
		if len(n.Value) >= sure {
			text = hide(text, []string{n.Value})
		}
	}
	text = comment.ReplaceAllStringFunc(text, cutSecret)
	text, _ = cutShapes(text)
	if !clean(text, root) {
		return []byte(notKept)
	}
	return []byte(text)
}

// clean says that a text, read again, holds no secret and has the form of root.
// It does not trust what made the text.
func clean(text string, root *yaml.Node) bool {
	again, err := parse([]byte(text))
	if err != nil || !alike(again, root) {
		return false
	}
	return !slices.ContainsFunc(secretNodes(again), func(n *yaml.Node) bool { return n.Value != redacted }) && !showsShape(again)
}

// showsShape says that a text of the file shows by its shape that it is a secret.
func showsShape(n *yaml.Node) bool {
	return n != nil && (len(shaped(n.Value)) > 0 || slices.ContainsFunc(n.Content, showsShape))
}

func alike(a, b *yaml.Node) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Kind == b.Kind && slices.EqualFunc(a.Content, b.Content, alike)
}

var (
	errTwoDocuments = errors.New("the file holds more than one document (---), and an experiment is one: keep one of them, or list several under the key experiments")
)

// parse returns a file's one document, nil where it is empty.
func parse(data []byte) (*yaml.Node, error) {
	if err := notText(data); err != nil {
		return nil, err
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	var doc, more yaml.Node
	if err := loader.Load(&doc); errors.Is(err, io.EOF) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	if err := loader.Load(&more); err == nil {
		return nil, errTwoDocuments
	} else if !errors.Is(err, io.EOF) {
		return nil, err
	}
	if doc.Kind == yaml.DocumentNode {
		if len(doc.Content) == 0 {
			return nil, nil
		}
		return doc.Content[0], nil
	}
	return &doc, nil
}

// secretNodes are the scalars that hold secrets, in no order, each once.
func secretNodes(root *yaml.Node) []*yaml.Node {
	type visit struct {
		n     *yaml.Node
		under bool
	}
	seen := map[visit]bool{}
	var out []*yaml.Node
	var walk func(n *yaml.Node, under bool)
	walk = func(n *yaml.Node, under bool) {
		n = target(n)
		if n == nil || seen[visit{n, under}] {
			return
		}
		seen[visit{n, under}] = true
		says := n.Value != "" && n.Tag != "!!null" && n.Tag != "!!bool"
		if n.Kind == yaml.ScalarNode && under && says {
			out = append(out, n)
		}
		for i, c := range n.Content {
			if n.Kind != yaml.MappingNode {
				walk(c, under)
			} else if i%2 == 1 {
				walk(c, under || secretPath(target(n.Content[i-1]).Value))
			}
		}
	}
	walk(root, false)
	return out
}

// target is what an alias stands for.
func target(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

var (
	comment    = regexp.MustCompile(`(?m)(^|[ \t])#.*$`)
	assignment = regexp.MustCompile(`(--?)?([\pL\pN_.-]+)["']?(\s*[:=]\s*|\s*,\s*|\s+)`)
	sentence   = regexp.MustCompile(`\pL +$`) // "every key: …" is one of a mapping
)

// cutSecret replaces all that follows a secret's name in a text that nobody has
// parsed: `HF_TOKEN: …`, `HF_TOKEN=…`, `--api-key …`.
func cutSecret(s string) string {
	if at := secretAt(s); at >= 0 && strings.TrimSpace(s[at:]) != "" {
		return s[:at] + redacted
	}
	return s
}

// secretAt is where the value of the first secret begins, or -1.
func secretAt(s string) int {
	for at := 0; ; {
		m := assignment.FindStringSubmatchIndex(s[at:])
		if m == nil {
			return -1
		}
		name := s[at+m[4] : at+m[5]]
		flag, sign := m[2] >= 0, strings.ContainsAny(s[at+m[6]:at+m[7]], ":=") // [--api-key, …] is a flag's too
		prose := name == "key" && sentence.MatchString(s[:at+m[4]])
		if (flag || sign) && secret(name) && !prose {
			return at + m[7]
		}
		at += m[5]
	}
}
