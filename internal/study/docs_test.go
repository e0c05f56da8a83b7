package study

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

var update = flag.Bool("update", false, "rewrite generated files")

func TestTheReferenceIsUpToDate(t *testing.T) {
	const path = "../../docs/config.md"
	if *update {
		if err := os.WriteFile(path, Reference(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(Reference()), string(got)); diff != "" {
		t.Errorf("%s (go test ./internal/study -update rewrites it): -want +got:\n%s", path, diff)
	}
}

// valid says what the JSON Schema thinks of a YAML text.
func valid(t *testing.T, text []byte) error {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("experiment.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("experiment.json")
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(instance)
}

func TestExamplesDecodeAndFitTheSchema(t *testing.T) {
	files, err := filepath.Glob("../../examples/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, f := range files {
		if _, _, err := ReadFile(f, Options{}); err != nil {
			t.Error(err)
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(t, text); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
	if err := valid(t, InitFile()); err != nil {
		t.Error(err)
	}
	e := decode(t, string(InitFile()), Options{})
	want := decode(t, "model: reference/small\nengine: {image: llem/reference, startup_timeout_seconds: 600}\nworkload: {load: {concurrency: 4}}\n", Options{})
	if diff := cmp.Diff(want, e); diff != "" {
		t.Errorf("the file to start from has other values than the defaults: -want +got:\n%s", diff)
	}
}

// The studies of examples/ and the base that they stand on. Their points and runs
// were counted by hand.
func TestExamplesOfStudies(t *testing.T) {
	t.Parallel()
	runs := map[string][2]int{"concurrency": {7, 35}, "engines": {4, 16}, "power": {6, 18}, "quantisation": {6, 18}, "reference": {6, 18}}
	files, err := filepath.Glob("../../examples/studies/*.yaml")
	if err != nil || len(files) != len(runs)+1 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	guide, err := os.ReadFile("../../docs/studies.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if err := valid(t, text); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		name := strings.TrimSuffix(filepath.Base(f), ".yaml")
		if !bytes.Contains(guide, []byte("studies/"+name+".yaml")) {
			t.Errorf("docs/studies.md does not name %s", f)
		}
		if name == "base" {
			if _, _, err := ReadFile(f, Options{}); err != nil {
				t.Error(err)
			}
			continue
		}
		s, _, err := readStudy(f, Options{})
		if err != nil {
			t.Error(err)
			continue
		}
		if p, err := s.Plan(); err != nil || counts(p) != [4]int{runs[name][0], 0, 0, runs[name][0]} || p.Len() != runs[name][1] {
			t.Errorf("%s: %v, %v, %v", f, counts(p), p.Len(), err)
		}
	}
}

// What the decoder refuses by itself, an editor with the schema marks too.
func TestTheSchemaRefusesWhatTheDecoderRefuses(t *testing.T) {
	for _, text := range []string{
		"model: x\nmodle: y\n",
		"model: x\nseed: one\n",
		"model: x\nwarmup: {cv_threshold: 2}\n",
		"model: x\nenergy: {backend: intel}\n",
		"model: x\nworkload: {load: {pattern: bursts}}\n",
		"model: x\nworkload: {api: chats}\n",
		"model: x\ngpus: some\n",
		"model: x\nengine: {args: 3}\n",
		"model: x\nmeasurement: {sample_interval_ms: 1.5}\n",
	} {
		if _, err := Decode("x.yaml", []byte(text), Options{}); err == nil {
			t.Errorf("decoded %q", text)
		}
		if valid(t, []byte(text)) == nil {
			t.Errorf("the schema takes %q", text)
		}
	}
}
