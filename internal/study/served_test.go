package study

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestVariablesOfSecretsAreNoKeys(t *testing.T) {
	if sets, err := Environ([]string{"LLEM_API_KEY=hush", "LLEM_HEADERS=X: hush"}); err != nil || len(sets) != 0 {
		t.Errorf("%v, %v", sets, err)
	}
	for v, near := range map[string]string{"LLEM_API_KEY_FILE=/k": "LLEM_ENGINE_API_KEY_FILE", "LLEM_APIKEY=hush": "LLEM_API_KEY", "LLEM_HEADER=hush": "LLEM_HEADERS", "LLEM_ENGINE_HEADERS_FLIE=/k": "LLEM_ENGINE_HEADERS_FILE"} {
		if _, err := Environ([]string{v}); err == nil || !strings.Contains(err.Error(), near) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v, want one that says %s", v, err, near)
		}
	}
}

func TestAServersModelNeedNotBeNamed(t *testing.T) {
	one := func(text string) Experiment {
		t.Helper()
		e, err := Decode("/exp/e.yaml", []byte(text), Options{})
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	if e := one("engine: {endpoint: http://127.0.0.1:1, api_key_file: key, headers_file: ../h}\n"); e.Model != "" || e.Name != "endpoint" || e.Engine.APIKeyFile != "/exp/key" || e.Engine.HeadersFile != filepath.Clean("/h") {
		t.Errorf("%q, %q, %+v", e.Model, e.Name, e.Engine)
	}
	if e := one("engine: {endpoint: http://127.0.0.1:1, served_model: b}\n"); e.Model != "b" || e.Name != "b-endpoint" {
		t.Errorf("%q, %q", e.Model, e.Name)
	}
	if _, err := Decode("e.yaml", []byte("engine: {image: i}\n"), Options{}); err == nil || !strings.Contains(err.Error(), "name the model") {
		t.Errorf("an image without a model: %v", err)
	}
	plain := one("model: m\nengine: {endpoint: http://127.0.0.1:1}\n")
	opened := one("model: m\nengine: {endpoint: http://127.0.0.1:1, api_key_file: /k, headers_file: /h}\n")
	opened.Hidden = []string{"m"}
	other := one("model: m\nengine: {endpoint: http://127.0.0.1:1, served_model: b}\n")
	if plain.ConfigHash() != opened.ConfigHash() || plain.WorkloadHash("") != opened.WorkloadHash("") || plain.ConfigHash() == other.ConfigHash() {
		t.Error("what opens a server is no part of what is measured, and what it serves is")
	}
	if text := string(opened.EffectiveYAML()); !strings.Contains(text, "api_key_file: /k") {
		t.Error(text)
	}
}
