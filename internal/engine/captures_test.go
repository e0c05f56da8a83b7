package engine

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/llenergymeasure/llem/internal/load"
)

// exchange is a file of testdata/captures: what a real server was asked, in lines
// that begin with >, and after the line that begins with < what it answered;
// without that line the status was 200.
type exchange struct {
	route, kind, body string
	status            int
}

func readExchange(t *testing.T, file string) exchange {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var x exchange
	rest := string(b)
	for strings.HasPrefix(rest, "> ") {
		line, more, _ := strings.Cut(rest, "\n")
		if x.route == "" {
			x.route = line[2:]
		}
		rest = more
	}
	if x.route == "" {
		t.Fatalf("%s is no exchange", file)
	}
	x.status, x.body = 200, rest
	head, body, ok := strings.Cut(rest, "\n\n")
	if said, told := strings.CutPrefix(head, "< "); told && ok {
		status, kind, _ := strings.Cut(said, " ")
		if x.status, err = strconv.Atoi(status); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		x.kind, x.body = kind, body
	}
	return x
}

// captured is what is made of a real server's answers.
type captured struct {
	Info    Info
	Counts  Counters
	Answers map[string]said // of completions and chats, by file
	Errors  map[string]string
}

func saidOf(tr load.Timing) said {
	out := said{tr.Status, string(tr.Text), tr.FinishReason, tr.UsageSource, tr.InputTokens, tr.OutputTokens, nil, -1}
	for _, c := range tr.Chunks {
		out.Chunks = append(out.Chunks, c.Tokens())
	}
	if tr.CachedTokens != nil {
		out.Cached = *tr.CachedTokens
	}
	return out
}

// What real servers answered is read as the golden files say. A stream there is
// shortened in the middle, so that its chunks are fewer than its tokens.
func TestRealServers(t *testing.T) {
	dirs, err := filepath.Glob("testdata/captures/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no captures: %v", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) { replay(t, dir) })
	}
}

// engineOf is whose answers a folder holds: its name begins with the engine's.
func engineOf(t *testing.T, dir string) string {
	t.Helper()
	for _, name := range Names() {
		if base := filepath.Base(dir); base == name || strings.HasPrefix(base, name+"-") {
			return name
		}
	}
	t.Fatalf("%s begins with no engine's name", dir)
	return ""
}

func replay(t *testing.T, dir string) {
	name := engineOf(t, dir)
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	got := captured{Answers: map[string]said{}, Errors: map[string]string{}}
	routes := map[string]string{}
	for _, f := range files {
		x := readExchange(t, f)
		file := strings.TrimSuffix(filepath.Base(f), ".txt")
		method, path, _ := strings.Cut(x.route, " ")
		switch stream := strings.HasPrefix(x.kind, "text/event-stream"); {
		case method == "GET" && x.status == 200:
			if _, ok := routes[x.route]; !ok {
				routes[x.route] = x.body
			}
		case strings.HasPrefix(path, "/v1/") && (stream || x.status != 200):
			s := standin{stream: []string{x.body}, most: 12}
			if x.status != 200 {
				s.status = x.status
			}
			api := "completions"
			if path == "/v1/chat/completions" {
				api = "chat"
			}
			if tr := s.drive(t, name, api); tr.Error != "" {
				got.Errors[file] = tr.Error
			} else {
				got.Answers[file] = saidOf(tr)
			}
		}
	}
	if _, asked := routes["GET /v1/models"]; asked {
		got.Info, got.Counts = account(t, name, routes)
	}
	golden(t, "captured_"+filepath.Base(dir), got)
}

// account is what a server with these answers says of itself and of its work.
func account(t *testing.T, name string, routes map[string]string) (i Info, c Counters) {
	t.Helper()
	e, err := Lookup(name)
	if err != nil {
		t.Fatal(err)
	}
	url := (&standin{routes: routes}).serve(t)
	if i, err = e.Probe(t.Context(), Address{URL: url}, ""); err != nil {
		t.Error(err)
	}
	if c, err = e.Counters(t.Context(), Address{URL: url}); err != nil {
		t.Error(err)
	}
	seen, err := Look(t.Context(), Address{URL: url}, false)
	if err != nil {
		t.Fatal(err)
	}
	if told, _, doubt := seen.Tell(); told != name || doubt != "" {
		t.Errorf("the server is told to be %q (%s), want %s", told, doubt, name)
	}
	return i, c
}
