package study

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

func TestAFileIsKeptAsGivenWithoutSecrets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, want string }{
		"nothing secret":    {"model: a/b # as given\n\n\nseed:   1\n", "model: a/b # as given\n\n\nseed:   1\n"},
		"plain":             {"a: {HF_TOKEN: hf_1, B: 2} # c\n", "a: {HF_TOKEN: REDACTED, B: 2} # c\n"},
		"short":             {"tensor: 1\nAPI_KEY: 1\nport: 8001\n", "tensor: 1\nAPI_KEY: REDACTED\nport: 8001\n"},
		"several lines":     {"TOKEN: one\n  two\nb: c\n", "TOKEN: REDACTED\nb: c\n"},
		"double quotes":     {`a: {TOKEN: "x\"y\\", b: "c"}` + "\n", "a: {TOKEN: REDACTED, b: \"c\"}\n"},
		"single quotes":     {"TOKEN: 'it''s' # c\nb: 'c'\n", "TOKEN: REDACTED # c\nb: 'c'\n"},
		"escapes":           {`TOKEN: "\x68f_\u0061"` + "\n", "TOKEN: REDACTED\n"},
		"block":             {"a:\n  PRIVATE_KEY: |\n    one\n\n    two\n  b: c\n", "a:\n  PRIVATE_KEY: REDACTED\n  b: c\n"},
		"block at the end":  {"PRIVATE_KEY: >-\n  one\n  two", "PRIVATE_KEY: REDACTED\n"},
		"block in a list":   {"l:\n- KEY: |2\n     one\n  b: c\n", "l:\n- KEY: REDACTED\n  b: c\n"},
		"list":              {"API_KEY:\n- one # c\n- [two, 'three']\n", "API_KEY:\n- REDACTED # c\n- [REDACTED, 'REDACTED']\n"},
		"mapping":           {"auth: {user: ann, on: true, x: null}\n", "auth: {user: REDACTED, on: true, x: null}\n"},
		"alias":             {"x: &k sk-1\nAPI_KEY: *k\n", "x: &k REDACTED\nAPI_KEY: *k\n"},
		"anchor and tag":    {"API_KEY: &k !!str 5\nx: *k\n", "API_KEY: &k !!str REDACTED\nx: *k\n"},
		"key by an alias":   {"x: &n HF_TOKEN\n*n : hf_1\n", "x: &n HF_TOKEN\n*n : REDACTED\n"},
		"the same text":     {"TOKEN: hf_12345\nargs: {x: Bearer hf_12345} # hf_12345\n", "TOKEN: REDACTED\nargs: {x: Bearer REDACTED} # REDACTED\n"},
		"comment":           {"a: b # TOKEN=x\n# HF_TOKEN: hf_1\n# max_tokens: 5\n", "a: b # TOKEN=REDACTED\n# HF_TOKEN: REDACTED\n# max_tokens: 5\n"},
		"prose":             {initFile, initFile},
		"only a comment":    {"# api-key: x\n", "# api-key: REDACTED\n"},
		"letters and BOM":   {"\ufeffé: {TOKEN: 'ü', b: é}\n", "\ufeffé: {TOKEN: REDACTED, b: é}\n"},
		"other line breaks": {"a: b\r\nTOKEN: x\r\nc: \"d\u2028e\"\r\nKEY: y\r\n", "a: b\r\nTOKEN: REDACTED\r\nc: \"d\u2028e\"\r\nKEY: REDACTED\r\n"},
		"blank":             {" \n", " \n"},
		"no YAML":           {"TOKEN: [x", notKept},
		"not UTF-8":         {"TOKEN: \xff", notKept},
		"two documents":     {"TOKEN: x\n---\nTOKEN: y\n", notKept},
		"cycle":             {"TOKEN: &a [*a, x]\n", "TOKEN: &a [*a, REDACTED]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got := string(Redact([]byte(c.text))); got != strings.ReplaceAll(c.want, "'REDACTED'", "REDACTED") {
				t.Errorf("Redact(%q) = %q, want %q", c.text, got, c.want)
			}
		})
	}
}

// However a secret is written, and wherever it stands, it survives nowhere.
func FuzzNoSecretSurvives(f *testing.F) {
	for _, v := range []string{"hf_abcdef", "it's \"a\" one\\", "-----BEGIN\nMII/x+y=\n-----END\n", " x: y # z", "12345678", "é\u2028ü\u0085 ", "1e9", "yes\ttab", "%@`&*!|>{}[],#?:-"} {
		for style := range byte(6) {
			f.Add(v, style)
		}
	}
	styles := []yaml.Style{0, yaml.DoubleQuotedStyle, yaml.SingleQuotedStyle, yaml.LiteralStyle, yaml.FoldedStyle, yaml.FlowStyle}
	f.Fuzz(func(t *testing.T, value string, style byte) {
		value = "S3" + value + "cr3t"
		s := styles[int(style)%len(styles)]
		inner, outer := s, yaml.Style(0)
		if s == yaml.FlowStyle {
			inner, outer = 0, s
		}
		one := &yaml.Node{Kind: yaml.ScalarNode, Value: value, Style: inner}
		word := func(w string) *yaml.Node { return &yaml.Node{Kind: yaml.ScalarNode, Value: w} }
		group := func(c ...*yaml.Node) *yaml.Node {
			return &yaml.Node{Kind: yaml.MappingNode, Content: c, Style: outer}
		}
		list := &yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{one, word("S3cr3t-two")}, Style: outer}
		text, err := yaml.Dump(group(word("model"), word("a/b"),
			word("engine"), group(word("env"), group(word("HF_TOKEN"), one, word("A"), word("b")), word("args"), group(word("api-key"), list)),
			word("workload"), group(word("extra_body"), group(word("auth"), group(word("x"), one), word("n"), word("1")))))
		if err != nil {
			t.Skip("no YAML")
		}
		e, err := Decode("x.yaml", text, Options{})
		if err != nil {
			t.Skip("no experiment")
		}
		if e.Engine.Env["A"] != "b" {
			t.Fatalf("%s", text)
		}
		for where, out := range map[string]string{
			"Redact": string(Redact(text)), "EffectiveYAML": string(e.EffectiveYAML()), "Redacted": fmt.Sprintf("%q", e.Redacted().ConfigHash()) + fmt.Sprint(e.Redacted()),
			"Hide": e.Hide(fmt.Sprint(e.Engine, e.Workload)), "shown": allShown(t, text),
		} {
			// Its ends, and words in it that are too long to be someone else's.
			parts := strings.FieldsFunc(value, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'\\", r) })
			parts = append(slices.DeleteFunc(parts, func(p string) bool { return len(p) < 12 }), "S3", "cr3t")
			if i := slices.IndexFunc(parts, func(p string) bool { return strings.Contains(out, p) }); i >= 0 {
				t.Errorf("%s keeps %q of\n%s\nin\n%s", where, parts[i], text, out)
			}
		}
	})
}

func allShown(t *testing.T, text []byte) string {
	t.Helper()
	root, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	line := shown(text, root)
	var b strings.Builder
	for i := range newLayout(text, root).lines {
		b.WriteString(line(i+1) + "\n")
	}
	return b.String()
}
