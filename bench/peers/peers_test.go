package main

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/llenergymeasure/llem/internal/load/standin"
)

// What each client wrote of one job, cut down to what is read of it and a little
// beside.
func TestWhatEachClientSaysIsRead(t *testing.T) {
	for name, want := range map[string]figures{
		"llem":           {Completed: 768, Output: 98304, Requests: 24.973, Tokens: 3196.543, TTFT: 21.034, TTFT99: 23.437, TPOT: 20.006},
		"guidellm":       {Completed: 768, Output: 98304, Requests: 21.275, Tokens: 2723.236, TTFT: 97.468, TTFT99: 380.123, TPOT: 20.009},
		"aiperf":         {Completed: 768, Output: 98304, Requests: 22.911, Tokens: 2932.610, TTFT: 57.742, TTFT99: 314.870, TPOT: 20.083},
		"inference-perf": {Completed: 768, Output: 98304, Requests: 24.353, Tokens: 3117.148, TTFT: 22.226, TTFT99: 37.175, TPOT: 20.064},
		"vllm":           {Completed: 768, Output: 98304, Requests: 24.838, Tokens: 3179.249, TTFT: 30.490, TTFT99: 62.763, TPOT: 20.004},
	} {
		t.Run(name, func(t *testing.T) {
			for _, c := range clients {
				if c.name() != name {
					continue
				}
				got, err := c.read(job{dir: filepath.Join("testdata", name)})
				if diff := cmp.Diff(want, got, cmpopts.EquateApprox(0, 0.001)); err != nil || diff != "" {
					t.Errorf("%v\n%s", err, diff)
				}
			}
		})
	}
}

func TestWhatIsNotWholeIsRefused(t *testing.T) {
	j := job{plan: plan{output: 128, n: 10}}
	for name, f := range map[string]figures{
		"a request that failed": {Completed: 9, Output: 1152},
		"tokens that are short": {Completed: 10, Output: 1270},
		"tokens that are more":  {Completed: 10, Output: 1290},
	} {
		if f.check(j) == nil {
			t.Errorf("%s: %+v passes", name, f)
		}
	}
	if err := (figures{Completed: 10, Output: 1280}).check(j); err != nil {
		t.Error(err)
	}
}

// A warmup's requests came before those that count.
func TestTheServersStampsAreOfTheLastRequests(t *testing.T) {
	stamps := map[string]standin.Stamps{
		"warmup": {Received: 0, Written: []int64{50e6, 60e6}},
		"a":      {Received: 100e6, Written: []int64{120e6, 140e6, 160e6}},
		"b":      {Received: 110e6, Written: []int64{150e6, 190e6}},
		"probe":  {Received: 200e6, Written: []int64{210e6}},
	}
	var got truth
	got.read(stamps, 2)
	if want := (truth{TTFT: 30, TPOT: 30}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPromptsHaveTheirLengthAndBeginDifferently(t *testing.T) {
	begun := map[string]bool{}
	for _, p := range prompts(5000) {
		if n := 1 + len(p)/3 + 1; n != input { // words of two letters, the last without a space, and the mark
			t.Fatalf("%q has %d tokens, want %d", p, n, input)
		}
		begun[p[:24]] = true
	}
	if len(begun) != 5000 {
		t.Errorf("%d different beginnings of 5000", len(begun))
	}
}

// Reading alone goes through all of its requests, and counts them.
func TestReadingAloneReadsEverything(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	var s standin.Server
	go s.Serve(l) //nolint:errcheck // it ends with its listener
	t.Chdir(t.TempDir())
	if err := readAll([]string{l.Addr().String(), "3", "5", "7"}); err != nil {
		t.Fatal(err)
	}
	got, err := (reader{}).read(job{dir: "."})
	if err != nil || got.Completed != 15 || got.Output != 105 || got.Tokens <= 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A process that its parent leaves behind is waited for, and counted.
func TestTheCostOfOrphansIsCounted(t *testing.T) {
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	got, err := measure(t.Context(), dir, []string{"sh", "-c", "(i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done) & exit 0"})
	if err != nil || got.CPU < 20*time.Millisecond {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := measure(t.Context(), dir, []string{"sh", "-c", "echo why >&2; exit 3"}); err == nil || err.Error() != "exit status 3: why" {
		t.Errorf("a command that fails: %v", err)
	}
}
