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
		"PGPASSWORD": true, "DBPASS": true, "HFTOKEN": true, "PASSCODE": true, "AUTH_HEADER": true, "AZURE_STORAGE_CONNECTION_STRING": true,
		"MYSQLPWD": true, "REDISPASSWORD": true, "wandbkey": true, "GITLABTOKEN2": true, "DOCKER_AUTH_CONFIG": true, "OTEL_EXPORTER_OTLP_HEADERS": true,
		"SLACK_WEBHOOK_URL": true, "SENTRY_DSN": true, "TLS_KEY_PEM": true, "SERVICE_TOKEN_VALUE": true, "GCP_CREDS": true, "SqlConnectionString": true, "clientSecretB64": true,
		"maxtokens": false, "maxnewtokens": false, "stoptoken": false, "minnewtokens": false, "eostoken": false, "KEY_FILE": false, "bypass": false, "donkey": false, "turkey": false,
		"kv-cache-dtype": false, "hf-config-path": false, "OAUTH_URL": false, "model-config": false, "json": false, "value": false, "rope-scaling": false,
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
	_, list := again.Restore(func(name string) (string, bool) { return "hf_planted123", name == "HF_TOKEN" })
	for _, path := range []string{"engine.env.COPY", "engine.args.note.0", "workload.extra_body.a.b"} {
		if !strings.Contains(Lost(list), path) {
			t.Errorf("%s is not told to be lost: %s", path, Lost(list))
		}
	}
}

// No key of llem's own is taken for a secret's, which nobody would keep or show.
func TestOurOwnKeysAreNoSecrets(t *testing.T) {
	for _, path := range append(keyPaths(), executionNames()...) {
		if secretPath(path) {
			t.Errorf("%s is redacted", path)
		}
	}
}

// A secret is known by its shape, under any name and in any text.
func TestSecretsAreKnownByTheirShape(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"postgres://app:hunter2@db:5432/x":                                     "postgres://app:REDACTED@db:5432/x",
		"redis://:p@ss/w0rd@cache/0":                                           "redis://:REDACTED@cache/0",
		"http://ghp0123456789@git.local/x":                                     "http://REDACTED@git.local/x",
		"proxy http://u:x@10.0.0.1:3128 and https://v:y@h/":                    "proxy http://u:REDACTED@10.0.0.1:3128 and https://v:REDACTED@h/",
		"http://h/v1?api_key=abc&x=1":                                          "http://h/v1?api_key=REDACTED&x=1",
		"http://h/v1?x=1&access_token=abc;y":                                   "http://h/v1?x=1&access_token=REDACTED;y",
		"https://acct.blob/c?sv=1&sig=a%2Fb%3D&se=2":                           "https://acct.blob/c?sv=1&sig=REDACTED&se=2",
		"https://s3/x?X-Amz-Signature=00ff&X-Amz-Date=1":                       "https://s3/x?X-Amz-Signature=REDACTED&X-Amz-Date=1",
		"AccountName=a;AccountKey=QUJD==;EndpointSuffix=core":                  "AccountName=a;AccountKey=REDACTED;EndpointSuffix=core",
		"Server=db;User Id=sa;Password=pw1;Encrypt=yes":                        "Server=db;User Id=sa;Password=REDACTED;Encrypt=yes",
		"https://hooks.slack.com/services/T0/B0/xyz":                           "https://hooks.slack.com/REDACTED",
		"https://discord.com/api/webhooks/1/abc":                               "https://discord.com/api/webhooks/REDACTED",
		"Authorization: Bearer abc.def":                                        "Authorization: Bearer REDACTED",
		`{"authorization": "Basic dXNlcg=="}`:                                  `{"authorization": "Basic REDACTED"}`,
		"login with hf_abcdefghijklmnopqrst now":                               "login with REDACTED now",
		"sk-proj-abcdefghijklmnopqrstuv":                                       "REDACTED",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.sflKxw":                          "REDACTED",
		"-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----": "-----BEGIN RSA PRIVATE KEY-----REDACTED-----END RSA PRIVATE KEY-----",

		"http://127.0.0.1:8000/v1":                     "",
		"docker://host:5000/name@sha256:abc":           "",
		"ssh://git@host/x":                             "",
		"http://$USER:$PASS@h/":                        "",
		"see https://h/docs?page=2&max_tokens=5":       "",
		"a@b.example, mail":                            "",
		"authorization is off":                         "",
		"tokens=5 key=3":                               "",
		"meta-llama/Llama-3.1-8B-Instruct":             "",
		"Qwen/Qwen3-30B-A3B-Instruct-2507-GPTQ-Int4":   "",
		"--kv-cache-dtype=fp8 --max-num-seqs=64":       "",
		"2026-11-30 10:00:00 INFO: loaded; took=3.2 s": "",
	} {
		if want == "" {
			want = text
		}
		if got := (Experiment{}).Hide(text); got != want {
			t.Errorf("Hide(%q)\n got %q\nwant %q", text, got, want)
		}
	}
}

// Wherever a file may have one, a secret that shows by its shape is in nothing that is
// written or shown.
func TestShapedSecretsLeaveNoFile(t *testing.T) {
	t.Parallel()
	const given = `name: x  # proxy is http://me:planted1@p
model: a/b
engine:
  image: http://me:planted2@registry/x
  env: {DATABASE_URL: "postgres://me:planted3@db", HTTPS_PROXY: http://planted4444@p, OPTS: "--url http://h?api_key=planted5"}
  args: {otlp-endpoint: "http://h/?token=planted6", more: [hf_planted7planted7planted7]}
  container: {entrypoint: [run, "https://hooks.slack.com/services/planted8"]}
workload: {extra_body: {a: {b: ["Bearer planted9planted9planted9"]}}}
`
	e := decode(t, given, Options{})
	for what, text := range map[string]string{"effective": string(e.EffectiveYAML()), "as given": string(Redact([]byte(given))), "log": e.Hide("it said planted3, planted6")} {
		if strings.Contains(text, "planted") || !strings.Contains(text, redacted) {
			t.Errorf("%s:\n%s", what, text)
		}
	}
	if again := decode(t, string(e.EffectiveYAML()), Options{}); again.ConfigHash() != e.ConfigHash() {
		t.Error("the written configuration has another hash")
	}
}

// A secret in a value of another form than its key's is an error that does not show it.
func TestSecretsInValuesOfTheWrongFormAreNotEchoed(t *testing.T) {
	t.Parallel()
	for _, engine := range []string{
		`{env: "HF_TOKEN=hunter2"}`, `{env: [HF_TOKEN=hunter2]}`, `{env: ["A=1", 'PGPASSWORD=hunter2']}`, "\n  env:\n    - HF_TOKEN=hunter2",
		`{env: {"HF_TOKEN=hunter2": 1}}`, `{env: {DB_PASS: [hunter2]}}`,
		`{args: "--api-key hunter2"}`, `{args: [--api-key, hunter2]}`, `{args: ["--api-key=hunter2"]}`, `{args: {--api-key=hunter2: true}}`,
		`{container: {entrypoint: "env API_KEY=hunter2 vllm"}}`,
		`{endpoint: "u:hunter2@127.0.0.1:9"}`, `{endpoint: "//u:hunter2@127.0.0.1"}`, `{endpoint: "http://u:hun hunter2@127.0.0.1:9"}`,
	} {
		_, err := Decode("x.yaml", []byte("model: a/b\nengine: "+engine+"\n"), Options{})
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", engine, err)
		}
	}
	_, err := Decode("x.yaml", []byte("model: a/b\nengine: {image: x}\nworkload: {extra_body: \"api_key=hunter2\"}\n"), Options{})
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
	e := decode(t, "model: a/b\nengine: {image: x, container: {entrypoint: [sh, -c, \"TOKEN=hunter2 vllm --api-key hunter3 --max-tokens 5\"]}}\n", Options{})
	if got := e.Redacted().Engine.Container.Entrypoint[2]; got != "TOKEN=REDACTED vllm --api-key REDACTED --max-tokens 5" {
		t.Errorf("%q", got)
	}
}
