package report

import (
	"bytes"
	"encoding/json"
	"testing"
	"testing/iotest"
)

// hostile are texts that servers, files and other users could have a terminal obey.
var hostile = map[string]string{
	"an escape sequence":     "model\x1b[2J\x1b[1;31m",
	"a window title":         "x\x1b]0;owned\x07",
	"an 8-bit control":       "a\u009b31mb",
	"a carriage return":      "invalid\rvalid  ",
	"a backspace":            "FAIL\b\b\b\bGOOD",
	"a bidirectional mark":   "gpt\u202efdp.exe",
	"an isolate":             "a\u2066b\u2069",
	"a zero-width space":     "lla\u200bma",
	"a tag character":        "a\U000e0041b",
	"a line separator":       "a\u2028b",
	"a delete":               "a\x7fb",
	"a byte that is no text": "a\x9b31mb\xff",
}

func TestHostileTextIsEscaped(t *testing.T) {
	t.Parallel()
	for what, text := range hostile {
		got := printable(text)
		if got == text || bytes.ContainsFunc([]byte(got), misleads) {
			t.Errorf("%s: %q", what, got)
		}
		if printable(got) != got {
			t.Errorf("%s: escaped twice: %q", what, printable(got))
		}
	}
	for _, text := range []string{"", "plain", "Qwen/Qwen3-8B", "naïve ünïcode 模型 – 5 µJ", "a\tb\nc", "𝛼"} {
		if got := printable(text); got != text {
			t.Errorf("Printable(%q) = %q", text, got)
		}
	}
}

func TestEscapedJSONMeansTheSame(t *testing.T) {
	t.Parallel()
	for what, text := range hostile {
		if what == "a byte that is no text" || what == "a tag character" { // no JSON string holds the one, one escape the other
			continue
		}
		data, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var got string
		if err := json.Unmarshal([]byte(printable(string(data))), &got); err != nil || got != text {
			t.Errorf("%s: %q, %v", what, got, err)
		}
	}
}

func TestAWriterEscapesAcrossCalls(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	w := &PrintableWriter{To: &b}
	text := "模型\x1b[31m µ𝛼\u202e"
	r := iotest.OneByteReader(bytes.NewReader([]byte(text)))
	one := make([]byte, 1)
	for {
		n, err := r.Read(one)
		if n > 0 {
			if taken, err := w.Write(one); taken != 1 || err != nil {
				t.Fatal(taken, err)
			}
		}
		if err != nil {
			break
		}
	}
	if got, want := b.String(), printable(text); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
