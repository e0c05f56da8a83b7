package result

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
)

// The fields that hold a file's own checksum.
const (
	recordSumField = "record_sha256"
	planSumField   = "plan_sha256"
)

// ownSum is the SHA-256 of a file's JSON: keys in order, numbers as they are written,
// no white space, and the field that holds it empty.
func ownSum(data []byte, field string) (string, error) {
	fields, err := decode(data)
	if err != nil {
		return "", err
	}
	return sumOfFields(fields, field)
}

// sumOfFields is ownSum of what was decoded. It leaves fields as they were.
func sumOfFields(fields map[string]any, field string) (string, error) {
	was, there := fields[field]
	defer func() {
		if fields[field] = was; !there {
			delete(fields, field)
		}
	}()
	fields[field] = ""
	canonical, err := json.Marshal(fields)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// State says whether a record that was read is as it was written.
type State string

// States of a record.
const (
	Whole      State = "whole"
	Altered    State = "altered"    // something in it was changed
	Unfinished State = "unfinished" // llem has not written its end yet, or was killed before it
	Unchecked  State = "unchecked"  // an older llem wrote it, without a checksum
)

// state holds r, which data is the text of, to its checksum, and to the keys that an llem
// of its schema_version writes. White space does not count. seen says what was seen, for
// people.
func (r *Record) state(data []byte) (s State, seen string) {
	fields, err := decode(data)
	if err != nil {
		return Altered, err.Error()
	}
	if older(r.SchemaVersion) && r.RecordSHA256 == "" && r.Tokens.InputSource == "" && sinceChecksums(fields) == "" {
		return Unchecked, "not checked: an older llem wrote it, without " + recordSumField
	}
	if r.RecordSHA256 == "" {
		return Altered, "its " + recordSumField + " was taken out: every llem that writes " + r.newest(fields) + " writes that too"
	}
	now, err := sumOfFields(fields, recordSumField)
	switch {
	case err != nil:
		return Altered, err.Error()
	case now != r.RecordSHA256:
		return Altered, fmt.Sprintf("its SHA-256 is %.12s… and was %.12s…: something in it was changed", now, r.RecordSHA256)
	}
	if wrong := r.foreign(fields); wrong != "" {
		return Altered, wrong
	}
	if len(r.Files) == 0 {
		return Unfinished, "as it was written, before the run's end"
	}
	return Whole, "as it was written"
}

// newest is what of a record without a checksum no llem wrote before there were checksums.
func (r *Record) newest(fields map[string]any) string {
	switch {
	case !older(r.SchemaVersion):
		return "schema_version " + r.SchemaVersion
	case r.Tokens.InputSource != "":
		return "tokens.input_source"
	}
	return sinceChecksums(fields)
}

// foreign says which key of a record no llem of its schema_version writes, or which of
// them it lacks. A newer one may write more.
func (r *Record) foreign(fields map[string]any) string {
	switch {
	case newer(r.SchemaVersion):
		return ""
	case older(r.SchemaVersion):
		if key := sinceChecksums(fields); key != "" {
			return "it has the key " + key + ", which no llem of its schema_version " + r.SchemaVersion + " writes"
		}
		return ""
	}
	return misshapen(reflect.TypeFor[Record](), fields, "")
}

// laterKeys are keys of records that came with schema_version 1.1.
var laterKeys = [][]string{{"engine", "context_length"}, {"requests", "head_tokens"}, {"flops", "parameters"}}

// sinceChecksums is a key of a record that came with 1.1; empty: it has none.
func sinceChecksums(fields map[string]any) string {
	for _, path := range laterKeys {
		at := any(fields)
		for _, key := range path {
			inside, _ := at.(map[string]any)
			at = inside[key]
			if _, there := inside[key]; !there {
				break
			}
			if key == path[len(path)-1] {
				return strings.Join(path, ".")
			}
		}
	}
	return ""
}

// CheckRecord says whether the record in dir is what was written; ok is false where
// it is not. A record without a checksum cannot be checked, which is no difference.
func CheckRecord(dir string) (seen string, ok bool) {
	data, err := ReadFile(filepath.Join(dir, RecordFile), mostRecord)
	if err != nil {
		return err.Error(), false
	}
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return err.Error(), false
	}
	state, seen := r.state(data)
	return seen, state != Altered
}

// Leaves are the values of r by their path, such as energy.per_gpu[0].energy_j,
// each as JSON.
func (r *Record) Leaves() (map[string]string, error) {
	data, err := json.Marshal(finite(reflect.ValueOf(*r)).Interface())
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	fields, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("encode record: %w", err)
	}
	out := map[string]string{}
	leaves(out, "", fields)
	return out, nil
}

func leaves(out map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for key, inner := range v {
			if path != "" {
				key = path + "." + key
			}
			leaves(out, key, inner)
		}
	case []any:
		for i, inner := range v {
			leaves(out, fmt.Sprintf("%s[%d]", path, i), inner)
		}
	case json.Number:
		out[path] = v.String()
	default:
		out[path] = fmt.Sprint(v)
		if v == nil {
			out[path] = "null"
		}
	}
}
