package main

import (
	"bufio"
	"context"
	"debug/elf"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test's own binary be the engine.
func TestMain(m *testing.M) {
	if args := os.Getenv("REFERENCE_ARGS"); args != "" {
		os.Args = append(os.Args[:1], strings.Fields(args)...)
		main()
		return
	}
	os.Exit(m.Run())
}

// process is an engine of its own.
type process struct {
	cmd *exec.Cmd
	log *bufio.Reader
	url string
}

func start(t *testing.T, args string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	p := &process{cmd: exec.CommandContext(ctx, os.Args[0])}
	p.cmd.Env = append(os.Environ(), "REFERENCE_ARGS=--host 127.0.0.1 --port 0 "+args)
	out, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p.log = bufio.NewReader(out)
	p.url = "http://" + regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(p.until(t, "loading"))
	return p
}

// until reads the log to the line that says what.
func (p *process) until(t *testing.T, what string) string {
	t.Helper()
	for {
		line, err := p.log.ReadString('\n')
		if err != nil {
			t.Fatalf("the log ends before %q: %v", what, err)
		}
		if strings.Contains(line, what) {
			return line
		}
	}
}

// stop sends SIGTERM and wants an end without an error.
func (p *process) stop(t *testing.T, says string) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.until(t, says)
	if err := p.cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v", err)
	}
}

func TestSIGTERMEndsAnswersAndThenTheEngine(t *testing.T) {
	p := start(t, "")
	p.until(t, "ready")
	in := open(t, t.Context(), p.url)
	p.stop(t, "stopped")
	rest, err := io.ReadAll(in)
	if text := string(rest); err != nil || !strings.Contains(text, `"finish_reason":"abort"`) || !strings.HasSuffix(text, "data: [DONE]\n\n") {
		t.Errorf("the stream ends in %q, %v", text[max(0, len(text)-200):], err)
	}
}

func TestSIGTERMWhileItLoads(t *testing.T) {
	p := start(t, "--load-delay 1h")
	if code, _ := ask(t, "GET", p.url+"/health", ""); code != 503 {
		t.Errorf("health while it loads: %d", code)
	}
	p.stop(t, "stopped before the model was loaded")
}

func TestAPortThatIsTakenIsAnError(t *testing.T) {
	p := start(t, "")
	p.until(t, "ready")
	port := p.url[strings.LastIndex(p.url, ":")+1:]
	if err := serve([]string{"--host", "127.0.0.1", "--port", port}); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("got %v", err)
	}
	p.stop(t, "stopped")
}

// What `llem` reads of the image, and what keeps it small and harmless.
func TestTheImageIsTheBinaryAlone(t *testing.T) {
	data, err := os.ReadFile("Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	for _, want := range []string{"FROM scratch", "COPY reference /reference", "USER 65532:65532", `ENTRYPOINT ["/reference"]`, "EXPOSE 8000", `LABEL io.llem.engine="reference" \`} {
		if !slices.Contains(lines, want) {
			t.Errorf("the Dockerfile has no line %s", want)
		}
	}
}

func TestTheBinaryIsStaticAndSmall(t *testing.T) {
	f, err := elf.Open("reference")
	if errors.Is(err, fs.ErrNotExist) && os.Getenv("CI") != "true" {
		t.Skip("not built; make reference builds it")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP || p.Type == elf.PT_DYNAMIC {
			t.Errorf("it has a %v: it is not static", p.Type)
		}
	}
	if st, err := os.Stat("reference"); err != nil || st.Size() > 10<<20 {
		t.Errorf("%d bytes, %v", st.Size(), err)
	}
}
