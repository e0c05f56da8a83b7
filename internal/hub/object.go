package hub

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// object is a JSON object of a model's configuration. Configurations are written by
// many hands: numbers come as 8, 8.0 or "8", as null, or as a list with one value a
// layer. What cannot be read costs that key alone.
type object map[string]any

// parseObject reads a configuration. Python writes NaN and Infinity, which are no
// JSON: they become null.
func parseObject(data []byte) (object, error) {
	d := json.NewDecoder(bytes.NewReader(finite(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))))
	d.UseNumber()
	var o object
	if err := d.Decode(&o); err != nil {
		return nil, err
	}
	if o == nil {
		return nil, fmt.Errorf("it holds no object")
	}
	return o, nil
}

// finite replaces NaN, Infinity and -Infinity outside strings by null.
func finite(data []byte) []byte {
	var out []byte
	quoted := false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case quoted && c == '\\' && i+1 < len(data):
			out = append(out, c, data[i+1])
			i++
			continue
		case c == '"':
			quoted = !quoted
		case quoted:
		case bytes.HasPrefix(data[i:], []byte("-Infinity")):
			out, i = append(out, "null"...), i+len("-Infinity")-1
			continue
		case bytes.HasPrefix(data[i:], []byte("Infinity")):
			out, i = append(out, "null"...), i+len("Infinity")-1
			continue
		case bytes.HasPrefix(data[i:], []byte("NaN")):
			out, i = append(out, "null"...), i+len("NaN")-1
			continue
		}
		out = append(out, data[i])
	}
	return out
}

// maxCount bounds one number of a configuration.
const maxCount = 1 << 40

// count reads a number that counts something.
func count(v any) (int64, bool) {
	switch v := v.(type) {
	case json.Number:
		return countText(v.String())
	case string:
		return countText(strings.TrimSpace(v))
	case float64: // of GGUF
		return int64(v), v == math.Trunc(v) && v >= 0 && v <= maxCount
	case []any:
		if list, ok := counts(v); ok && len(list) > 0 && slices.Min(list) == slices.Max(list) {
			return list[0], true
		}
	case []float64:
		return count(anyOf(v))
	}
	return 0, false
}

func countText(s string) (int64, bool) {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || f != math.Trunc(f) || f < 0 || f > maxCount {
		return 0, false
	}
	return int64(f), true
}

func anyOf[T any](list []T) []any {
	out := make([]any, len(list))
	for i, v := range list {
		out[i] = v
	}
	return out
}

// counts reads a list of numbers.
func counts(v any) ([]int64, bool) {
	if f, ok := v.([]float64); ok {
		v = anyOf(f)
	}
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]int64, 0, len(list))
	for _, x := range list {
		if b, ok := x.(bool); ok {
			x = map[bool]float64{true: 1}[b]
		}
		if x == nil { // of a layer that has none
			x = 0.0
		}
		n, ok := count(x)
		if !ok {
			return nil, false
		}
		out = append(out, n)
	}
	return out, true
}

// names are strings of a list.
func (o object) names(key string) []string {
	list, _ := o[key].([]any)
	var out []string
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			return nil
		}
		out = append(out, s)
	}
	return out
}

func (o object) text(keys ...string) string {
	for _, key := range keys {
		if s, ok := o[key].(string); ok && s != "" {
			return s
		}
	}
	return ""
}

// object is the object under a key; it may have no entry.
func (o object) object(keys ...string) object {
	for _, key := range keys {
		if sub, ok := o[key].(map[string]any); ok {
			return sub
		}
	}
	return nil
}

// flag is nil where no key has a boolean.
func (o object) flag(keys ...string) *bool {
	for _, key := range keys {
		v := o[key]
		switch s, _ := v.(string); strings.ToLower(s) {
		case "true":
			v = true
		case "false":
			v = false
		}
		if b, ok := v.(bool); ok {
			return &b
		}
		if n, ok := count(v); ok && n <= 1 {
			b := n == 1
			return &b
		}
	}
	return nil
}

func (o object) truthy(key string) bool { b := o.flag(key); return b != nil && *b }

// has says whether a key has a value that is not null, 0, false or empty.
func (o object) has(key string) bool {
	switch v := o[key].(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != "" && v != "0"
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	n, ok := count(o[key])
	return !ok || n > 0
}

// any says whether a key that matches has a value.
func (o object) any(key *regexp.Regexp) bool {
	for k := range o {
		if key.MatchString(k) && o.has(k) {
			return true
		}
	}
	return false
}

// reader reads an object and keeps the names of keys that it could not read.
type reader struct {
	object
	unread []string
}

// number is the first of keys that has a number; nil where none has. Of a list with
// one value a layer it is nil as well: list reads that.
func (r *reader) number(keys ...string) *int64 {
	for _, key := range keys {
		v, ok := r.object[key]
		if !ok || v == nil {
			continue
		}
		if n, ok := count(v); ok {
			return &n
		}
		if _, ok := counts(v); !ok {
			r.fail(key)
		}
	}
	return nil
}

func (r *reader) fail(key string) {
	if !slices.Contains(r.unread, key) {
		r.unread = append(r.unread, key)
	}
}

// value is number, or 0.
func (r *reader) value(keys ...string) int64 {
	if n := r.number(keys...); n != nil {
		return *n
	}
	return 0
}

// list is the first of keys that has a list of numbers.
func (r *reader) list(keys ...string) []int64 {
	for _, key := range keys {
		if list, ok := counts(r.object[key]); ok {
			return list
		}
	}
	return nil
}
