package result

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// decode reads one JSON object with its numbers as they are written: a float64 would
// hide a digit. A key that is there twice is an error, since readers differ in which of
// the two they take. The caller has had encoding/json read data before, which bounds
// how deep it goes.
func decode(data []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	v, err := value(d, "")
	if err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the record")
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("it is not an object")
	}
	return fields, nil
}

func value(d *json.Decoder, path string) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		return object(d, path)
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := value(d, path)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	return t, nil
}

func object(d *json.Decoder, path string) (any, error) {
	out := map[string]any{}
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := t.(string)
		at := under(path, key)
		if _, twice := out[key]; twice {
			return nil, fmt.Errorf("the key %s is there twice", at)
		}
		if out[key], err = value(d, at); err != nil {
			return nil, err
		}
	}
	_, err := d.Token()
	return out, err
}

func under(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// misshapen says which key of v a struct of type t does not write, or which it always
// writes and v lacks; empty where there is none. Keys are compared exactly, which
// encoding/json does not do. What is an interface in t may hold anything.
func misshapen(t reflect.Type, v any, path string) string {
	switch t.Kind() {
	case reflect.Pointer:
		return misshapen(t.Elem(), v, path)
	case reflect.Slice:
		list, _ := v.([]any)
		for _, e := range list {
			if wrong := misshapen(t.Elem(), e, path); wrong != "" {
				return wrong
			}
		}
	case reflect.Map:
		object, _ := v.(map[string]any)
		for key, e := range object {
			if wrong := misshapen(t.Elem(), e, under(path, key)); wrong != "" {
				return wrong
			}
		}
	case reflect.Struct:
		if object, ok := v.(map[string]any); ok && t != reflect.TypeFor[time.Time]() {
			return misshapenStruct(t, object, path)
		}
	}
	return ""
}

func misshapenStruct(t reflect.Type, object map[string]any, path string) string {
	known := 0
	for i := range t.NumField() {
		key, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if key == "-" {
			continue
		}
		e, there := object[key]
		switch {
		case there:
			known++
			if wrong := misshapen(t.Field(i).Type, e, under(path, key)); wrong != "" {
				return wrong
			}
		case options == "":
			return "it lacks the key " + under(path, key) + ", which every llem of its schema_version writes"
		}
	}
	if known == len(object) {
		return ""
	}
	for i := range t.NumField() {
		key, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		delete(object, key)
	}
	for key := range object {
		return "it has the key " + under(path, key) + ", which no llem of its schema_version writes"
	}
	return ""
}

// older says that a file of this schema_version is of an llem before [SchemaVersion],
// and newer that it is of one after.
func older(version string) bool { return minor(version) < minor(SchemaVersion) }
func newer(version string) bool { return minor(version) > minor(SchemaVersion) }

// minor is the second number of a version; 0 where there is none.
func minor(version string) int {
	_, m, _ := strings.Cut(version, ".")
	n, _ := strconv.Atoi(m)
	return n
}
