package study

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// store checks a value and puts it into its field. It is false where the value
// was refused.
func (d *decoder) store(k key, v *yaml.Node) bool {
	var value any
	good := false
	switch k.kind {
	case gpuList:
		value, good = d.in.gpus(v)
	case list:
		value, good = d.in.list(k, v)
	case strs, anys:
		value, good = d.in.mapping(k, v)
	default:
		if k.kind == text && !d.in.literal(k, k.path, v) {
			return false
		}
		err := storeScalar(k, d.field(k.path), v, d.quick)
		if err != nil {
			d.in.bad(v, k.path, "%v", err)
		}
		return err == nil
	}
	if good {
		d.field(k.path).Set(reflect.ValueOf(value))
	}
	return good
}

func storeScalar(k key, f reflect.Value, v *yaml.Node, isQuick bool) error {
	if v.Kind != yaml.ScalarNode {
		return fmt.Errorf("want %s, not a %s%s", k.want(), shape(v), k.shapeHint(v))
	}
	switch k.kind {
	case boolean:
		b, err := strconv.ParseBool(v.Value)
		if v.Tag != "!!bool" || err != nil {
			hint := ""
			if word := words01[strings.ToLower(v.Value)]; word != "" {
				hint = ": write " + word + ", without quotes"
			}
			return fmt.Errorf("want true or false, not %q%s", v.Value, hint)
		}
		f.SetBool(b)
	case integer, number:
		return storeNumber(k, f, v, isQuick)
	default:
		return storeText(k, f, v)
	}
	return nil
}

func shape(v *yaml.Node) string {
	if v.Kind == yaml.SequenceNode {
		return "list"
	}
	return "mapping"
}

func (k key) want() string {
	switch k.kind {
	case integer:
		return "a whole number"
	case number:
		return "a number"
	case boolean:
		return "true or false"
	case size:
		return "a size such as 16GiB"
	case list:
		return "a list of strings"
	case strs, anys:
		return "a mapping"
	case mapList:
		return "a list of mappings"
	}
	return "a string"
}

func storeNumber(k key, f reflect.Value, v *yaml.Node, isQuick bool) error {
	var x float64
	if hint := octalHint(v); hint != "" {
		return errors.New(hint)
	}
	isNumber := v.Tag == "!!int" || v.Tag == "!!float"
	if !isNumber || v.Decode(&x) != nil || math.IsNaN(x) || math.IsInf(x, 0) || k.kind == integer && x != math.Trunc(x) {
		return fmt.Errorf("want %s, not %q%s", k.want(), v.Value, k.numberHint(v))
	}
	low, hint := k.min, ""
	if _, ok := quick[k.path]; ok && isQuick {
		low = 0
	} else if ok && x >= 0 && x < low {
		hint = "; only with --quick may it be less"
	}
	if x < low || x > k.max {
		return fmt.Errorf("%s is out of range: %s to %s%s", v.Value, plain(low), plain(k.max), hint)
	}
	if k.kind == integer {
		f.SetInt(int64(x))
		return nil
	}
	f.SetFloat(x)
	return nil
}

func plain(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func storeText(k key, f reflect.Value, v *yaml.Node) error {
	if hint := tagged(v); hint != "" {
		return errors.New(hint)
	}
	if !isText(v) && k.kind != size && (v.Tag != "!!int" || !k.digits) {
		return fmt.Errorf("want a string, not %s (quote it)", v.Value)
	}
	if err := k.matches(v.Value); err != nil {
		return err
	}
	if k.enum != nil && !slices.Contains(k.enum, v.Value) {
		hint := ""
		if near := nearest(v.Value, k.enum); near != "" {
			hint = fmt.Sprintf("; did you mean %q?", near)
		}
		if words01[strings.ToLower(v.Value)] == "false" && slices.Contains(k.enum, "none") {
			hint = "; write none"
		}
		return fmt.Errorf("%q is not one of %s%s", v.Value, strings.Join(k.enum, ", "), hint)
	}
	if k.kind == size && v.Value != "" {
		// Its unit is known by k.match; go-units, which counts the bytes, is docker's.
		number := strings.TrimRight(v.Value, " bBkKmMgGtTpPiI")
		n, err := strconv.ParseFloat(number, 64)
		switch {
		case err != nil || n <= 0:
			return fmt.Errorf("%q %s", v.Value, k.hint)
		case number == v.Value && n < 1<<20:
			return fmt.Errorf("%q is %s bytes: write its unit, such as %sGiB", v.Value, number, number)
		}
	}
	f.SetString(v.Value)
	return nil
}

// isText says whether a scalar is a string. A date is one to us.
func isText(v *yaml.Node) bool { return v.Tag == "!!str" || v.Tag == "!!timestamp" }

func (k key) matches(value string) error {
	if k.match == nil || k.match.MatchString(value) {
		return nil
	}
	if i := strings.LastIndexByte(value, '@'); i >= 0 && k.path == "engine.endpoint" {
		value = redacted + value[i:] // a user and a password, in whatever form
	}
	return fmt.Errorf("%q %s", value, k.hint)
}
