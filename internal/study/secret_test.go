package study

import (
	"maps"
	"strings"
	"testing"
)

func TestNamesOfSecrets(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"HF_TOKEN": true, "HF_TOKENS": true, "ADMIN_TOKEN": true, "SUPER_TOKEN": true, "token": true, "accessToken": true, "X_TOKEN_2": true,
		"AWS_CREDENTIALS": true, "AWS_SECRET_ACCESS_KEY": true, "GITHUB_PAT": true, "DB_PASS": true, "DB_PWD": true, "Authorization": true,
		"api-key": true, "apiKey": true, "OPENAI_API_KEY2": true, "api_keys": true, "PRIVATE_KEY": true, "PASSWORD_OLD": true, "X-Auth": true, "Set-Cookie": true,
		"max_tokens": false, "max-num-batched-token": false, "max-num-batched-tokens": false, "ignore_eos_token": false, "skip_special_tokens": false,
		"num-speculative-tokens": false, "MAX_BATCH_PREFILL_TOKENS": false, "truncate_prompt_tokens": false, "timeout-per-token": false,
		"HF_TOKEN_PATH": false, "PASSWORD_FILE": false, "tokenizer": false, "keys": false, "monkey": false, "compass": false, "path": false, "PWD": false, "": false, "7": false,
	} {
		if secret(name) != want {
			t.Errorf("secret(%q) = %v", name, !want)
		}
	}
}

// secretive holds secrets in all places and shapes, each named in secretive's values.
const secretive = `model: a/b
engine:
  env: {HF_TOKEN: 'hf_it''s-1', A: plain}
  args: {api-key: [sk-one-11, 987654321], max-num-batched-tokens: 5, port: 8001}
workload:
  extra_body: {auth: {token: tok-deep-1, basic: true}, list: [{password: pass-deep-1}], user: ann, pin_key: "80"}
`

var secretiveValues = []string{"hf_it's-1", "sk-one-11", "987654321", "tok-deep-1", "pass-deep-1"}

func TestSecretsAreRedactedAtAnyDepth(t *testing.T) {
	t.Parallel()
	e := decode(t, secretive, Options{})
	before := maps.Clone(e.Engine.Args)
	out := string(e.EffectiveYAML())
	for _, v := range secretiveValues {
		if strings.Contains(out, v) {
			t.Errorf("%q survives", v)
		}
	}
	for _, want := range []string{"A: plain", "max-num-batched-tokens: 5", "user: ann", "basic: true", "port: 8001"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is gone", want)
		}
	}
	if t.Failed() {
		t.Log(out)
	}
	if list := before["api-key"].([]any); list[0] != "sk-one-11" || e.Engine.Env["HF_TOKEN"] != "hf_it's-1" {
		t.Error("redacting changed the experiment itself")
	}
}

func TestHideTakesTheValuesOfSecretsOutOfAText(t *testing.T) {
	t.Parallel()
	e := decode(t, secretive, Options{})
	e.Engine.Env["TLS_KEY"] = "-----BEGIN-----\nMIIEvAIB\n-----END-----\n"
	for text, want := range map[string]string{
		"--api-key sk-one-11 --api-key 987654321": "--api-key REDACTED --api-key REDACTED",
		"Bearer sk-one-11, or xsk-one-11x":        "Bearer REDACTED, or xREDACTEDx",
		`{"a": "hf_it's-1"}`:                      `{"a": "REDACTED"}`,
		"line 2 MIIEvAIB":                         "line 2 REDACTED",
		"port 8001, 80 of 180, 80":                "port 8001, REDACTED of 180, REDACTED",
		"nothing":                                 "nothing",
	} {
		if got := e.Hide(text); got != want {
			t.Errorf("Hide(%q) = %q, want %q", text, got, want)
		}
	}
	if got := (Experiment{}).Hide("a 1"); got != "a 1" {
		t.Errorf("without secrets: %q", got)
	}
}

// A secret's text is in no configuration that is written, whatever name it stands
// under, and Restore says of what it was a part.
func TestASecretUnderAnotherName(t *testing.T) {
	t.Parallel()
	e, err := Decode("x.yaml", []byte("model: a/b\nengine: {env: {HF_TOKEN: hf_planted123, COPY: hf_planted123}, args: {note: [is hf_planted123]}}\nworkload: {extra_body: {a: {b: hf_planted123 it is}}}\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	text := e.EffectiveYAML()
	if strings.Contains(string(text), "planted") {
		t.Errorf("it is there:\n%s", text)
	}
	again, err := Decode("y.yaml", text, Options{})
	if err != nil || again.ConfigHash() != e.ConfigHash() {
		t.Fatalf("another hash, %v\n%s", err, text)
	}
	_, list := again.Restore(func(string) (string, bool) { return "hf_planted123", true })
	for _, path := range []string{"engine.env.COPY", "engine.args.note.0", "workload.extra_body.a.b"} {
		if !strings.Contains(Lost(list), path) {
			t.Errorf("%s is not told to be lost: %s", path, Lost(list))
		}
	}
}

// No key of llem's own is taken for a secret's, which nobody would keep or show.
func TestOurOwnKeysAreNoSecrets(t *testing.T) {
	for _, path := range append(Paths(), executionNames()...) {
		if secretPath(path) {
			t.Errorf("%s is redacted", path)
		}
	}
}
