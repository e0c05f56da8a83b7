package study

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// redacted stands in place of a secret's value.
const redacted = "REDACTED"

// What a name's words say. A name that ends like a secret's is one, unless it
// counts tokens or names one of the vocabulary; what is redacted in vain is
// missing in the record, and what is not redacted is lost for good.
var (
	secretAnywhere = words(`secret secrets password passwords passwd passphrase passcode credential credentials creds apikey apikeys authtoken accesstoken
		accesskey privatekey connectionstring connstr dsn webhook webhooks`)
	secretInside = words("password passwd passphrase passcode secret credential apikey authtoken accesstoken accesskey privatekey connectionstring") // PGPASSWORD
	secretAtEnd  = words("token tokens key auth authorization pass pwd pat bearer cookie jwt sas header headers")
	secretSuffix = words("token tokens key pass pwd auth jwt")                                                // DBPASS, HFTOKEN
	noSecret     = words("monkey turkey donkey hockey jockey keypass compass bypass trespass overpass oauth") // that end like one
	keysOf       = words("api access auth private secret ssh")                                                // "keys" alone are those of a mapping
	placeOf      = words("path file dir name url uri")                                                        // PASSWORD_FILE holds no password
	formOf       = words("value data string json b64 base64 pem config blob hash raw old new")                // AUTH_CONFIG holds what AUTH does
	tokenCount   = words("max min num n per total batched count")                                             // max_num_batched_tokens
	tokenKind    = words(`eos bos pad unk sep cls mask stop special start end first last skip prompt input output completion prefill
		decode draft speculative generated new thinking reasoning budget cached image audio video bad banned suppress`)  // ignore_eos_token
)

func words(s string) map[string]bool {
	out := map[string]bool{}
	for _, w := range strings.Fields(s) {
		out[w] = true
	}
	return out
}

// secret says whether a key, flag or variable of that name holds a secret.
func secret(name string) bool {
	w := split(name)
	for len(w) > 1 && strings.Trim(w[len(w)-1], "0123456789") == "" { // API_KEY_2
		w = w[:len(w)-1]
	}
	if len(w) == 0 {
		return false
	}
	last := strings.TrimRight(w[len(w)-1], "0123456789")
	before := ""
	if len(w) > 1 {
		before = w[len(w)-2]
	}
	switch {
	case slices.ContainsFunc(w, func(s string) bool { return strings.HasPrefix(s, "webhook") }): // its URL is the secret
		return true
	case placeOf[last]:
		return false
	case slices.ContainsFunc(w, func(s string) bool { return secretAnywhere[s] || holds(s) }), before == "connection" && last == "string":
		return true
	case formOf[last] && before != "":
		return secret(strings.Join(w[:len(w)-1], "_"))
	case last == "keys":
		return keysOf[before]
	case last == "pwd":
		return before != "" && before != "old" // the shell's own are folders
	case last == "token" || last == "tokens":
		return !tokenKind[before] && !slices.ContainsFunc(w, func(s string) bool { return tokenCount[s] })
	}
	return secretAtEnd[last] || endsLikeSecret(last)
}

// holds says that a word has a secret's name in it: pgpassword.
func holds(word string) bool {
	for name := range secretInside {
		if strings.Contains(word, name) {
			return true
		}
	}
	return false
}

// endsLikeSecret says the same of a word's end: dbpass, hftoken; not of maxtokens.
func endsLikeSecret(word string) bool {
	for name := range secretSuffix {
		start, ends := strings.CutSuffix(word, name)
		if ends && start != "" && start != "old" && !noSecret[word] && !tokenKind[start] && !countsTokens(start) {
			return true
		}
	}
	return false
}

// countsTokens says so of the beginning of a word: maxnew(tokens).
func countsTokens(start string) bool {
	for name := range tokenCount {
		if len(name) > 1 && strings.HasPrefix(start, name) {
			return true
		}
	}
	return false
}

// secretPath says the same of a dotted path, as a study has them: each of its
// names may be a secret's.
func secretPath(path string) bool {
	return secret(path) || slices.ContainsFunc(strings.Split(path, "."), secret)
}

// split cuts a name into its words in lower case: HF_TOKEN, api-key, accessToken.
func split(name string) []string {
	var b strings.Builder
	lower := false
	for _, r := range name {
		if unicode.IsUpper(r) && lower || !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			b.WriteByte(' ')
		}
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			b.WriteRune(unicode.ToLower(r))
		}
		lower = unicode.IsLower(r)
	}
	return strings.Fields(b.String())
}

// Redacted is e with the values of secrets in engine.env, engine.args and
// workload.extra_body replaced, at any depth.
func (e Experiment) Redacted() Experiment {
	e, _ = e.redact()
	return e
}

// Hide returns text with the values of e's secrets replaced by REDACTED: the
// values that Redacted replaces, and the lines of those that have several. text
// is one argument, a line of a log or a message; give it before it is quoted.
// A value shorter than eight bytes is replaced where it is a word of its own.
func (e Experiment) Hide(text string) string {
	_, values := e.redact()
	return hide(text, values)
}

func (e Experiment) redact() (Experiment, []string) {
	var r redactor
	e.Engine.Env = maps.Clone(e.Engine.Env)
	for name, v := range e.Engine.Env {
		if secret(name) && v != "" {
			e.Engine.Env[name] = redacted
			r.values = append(r.values, v)
		} else {
			r.shapes(v)
		}
	}
	e.Engine.Args = r.mapping(e.Engine.Args, false)
	e.Workload.ExtraBody = r.mapping(e.Workload.ExtraBody, false)
	r.values = append(r.values, e.Hidden...)
	texts := []*string{&e.Name, &e.Model, &e.Engine.Endpoint, &e.Engine.Image, &e.Workload.Source}
	e.Engine.Container.Entrypoint = slices.Clone(e.Engine.Container.Entrypoint)
	for i := range e.Engine.Container.Entrypoint {
		texts = append(texts, &e.Engine.Container.Entrypoint[i])
	}
	for _, t := range texts {
		r.shapes(*t)
	}
	if len(r.values) > 0 { // the same texts may be under other names
		for name, v := range e.Engine.Env {
			e.Engine.Env[name] = r.hidden(v).(string)
		}
		e.Engine.Args = r.hidden(e.Engine.Args).(map[string]any)
		e.Workload.ExtraBody = r.hidden(e.Workload.ExtraBody).(map[string]any)
		for _, t := range texts {
			*t = hide(*t, slices.DeleteFunc(slices.Clone(r.values), func(v string) bool { return len(v) < sure })) // "b" is in a/b by chance
		}
	}
	return e, r.values
}

// SecretArgs are the keys of engine.args whose values hold secrets, in order. They
// are on the engine's command line, which every user of the host can read.
func (e Experiment) SecretArgs() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(e.Engine.Args)) {
		var r redactor
		r.value(e.Engine.Args[name], secret(name))
		if len(r.values) > 0 {
			out = append(out, name)
		}
	}
	return out
}

// hidden copies v with the secrets' texts replaced in every string of it.
func (r *redactor) hidden(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := maps.Clone(v)
		for name, inner := range v {
			out[name] = r.hidden(inner)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = r.hidden(v[i])
		}
		return out
	case string:
		if text := hide(v, r.values); text != redacted || v == redacted {
			return text
		}
		return "(" + redacted + ")" // told from one whose own name is a secret's, which Restore puts back
	}
	return v
}

// redactor copies values without what stands under the name of a secret, and
// keeps the text of what it left out.
type redactor struct{ values []string }

// shapes keeps the secrets that text shows by their shape.
func (r *redactor) shapes(text string) {
	_, values := cutShapes(text)
	r.values = append(r.values, values...)
}

func (r *redactor) mapping(m map[string]any, under bool) map[string]any {
	out := maps.Clone(m)
	for name, v := range m {
		out[name] = r.value(v, under || secret(name))
	}
	return out
}

func (r *redactor) value(v any, under bool) any {
	switch v := v.(type) {
	case map[string]any:
		return r.mapping(v, under)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = r.value(v[i], under)
		}
		return out
	case nil, bool: // say nothing of a secret but whether there is one
		return v
	}
	text := Word(v)
	if !under || text == "" {
		r.shapes(text)
		return v
	}
	r.values = append(r.values, text)
	return redacted
}

// Word is a value as a command line has it: that is how it is redacted, too.
func Word(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	return fmt.Sprint(v)
}

// sure is the length from which a secret's value is replaced wherever it
// stands. A shorter one may be part of any word.
const sure = 8

// hide replaces values in text, the longest first, so that none leaves a part
// of another behind, and then what shows by its shape that it is a secret.
func hide(text string, values []string) string {
	var all []string
	for _, v := range values {
		all = append(all, v)
		for line := range strings.SplitSeq(v, "\n") {
			if line = strings.TrimSpace(line); len(line) >= sure { // not the brace of a JSON
				all = append(all, line)
			}
		}
		if quoted, err := json.Marshal(v); err == nil {
			all = append(all, string(quoted[1:len(quoted)-1]))
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	for _, v := range slices.Compact(all) {
		switch {
		case len(v) >= sure:
			text = strings.ReplaceAll(text, v, redacted)
		case v != "":
			text = replaceWord(text, v)
		}
	}
	text, _ = cutShapes(text)
	return text
}

// replaceWord replaces v where no letter or digit touches it.
func replaceWord(text, v string) string {
	var b strings.Builder
	for at := 0; ; {
		i := strings.Index(text[at:], v)
		if i < 0 {
			return b.String() + text[at:]
		}
		start, end := at+i, at+i+len(v)
		before, _ := utf8.DecodeLastRuneInString(text[:start])
		after, _ := utf8.DecodeRuneInString(text[end:])
		if inWord(before) || inWord(after) {
			b.WriteString(text[at : start+1]) // v is not empty, and may overlap itself
			at = start + 1
			continue
		}
		b.WriteString(text[at:start] + redacted)
		at = end
	}
}

func inWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }
