package report

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
)

var apartDigits = regexp.MustCompile(`\d[ \x{a0}\x{e000}\x{202f}]\d{3}\b`)

// In a pipe a number is one word, and its column still ends where its head does.
func TestNumbersAreOneWordInAPipe(t *testing.T) {
	big := full()
	big.Tokens.Input, big.Tokens.Output, big.Latency.E2E.Mean, big.Latency.E2E.Max = p(int64(1234567)), p(int64(7654321)), 98765.4, 1234567.8
	total := 1234567.0
	big.EnergyTotalJ = &total
	list := []Entry{{Record: big, Dir: "run 1 000"}, {Record: full(), Dir: "b"}}
	compared, err := Compare(list, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, write := range map[string]func(*bytes.Buffer, Options) error{
		"table":   func(b *bytes.Buffer, o Options) error { return Record(big, "d").Write(b, o) },
		"side":    func(b *bytes.Buffer, o Options) error { return Side(list).Write(b, o) },
		"compare": func(b *bytes.Buffer, o Options) error { return compared.Document().Write(b, o) },
	} {
		var people, scripts bytes.Buffer
		if err := write(&people, Options{Grouped: true}); err != nil {
			t.Fatal(err)
		}
		if err := write(&scripts, Options{}); err != nil {
			t.Fatal(err)
		}
		if !apartDigits.MatchString(people.String()) {
			t.Errorf("%s: nothing is apart for people:\n%s", name, people.String())
		}
		without := strings.ReplaceAll(scripts.String(), "run 1 000", "")
		if found := apartDigits.FindString(without); found != "" || strings.Contains(without, group) {
			t.Errorf("%s: %q in a pipe:\n%s", name, found, without)
		}
		if name != "compare" && !strings.Contains(scripts.String(), "1234567") {
			t.Errorf("%s: no 1234567 in\n%s", name, scripts.String())
		}
		for _, head := range []string{"first token", "whole answer", "tokens in"} {
			a, b := line(people.String(), head), line(scripts.String(), head)
			if name == "table" && head == "tokens in" {
				continue
			}
			if columns(a) != columns(b) {
				t.Errorf("%s: the column has moved:\n%q\n%q", name, a, b)
			}
		}
	}
	var side bytes.Buffer
	if err := Side(list).Write(&side, Options{}); err != nil || !strings.Contains(side.String(), "run 1 000\n") {
		t.Errorf("%v; a folder's name was changed:\n%s", err, side.String())
	}
}

func line(text, has string) string {
	for l := range strings.Lines(text) {
		if strings.Contains(l, has) && !strings.HasSuffix(strings.TrimSpace(l), has) {
			return strings.TrimRight(l, "\n")
		}
	}
	return ""
}

// No number is printed as minus nothing, however it is rounded.
func TestZeroHasNoSign(t *testing.T) {
	minus := regexp.MustCompile(`[-−]0(\.0+)?\b`)
	for _, v := range []float64{-1e-9, -0.0001, -0.004, -1e-300, 0, 1e-9} {
		for what, text := range map[string]string{"fixed": fixed(v, 2), "percent": percent(v / 100).String(), "signed": signed(v*0, "").String(), "short": short(v*0, "").String(), "value": value(v*0, "").String()} {
			if minus.MatchString(text) || strings.HasPrefix(text, "+0.00") {
				t.Errorf("%s of %g is %q", what, v, text)
			}
		}
	}
	for share, want := range map[float64]string{0.0025: "+0.25 %", -0.0025: "-0.25 %", -0.00001: "0.00 %", 0.00001: "0.00 %", 12.5: "+1250.00 %"} {
		if got := settled(percent(share).String()); got != want {
			t.Errorf("%g is %q, want %q", share, got, want)
		}
	}
	r := full()
	difference := -*r.EnergyTotalJ * 1e-7
	r.Energy.CrossChecks = []result.CrossCheck{{Method: "x", EnergyJ: *r.EnergyTotalJ, DifferenceJ: &difference}}
	var b bytes.Buffer
	if err := Record(r, "d").Write(&b, Options{}); err != nil || minus.MatchString(line(b.String(), "cross-check")) || !strings.Contains(b.String(), "(0.00 %)") {
		t.Errorf("%v\n%s", err, line(b.String(), "cross-check"))
	}
}
