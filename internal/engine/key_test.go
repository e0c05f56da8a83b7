package engine

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/launch"
)

func TestAKeyIsOneLine(t *testing.T) {
	for text, want := range map[string]string{
		"sk-abc": "sk-abc", "sk-abc\n": "sk-abc", "sk-abc\r\n": "sk-abc", "a": "a", "eyJ.eyJ.x_-=": "eyJ.eyJ.x_-=", "sk-a=b": "sk-a=b",
	} {
		if got, err := ParseKey(text); err != nil || string(got) != want {
			t.Errorf("%q: %v, %v", text, err, string(got) == want)
		}
	}
	for text, says := range map[string]string{
		"": "is empty", "\n": "is empty", "  \n": "is empty", "hush1\nhush2\n": "more than one line", "hush1\n\n": "more than one line", "hush hush": "blanks", " hush": "blanks",
		"hush\t": "blanks", "hüsh": "ASCII", "\ufeffhush": "byte order mark", "h\x00u\x00": "UTF-16", "Bearer hush": "alone", "authorization: hush": "alone",
		"OPENAI_API_KEY=hush": "assignment", `"hush"`: "quoted", strings.Repeat("h", 20<<10): "at most",
	} {
		if _, err := ParseKey(text); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%.20q: %v, want one that says %q and not the key", text, err, says)
		}
	}
}

func TestHeadersAreLines(t *testing.T) {
	h, err := ParseHeaders("# of the gateway\n\nX-Team: a b\r\nApi-Key:hush\nauthorization: Basic aHVzaA==")
	if err != nil || h.Get("X-Team") != "a b" || h.Get("Api-Key") != "hush" || h.Get("Authorization") != "Basic aHVzaA==" || len(h) != 3 {
		t.Errorf("%v, %v", h, err)
	}
	for text, says := range map[string]string{
		"": "holds no header", "# nothing\n": "holds no header", "hush": "line 1", "X-A: 1\nX B: hush": "line 2", "X-A:": "no value", "Host: hush": "Host is llem's", "content-type: hush": "Content-Type is llem's",
		"X-A: hush\nx-a: hush": "twice", "X-A: hu\x01sh": "control", ": hush": "line 1", "Transfer-Encoding: hush": "llem's", "X-Ä: hush": "line 1",
	} {
		if _, err := ParseHeaders(text); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: %v, want one that says %q", text, err, says)
		}
	}
}

func TestAContainerIsGivenItsKey(t *testing.T) {
	const hush = launch.Secret("hush-hush")
	for name, c := range map[string]struct {
		engine  string // keys of engine
		spec    func(launch.Spec) bool
		refused string
	}{
		"vllm": {"", func(s launch.Spec) bool { return s.KeyVariable == "VLLM_API_KEY" && s.Key == hush }, ""},
		"tgi":  {"", func(s launch.Spec) bool { return s.KeyVariable == "API_KEY" && s.Key == hush }, ""},
		"llamacpp": {"", func(s launch.Spec) bool {
			return s.KeyFile == keyFile && s.Cmd[len(s.Cmd)-1] == keyFile && s.Key == hush
		}, ""},
		"vllm, its own":          {"env: {VLLM_API_KEY: hush-hush}", func(s launch.Spec) bool { return s.Key == "" && s.KeyVariable == "" }, ""},
		"vllm, its own flag":     {"args: {api-key: hush-hush}", func(s launch.Spec) bool { return s.Key == "" }, ""},
		"sglang, its own flag":   {"args: {api_key: hush-hush}", func(s launch.Spec) bool { return s.Key == "" }, ""},
		"lmdeploy, its own list": {"args: {api-keys: [hush-hush, other]}", func(s launch.Spec) bool { return s.Key == "" }, ""},
		"llamacpp, another":      {"args: {--api-key: other}", nil, "two keys"},
		"sglang":                 {"", nil, "command line alone"},
		"ollama":                 {"", nil, "asks for none"},
		"transformers":           {"", nil, "asks for none"},
		"reference":              {"", nil, "asks for none"},
	} {
		engine, _, _ := strings.Cut(name, ",")
		e, err := Lookup(engine)
		if err != nil {
			t.Fatal(err)
		}
		exp := decoded(t, "model: org/m\nengine: {image: i, "+c.engine+"}\n")
		s := launch.Spec{Cmd: []string{"serve"}}
		err = GiveKey(e, exp, &s, hush, "LLEM_API_KEY")
		switch {
		case c.refused != "":
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s: %v, want one that says %q", name, err, c.refused)
			}
		case err != nil || !c.spec(s):
			t.Errorf("%s: %v, %+v", name, err, s)
		}
		if strings.Contains(fmt.Sprint(err, s.Cmd, s.Env), "hush") {
			t.Errorf("%s: the key is in %v or %v", name, err, s)
		}
	}
}

func TestARefusalSaysWhichKeyToSet(t *testing.T) {
	for _, code := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		if h := keyHint(code, ""); !strings.Contains(h, "LLEM_API_KEY") || !strings.Contains(h, "engine.api_key_file") {
			t.Errorf("%d: %q", code, h)
		}
		if h := keyHint(code, "engine.api_key_file (/k)"); !strings.Contains(h, "/k") {
			t.Errorf("%d: %q", code, h)
		}
	}
	if h := keyHint(http.StatusTooManyRequests, ""); h != "" {
		t.Error(h)
	}
}
