package report

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/result"
)

// What a server or a file says must not move the cursor, nor turn the text.
func TestControlCharactersAreEscaped(t *testing.T) {
	r := full()
	bad := "a\x1b[2Jb\r\a\u202ec\u2028d\u200be\tf"
	r.Name, r.Model.ID, r.Status, r.Error = bad, bad, bad, bad
	r.Engine.Name, r.Engine.Version, r.Engine.Image, r.Engine.Route, r.Energy.Method = bad, p(bad), bad, bad, bad
	r.Environment.GPUs[0].Name, r.Tokens.Source, r.FLOPs.Confidence, r.Timeseries = bad, bad, &bad, bad
	r.MeasurementWarnings, r.WarningSeverities = []string{"single_run: " + bad}, map[string]string{"single_run": bad}
	r.Energy.Valid, r.Energy.Reasons = false, []string{bad}
	var b bytes.Buffer
	if err := Record(r, bad).Write(&b, Options{Grouped: true}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(b.String(), "\x1b\a\r\t\u202e\u2028\u200b") {
		t.Errorf("%q", b.String())
	}
	if !strings.Contains(b.String(), `a\u001b[2Jb`) {
		t.Errorf("the text is not shown escaped:\n%s", b.String())
	}
}

func plain(f *figure) string { return strings.NewReplacer(hard, " ", group, " ").Replace(f.String()) }

func TestNumbers(t *testing.T) {
	for v, want := range map[float64]string{
		0: "0", 0.00012346: "0.0001235", 1: "1.000", 9.9999: "10.00", 99.999: "100.0", 123.456: "123.5", 999.96: "1 000", 1234.5: "1 234", -25432.1: "-25 432",
		1e9: "1 000 000 000", 1.5e-9: "1.500e-09", 1e20: "1.000e+20", -0.5: "-0.5000",
	} {
		if got := plain(value(v, "")); got != want {
			t.Errorf("value(%g) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0", 60: "60", 30.5: "30.5", 0.26712: "0.267", 3.3891: "3.39", 14: "14", 99.96: "100", 100: "100", 12345.6: "12 346", 1e-9: "1.000e-09"} {
		if got := plain(short(v, "")); got != want {
			t.Errorf("short(%g) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{0: "0 s", 4.25: "4.25 s", 119: "119 s", 600: "10 min", 3540: "59 min", 5400: "90 min", 9000: "2.5 h"} {
		if got := plain(age(v)); got != want {
			t.Errorf("age(%g) = %q, want %q", v, got, want)
		}
	}
	for v, want := range map[float64]string{7: "7.000 FLOP", 999999: "1.000 MFLOP", 999.94: "999.9 FLOP", 7.1e14: "710.0 TFLOP", 1e22: "10 000 EFLOP"} {
		if got := plain(si(&v, "FLOP")); got != want {
			t.Errorf("si(%g) = %q, want %q", v, got, want)
		}
	}
}

func TestUncertaintySetsTheDigits(t *testing.T) {
	for _, c := range []struct {
		v, u *float64
		k    float64
		want string
	}{
		{p(12.4123), p(0.03), 2, "12.412 ± 0.060 J"},
		{p(25432.1), p(64.0), 2, "25 430 ± 130 J"},
		{p(25432.1), p(0.4), 2, "25 432.10 ± 0.80 J"},
		{p(1.0), p(0.0499), 2, "1.00 ± 0.10 J"}, // 0.0998, rounded
		{p(-3.2), p(5.0), 2, "-3 ± 10 J"},
		{p(12.4123), nil, 2, "12.41 J"},
		{p(12.4123), p(0.0), 2, "12.41 J"},
		{p(12.4123), p(0.03), 0, "12.41 J"}, // no coverage known
		{nil, p(0.03), 2, "–"},
	} {
		if got := plain(plusMinus(c.v, c.u, c.k, 1, "J")); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAWriterThatFailsIsTold(t *testing.T) {
	if err := Record(full(), "d").Write(broken{}, Options{Grouped: true}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("table: %v", err)
	}
	if err := Command(&result.Command{Runs: []result.CommandRun{{}}}).Write(broken{}, Options{Grouped: true}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("command: %v", err)
	}
}
