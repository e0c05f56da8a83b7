package study

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
)

// secretShape is what a kind of secret looks like; the secret is the expression's one group.
type secretShape struct {
	needs string // a text without it has none
	is    *regexp.Regexp
}

// A secret can be known by its own shape, under any name and in any text.
var shapes = []secretShape{
	{"://", regexp.MustCompile(`\b[a-zA-Z][a-zA-Z0-9+.-]*://[^/\s:@"'<>` + "`" + `]*:([^\s"'<>` + "`" + `]+)@`)}, // user:password@ of a URL
	{"://", regexp.MustCompile(`\b[hH][tT][tT][pP][sS]?://([^/\s:@"'<>` + "`" + `]+)@`)},                         // a token in the user's place
	{"hook", regexp.MustCompile(`\bhttps?://(?:[\w.-]*\bhooks?\.[\w.-]+|[\w.:-]+(?:/[\w.-]+)*/(?:web)?hooks?)/([^\s"'<>` + "`" + `]+)`)},
	{"uthorization", regexp.MustCompile(`(?i)\b(?:proxy-)?authorization["']?\s*[:=]\s*["']?(?:(?:basic|bearer|token|negotiate|digest)\s+)?([^\s"',]+)`)},
	{"earer ", regexp.MustCompile(`(?i)\bbearer +([\w.~+/=-]{16,})`)},
	{privateKey, regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----([^-]+)`)},
	{"eyJ", regexp.MustCompile(`\b(eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)`)},
	// as their issuers begin them
	{"hf_", regexp.MustCompile(`\b(hf_[A-Za-z0-9]{16,})\b`)},
	{"sk-", regexp.MustCompile(`\b(sk-[\w-]{20,})\b`)},
	{"gh", regexp.MustCompile(`\b(gh[opsur]_[A-Za-z0-9]{20,})\b`)},
	{"github_pat_", regexp.MustCompile(`\b(github_pat_\w{20,})\b`)},
	{"glpat-", regexp.MustCompile(`\b(glpat-[\w-]{16,})\b`)},
	{"nvapi-", regexp.MustCompile(`\b(nvapi-[\w-]{20,})\b`)},
	{"xox", regexp.MustCompile(`\b(xox[abeprs]-[\w-]{10,})\b`)},
	{"AIza", regexp.MustCompile(`\b(AIza[\w-]{30,})\b`)},
	{"IA", regexp.MustCompile(`\b((?:AKIA|ASIA)[A-Z0-9]{16})\b`)},
}

// signatures give access to whoever has the URL that carries them.
var signatures = words("sig signature xamzsignature xamzcredential xgoogsignature xgoogcredential accountkey sharedaccesskey")

// privateKey begins the one secret that has several lines.
const privateKey = "PRIVATE KEY"

// shaped are where text shows secrets by their shape, in order and apart.
func shaped(text string) []span {
	found := append(parts(text), flags(text)...)
	for _, p := range shapes {
		found = append(found, p.in(text)...)
	}
	found = slices.DeleteFunc(found, func(s span) bool { return harmless(text[s.from:s.to]) })
	slices.SortFunc(found, func(a, b span) int { return cmp.Or(a.from-b.from, b.to-a.to) })
	out := found[:0]
	for _, s := range found {
		if len(out) == 0 || s.from >= out[len(out)-1].to {
			out = append(out, s)
		}
	}
	return out
}

// in looks only at the lines that the shape can be in: logs are long. A key has
// several lines.
func (p secretShape) in(text string) (found []span) {
	for at := 0; at < len(text); {
		i := strings.Index(text[at:], p.needs)
		if i < 0 {
			break
		}
		from := strings.LastIndexByte(text[:at+i], '\n') + 1
		to := len(text)
		if n := strings.IndexByte(text[at+i:], '\n'); n >= 0 && p.needs != privateKey {
			to = at + i + n
		}
		if p.needs == "://" && !strings.Contains(text[from:to], "@") {
			at = to
			continue
		}
		for _, m := range p.is.FindAllStringSubmatchIndex(text[from:to], -1) {
			s := span{from: from + m[2], to: from + m[3]}
			if p.needs != "://" || !port(text[s.from:s.to]) {
				found = append(found, s)
			}
		}
		at = to
	}
	return found
}

// parts are the secrets of name=value in a URL's query or a connection string.
func parts(text string) (found []span) {
	for at := 0; ; {
		i := strings.IndexByte(text[at:], '=')
		if i < 0 {
			return found
		}
		sign := at + i
		start := strings.LastIndexFunc(text[:sign], func(r rune) bool { return r != '-' && r != '.' && !inWord(r) }) + 1
		length := strings.IndexAny(text[sign+1:], partEnd)
		end := len(text)
		if length >= 0 {
			end = sign + 1 + length
		}
		for end < len(text) && text[end] == '=' { // of base64
			end++
		}
		at = max(end, sign+1)
		name := text[start:sign]
		if strings.HasPrefix(name, "--") || name == strings.ToUpper(name) { // a flag's, or a variable's
			if secret(name) && end > sign+1 {
				found = append(found, span{from: sign + 1, to: end})
			}
			continue
		}
		listed := start > 0 && strings.IndexByte("?&;", text[start-1]) >= 0 || end < len(text) && text[end] == ';'
		if end > sign+1 && name != "" && (signatures[strings.Join(split(name), "")] || listed && secret(name)) {
			found = append(found, span{from: sign + 1, to: end})
		}
	}
}

// flagged is --name value in a text; the value of a shell's own list ends at its bracket.
var flagged = regexp.MustCompile(`--([A-Za-z][\w-]*) +([^\s"',\]-][^\s"',\]]*)`)

// flags are the secrets of a command line that is one text.
func flags(text string) (found []span) {
	if !strings.Contains(text, "--") {
		return nil
	}
	for _, m := range flagged.FindAllStringSubmatchIndex(text, -1) {
		if secret(text[m[2]:m[3]]) {
			found = append(found, span{from: m[4], to: m[5]})
		}
	}
	return found
}

// partEnd ends the value of a part; a sign of equality within one may be base64's.
const partEnd = "&;=\"'`<># \t\r\n"

// harmless says that v names where a secret is (${TOKEN}), or was redacted before.
func harmless(v string) bool {
	return v == redacted || strings.HasPrefix(v, "$") || strings.HasPrefix(v, "*")
}

// port says that v is a port and a path, of docker://host:5000/name@sha256.
func port(v string) bool {
	digits, _, path := strings.Cut(v, "/")
	return path && strings.Trim(digits, "0123456789") == ""
}

// cutShapes replaces the secrets that text shows by their shape, and returns them.
func cutShapes(text string) (string, []string) {
	spans := shaped(text)
	if len(spans) == 0 {
		return text, nil
	}
	var b strings.Builder
	var values []string
	at := 0
	for _, s := range spans {
		values = append(values, text[s.from:s.to])
		b.WriteString(text[at:s.from] + redacted)
		at = s.to
	}
	return b.String() + text[at:], values
}
