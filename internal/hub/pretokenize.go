package hub

import (
	"fmt"
	"regexp"
	"strings"
)

// step is a normalizer or pre-tokenizer of tokenizer.json, as far as it changes
// ASCII words and single spaces.
type step struct {
	Type           string  `json:"type"`
	Normalizers    []step  `json:"normalizers"`
	Pretokenizers  []step  `json:"pretokenizers"`
	Prepend        string  `json:"prepend"`
	Content        string  `json:"content"`
	Pattern        pattern `json:"pattern"`
	Behavior       string  `json:"behavior"`
	Invert         bool    `json:"invert"`
	Replacement    string  `json:"replacement"`
	PrependScheme  string  `json:"prepend_scheme"`
	AddPrefixSpace *bool   `json:"add_prefix_space"`
	UseRegex       *bool   `json:"use_regex"`
	SplitField     *bool   `json:"split"`
	Lowercase      *bool   `json:"lowercase"`
}

type pattern struct {
	String string `json:"String"`
	Regex  string `json:"Regex"`
}

// gpt2Pattern is the pattern of ByteLevel, without the lookahead that only tells runs of
// spaces apart.
const gpt2Pattern = `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+`

// lookahead and possessive are what Go's expressions lack; neither says anything
// of words with single spaces between.
var lookahead = strings.NewReplacer(`(?!\S)`, "", "?+", "?", "*+", "*", "++", "+")

func (p pattern) compile() (*regexp.Regexp, error) {
	if p.Regex == "" {
		return regexp.Compile(regexp.QuoteMeta(p.String))
	}
	re, err := regexp.Compile(lookahead.Replace(p.Regex))
	if err != nil {
		return nil, fmt.Errorf("%w: its pattern %q is not understood", errVocabulary, p.Regex)
	}
	return re, nil
}

// normalize does to text what a normalizer does.
func (s step) normalize(text string) (string, error) {
	switch s.Type {
	case "Sequence":
		for _, x := range s.Normalizers {
			var err error
			if text, err = x.normalize(text); err != nil {
				return "", err
			}
		}
	case "Prepend":
		text = s.Prepend + text
	case "Replace":
		re, err := s.Pattern.compile()
		if err != nil {
			return "", err
		}
		text = re.ReplaceAllLiteralString(text, s.Content)
	case "Lowercase":
		text = strings.ToLower(text)
	case "BertNormalizer":
		if s.Lowercase == nil || *s.Lowercase {
			text = strings.ToLower(text)
		}
	case "Strip":
		text = strings.TrimSpace(text)
	case "ByteLevel":
		text = strings.ReplaceAll(text, " ", "Ġ")
	case "", "NFC", "NFD", "NFKC", "NFKD", "Nmt", "Precompiled", "StripAccents": // leave ASCII as it is
	default:
		return "", fmt.Errorf("%w: its normalizer %s is not known", errVocabulary, s.Type)
	}
	return text, nil
}

// pretokenize does to the pieces of a text what a pre-tokenizer does.
func (s step) pretokenize(pieces []string) ([]string, error) {
	var err error
	switch s.Type {
	case "Sequence":
		for _, x := range s.Pretokenizers {
			if pieces, err = x.pretokenize(pieces); err != nil {
				return nil, err
			}
		}
	case "ByteLevel":
		pieces = s.byteLevel(pieces)
	case "Metaspace":
		pieces = s.metaspace(pieces)
	case "Split":
		var re *regexp.Regexp
		if re, err = s.Pattern.compile(); err != nil {
			return nil, err
		}
		pieces = s.cut(pieces, re)
	case "WhitespaceSplit", "Whitespace":
		var out []string
		for _, p := range pieces {
			out = append(out, strings.Fields(p)...)
		}
		pieces = out
	case "", "Digits", "Punctuation": // leave letters and spaces as they are
	default:
		return nil, fmt.Errorf("%w: its pre-tokenizer %s is not known", errVocabulary, s.Type)
	}
	return pieces, nil
}

func (s step) byteLevel(pieces []string) []string {
	if s.AddPrefixSpace == nil || *s.AddPrefixSpace {
		if len(pieces) > 0 && !strings.HasPrefix(pieces[0], " ") {
			pieces[0] = " " + pieces[0]
		}
	}
	if s.UseRegex == nil || *s.UseRegex {
		pieces = step{Behavior: "Isolated"}.cut(pieces, regexp.MustCompile(gpt2Pattern))
	}
	for i := range pieces {
		pieces[i] = strings.ReplaceAll(pieces[i], " ", "Ġ")
	}
	return pieces
}

func (s step) metaspace(pieces []string) []string {
	scheme := s.PrependScheme
	if scheme == "" {
		scheme = "always"
		if s.AddPrefixSpace != nil && !*s.AddPrefixSpace {
			scheme = "never"
		}
	}
	var out []string
	for i, p := range pieces {
		p = strings.ReplaceAll(p, " ", s.Replacement)
		if !strings.HasPrefix(p, s.Replacement) && (scheme == "always" || scheme == "first" && i == 0) {
			p = s.Replacement + p
		}
		if s.SplitField != nil && !*s.SplitField {
			out = append(out, p)
			continue
		}
		out = append(out, step{Behavior: "MergedWithNext"}.cut([]string{p}, regexp.MustCompile(regexp.QuoteMeta(s.Replacement)))...)
	}
	return out
}

// cut parts each piece at the matches of re, as the step's behaviour says.
func (s step) cut(pieces []string, re *regexp.Regexp) []string {
	var out []string
	for _, p := range pieces {
		var parts []string
		var match []bool
		last := 0
		for _, m := range re.FindAllStringIndex(p, -1) {
			if m[0] == m[1] {
				continue
			}
			if m[0] > last {
				parts, match = append(parts, p[last:m[0]]), append(match, s.Invert)
			}
			parts, match, last = append(parts, p[m[0]:m[1]]), append(match, !s.Invert), m[1]
		}
		if last < len(p) {
			parts, match = append(parts, p[last:]), append(match, s.Invert)
		}
		out = append(out, s.behave(parts, match)...)
	}
	return out
}

// behave joins or drops the delimiters among parts.
func (s step) behave(parts []string, match []bool) []string {
	var out []string
	glue := false // the next part belongs to the last of out
	for i, p := range parts {
		switch {
		case glue:
			out[len(out)-1] += p
			glue = match[i]
		case !match[i]:
			out = append(out, p)
		case s.Behavior == "Removed":
		case s.Behavior == "MergedWithPrevious" && len(out) > 0 && i > 0 && !match[i-1]:
			out[len(out)-1] += p
		case s.Behavior == "MergedWithNext":
			out = append(out, p)
			glue = true
		case s.Behavior == "Contiguous" && i > 0 && match[i-1]:
			out[len(out)-1] += p
		default:
			out = append(out, p)
		}
	}
	return out
}
