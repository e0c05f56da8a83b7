package study

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What a result has of a configuration is that configuration again, once its
// secrets are given again.
func TestAWrittenConfigurationIsRestored(t *testing.T) {
	t.Parallel()
	const text = `model: a/b
engine: {env: {HF_TOKEN: hf_1, my_key: k, PLAIN: REDACTED}, args: {--api-key: sk-1, token: [a, b], max-tokens: 5}}
workload: {extra_body: {secret: s, top_k: 1, auth: {user: ann, n: 2}}}
`
	given := decode(t, text, Options{})
	written := decode(t, string(given.EffectiveYAML()), Options{})
	known := map[string]string{
		"HF_TOKEN": "hf_1", "my_key": "k", "API_KEY": "sk-1", "AUTH_USER": "ann", "AUTH_N": "2", "TOKEN_0": "a", "TOKEN_1": "b", "SECRET": "s", "PLAIN": "x", "USER": "x",
	}
	got, list := written.Restore(func(name string) (string, bool) { v, ok := known[name]; return v, ok })
	if diff := cmp.Diff(map[string]string{"HF_TOKEN": "hf_1", "my_key": "k", "PLAIN": "REDACTED"}, got.Engine.Env); diff != "" {
		t.Errorf("env: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"--api-key": "sk-1", "token": []any{"a", "b"}, "max-tokens": 5}, got.Engine.Args); diff != "" {
		t.Errorf("args: -want +got:\n%s", diff)
	}
	if diff := cmp.Diff(map[string]any{"secret": "s", "top_k": 1, "auth": map[string]any{"user": "ann", "n": "2"}}, got.Workload.ExtraBody); diff != "" {
		t.Errorf("extra_body: -want +got:\n%s", diff)
	}
	if got.ConfigHash() != given.ConfigHash() || got.WorkloadHash("") != given.WorkloadHash("") {
		t.Error("the hashes are others")
	}
	if len(list) != 8 || written.Engine.Env["HF_TOKEN"] != redacted {
		t.Errorf("%+v; the receiver has %v", list, written.Engine.Env)
	}
	_, list = written.Restore(func(string) (string, bool) { return "", true })
	if len(list) != 8 || list[0] != (Restored{Path: "engine.env.HF_TOKEN", Variable: "HF_TOKEN"}) {
		t.Errorf("%+v", list)
	}
}
