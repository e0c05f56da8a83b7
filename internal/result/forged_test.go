package result

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// sealed is a text of JSON with the checksum that is right for it, as whoever changes a
// result may compute it.
func sealed(t *testing.T, text, field string) string {
	t.Helper()
	var fields map[string]any
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&fields); err != nil {
		t.Fatal(err)
	}
	fields[field] = ""
	canonical, err := json.Marshal(fields)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(canonical)
	return regexp.MustCompile(`("`+field+`": ?")[0-9a-f]*"`).ReplaceAllString(text, "${1}"+hex.EncodeToString(sum[:])+`"`)
}

// wholeRecord is the text of a record that holds something in every field, of a schema
// version.
func wholeRecord(t *testing.T, version string) string {
	t.Helper()
	var r Record
	filled(reflect.ValueOf(&r).Elem())
	r.SchemaVersion = version
	text, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func stateOf(t *testing.T, text string) State {
	t.Helper()
	path := filepath.Join(t.TempDir(), RecordFile)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r, _, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if seen, ok := CheckRecord(filepath.Dir(path)); ok != (r.State != Altered) {
		t.Errorf("read as %s, checked as %v: %s", r.State, ok, seen)
	}
	return r.State
}

// without is a text of JSON without the keys, wherever they are.
func without(text string, keys ...string) string {
	for _, key := range keys {
		text = regexp.MustCompile(`\s*"`+key+`": ("[^"]*"|[^\s,{\[]+),`).ReplaceAllString(text, "")
		text = regexp.MustCompile(`,\s*"`+key+`": ("[^"]*"|[^\s,{\[]+)`).ReplaceAllString(text, "")
	}
	return text
}

// Whoever changes a record can make its checksum right again, or take it out. What no
// llem writes is seen all the same.
func TestWhatNoLlemWritesIsAlteredWhateverItsChecksum(t *testing.T) {
	text, old := wholeRecord(t, SchemaVersion), wholeRecord(t, "1.0")
	if s := stateOf(t, text); s != Whole {
		t.Fatalf("the record as it was written is %s", s)
	}
	bare := without(old, "context_length", "head_tokens", "input_source")
	bare = regexp.MustCompile(`(?s),\s*"parameters": \{.*?\]\s*,\s*"attention_unknown.*?\}`).ReplaceAllString(bare, "")
	for name, c := range map[string]struct {
		text string
		want State
	}{
		"nothing":                                 {text, Whole},
		"a key twice":                             {strings.Replace(text, `"name": "x"`, `"name": "x", "name": "x"`, 1), Altered},
		"a key twice, far in":                     {strings.Replace(text, `"uuid": "x"`, `"uuid": "x", "uuid": "x"`, 1), Altered},
		"a key twice, in the configuration":       {strings.Replace(text, `"config": null`, `"config": {"seed": 1, "seed": 1}`, 1), Altered},
		"a key twice, of an older llem":           {strings.Replace(bare, `"name": "x"`, `"name": "x", "name": "x"`, 1), Altered},
		"a key that no llem writes":               {strings.Replace(text, `"name": "x"`, `"name": "x", "rank": 1`, 1), Altered},
		"a key that no llem writes, far in":       {strings.Replace(text, `"uuid": "x"`, `"uuid": "x", "rank": 1`, 1), Altered},
		"a key in other letters":                  {strings.Replace(text, `"name": "x"`, `"name": "x", "Name": "y"`, 1), Altered},
		"a key that every llem writes is missing": {without(text, "gap"), Altered},
		"any key in the configuration":            {strings.Replace(text, `"config": null`, `"config": {"rank": 1}`, 1), Whole},
		"a key of a newer llem":                   {strings.Replace(text, `"schema_version": "1.1"`, `"schema_version": "1.9", "rank": 1`, 1), Whole},
		"an older llem's":                         {bare, Whole},
		"one that says to be an older llem's":     {old, Altered},
	} {
		if s := stateOf(t, sealed(t, c.text, recordSumField)); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
	}
	for name, c := range map[string]struct {
		text string
		want State
	}{
		"no checksum":                              {without(text, "record_sha256"), Altered},
		"an empty checksum":                        {regexp.MustCompile(`"record_sha256": "\w+"`).ReplaceAllString(text, `"record_sha256": ""`), Altered},
		"no checksum and no input_source":          {without(text, "record_sha256", "input_source"), Altered},
		"no checksum, of a newer llem":             {strings.Replace(without(text, "record_sha256"), `"1.1"`, `"1.9"`, 1), Altered},
		"no checksum, and an older version":        {without(old, "record_sha256"), Altered},
		"neither of the two, and an older version": {without(old, "record_sha256", "input_source"), Altered},
		"an older llem's":                          {without(bare, "record_sha256"), Unchecked},
	} {
		if s := stateOf(t, c.text); s != c.want {
			t.Errorf("%s: %s, want %s", name, s, c.want)
		}
	}
}

func TestAPlanWithoutItsChecksumIsRefused(t *testing.T) {
	read := func(version string, do func(string) string) error {
		dir := planned(t, func(p *StudyPlan) { p.SchemaVersion = version })
		path := filepath.Join(dir, PlanFile)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text := do(string(bytes.TrimSpace(data)))
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err = ReadStudyPlan(dir)
		return err
	}
	out := func(field string) func(string) string {
		return func(text string) string {
			return regexp.MustCompile(`,"`+field+`":"\w+"`).ReplaceAllString(text, "")
		}
	}
	for name, c := range map[string]struct {
		version string
		do      func(string) string
		want    string // empty: it is read
	}{
		"nothing":                      {SchemaVersion, func(s string) string { return s }, ""},
		"its checksum":                 {SchemaVersion, out("plan_sha256"), "plan_sha256 was taken out"},
		"both checksums":               {SchemaVersion, func(s string) string { return out("plan_sha256")(out("study_sha256")(s)) }, "plan_sha256 was taken out"},
		"the study's checksum":         {SchemaVersion, func(s string) string { return sealed(t, out("study_sha256")(s), planSumField) }, "study_sha256 was taken out"},
		"one of two, of an older llem": {"1.0", out("plan_sha256"), "plan_sha256 was taken out"},
		"both, of an older llem":       {"1.0", func(s string) string { return out("plan_sha256")(out("study_sha256")(s)) }, ""},
		"nothing, and a key twice": {SchemaVersion, func(s string) string {
			return sealed(t, strings.Replace(s, `"name":"s"`, `"name":"s","name":"s"`, 1), planSumField)
		}, "the key name is there twice"},
		"nothing, and a key of nobody's": {SchemaVersion, func(s string) string {
			return sealed(t, strings.Replace(s, `"name":"s"`, `"name":"s","rank":1`, 1), planSumField)
		}, "it has the key rank"},
	} {
		if err := read(c.version, c.do); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s taken out: %v, want %q", name, err, c.want)
		}
	}
}
