package engine

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/llenergymeasure/llem/internal/launch"
	"github.com/llenergymeasure/llem/internal/study"
)

// keyed is how an engine is given the key that its server asks for. Of engines that take
// it on their command line alone llem gives none: every user of the host can read that.
type keyed struct {
	variable string   // of the environment; empty: none
	file     string   // flag that names a file of keys; empty: none
	flags    []string // by which a user gives it in engine.args
}

// keyFile is where a container finds its server's key.
const keyFile = "/run/secrets/llem/api_key"

// OwnKey is the key that an experiment gives its container itself, in engine.env or
// engine.args, and where.
func OwnKey(e *Engine, exp study.Experiment) (key launch.Secret, from string) {
	k := e.key
	if v := exp.Engine.Env[k.variable]; k.variable != "" && v != "" {
		return launch.Secret(v), "engine.env." + k.variable
	}
	for name, v := range exp.Engine.Args {
		if slices.Contains(k.flags, spelled(name)) {
			if list, ok := v.([]any); ok && len(list) > 0 {
				v = list[0]
			}
			if text, ok := v.(string); ok && text != "" {
				return launch.Secret(text), "engine.args." + name
			}
		}
	}
	return "", ""
}

// GiveKey has the container of s start its server with a key.
func GiveKey(e *Engine, exp study.Experiment, s *launch.Spec, key launch.Secret, from string) error {
	k := e.key
	if own, where := OwnKey(e, exp); own != "" {
		if own != key {
			return fmt.Errorf("%s and %s hold two keys: leave one of them out", from, where)
		}
		return nil
	}
	switch {
	case k.file != "":
		s.Cmd = append(slices.Clone(s.Cmd), "--"+k.file, keyFile)
		s.KeyFile = keyFile
	case k.variable != "":
		s.KeyVariable = k.variable
	case len(k.flags) > 0:
		return fmt.Errorf("%s holds a key, and %s takes one on its command line alone, which every user of this host can read: start the server yourself and give its address (engine.endpoint), or unset the key", from, e.Name())
	default:
		return fmt.Errorf("%s holds a key, and the server of %s asks for none: leave it out", from, e.Name())
	}
	s.Key = key
	return nil
}

// ParseKey reads a key from what a file or variable holds: one line.
func ParseKey(text string) (launch.Secret, error) {
	key := strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	name, _, assigned := strings.Cut(key, "=")
	switch {
	case strings.TrimSpace(key) == "":
		return "", errors.New("it is empty: write the key into it")
	case strings.HasPrefix(key, "\ufeff") || strings.Contains(key, "\x00"):
		return "", errors.New("it is no plain text (it begins with a byte order mark, or is UTF-16): save it as UTF-8 without one")
	case strings.ContainsAny(key, "\r\n"):
		return "", errors.New("it holds more than one line: write the key alone")
	case len(key) > mostKey:
		return "", fmt.Errorf("it holds %d bytes, and a key has at most %d", len(key), mostKey)
	case strings.HasPrefix(strings.ToLower(key), "bearer ") || strings.HasPrefix(strings.ToLower(key), "authorization:"):
		return "", errors.New("write the key alone: llem adds Authorization: Bearer")
	case assigned && strings.Contains(name, "_") && strings.ToUpper(name) == name:
		return "", errors.New("it holds an assignment: write the key alone, without a name and =")
	case strings.Trim(key, `"'`) != key:
		return "", errors.New("it is quoted: write the key alone")
	}
	for _, b := range []byte(key) {
		if b <= ' ' || b >= 0x7f {
			return "", errors.New("it holds blanks, or what is no printable ASCII, and no header can carry that: write the key alone")
		}
	}
	return launch.Secret(key), nil
}

// mostKey is the longest key; signed tokens have a few kB.
const mostKey = 16 << 10

// SecretHeader says that a header's name is one of those that carry keys.
func SecretHeader(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"auth", "key", "token", "secret", "cookie", "password", "signature", "credential"}, func(w string) bool { return strings.Contains(name, w) })
}

// own are the headers that llem sets itself, or that are not of a request's content.
var own = []string{
	"Host", "Content-Type", "Content-Length", "Content-Encoding", "Transfer-Encoding", "Accept", "Accept-Encoding", "Connection", "Keep-Alive", "Te", "Trailer", "Upgrade", "Expect", "Proxy-Authorization", "Proxy-Connection",
}

// ParseHeaders reads lines of `Name: value`; blank ones, and those that begin with #,
// say nothing. An error names the line and not what is in it.
func ParseHeaders(text string) (http.Header, error) {
	out := http.Header{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimRight(line, "\r\n")
		if strings.TrimSpace(line) == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		canonical := http.CanonicalHeaderKey(name)
		switch {
		case !ok || !isToken(name):
			return nil, fmt.Errorf("line %d is no header: write Name: value", n)
		case value == "":
			return nil, fmt.Errorf("line %d: the header has no value", n)
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			return nil, fmt.Errorf("line %d: the value holds a control character", n)
		case slices.Contains(own, canonical):
			return nil, fmt.Errorf("line %d: %s is llem's to set: leave it out", n, canonical)
		case out[canonical] != nil:
			return nil, fmt.Errorf("line %d: %s is there twice", n, canonical)
		}
		out[canonical] = []string{value}
	}
	if len(out) == 0 {
		return nil, errors.New("it holds no header: write one Name: value a line")
	}
	return out, nil
}

// isToken says that a text is a header's name (RFC 9110).
func isToken(name string) bool {
	return name != "" && !strings.ContainsFunc(name, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}
