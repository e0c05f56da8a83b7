package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/llenergymeasure/llem/internal/launch"
)

// testImage holds testdata/faulty and an /etc/passwd that knows the user "model".
const testImage = "llem-test/faulty"

var haveDaemon bool

func TestMain(m *testing.M) {
	os.Exit(func() int {
		haveDaemon = exec.Command("docker", "info").Run() == nil
		if !haveDaemon && os.Getenv("CI") == "true" {
			fmt.Println("no Docker daemon: scripts/docker-up starts one")
			return 1
		}
		if haveDaemon {
			if err := build(); err != nil {
				fmt.Println(err)
				return 1
			}
		}
		code := m.Run()
		if err := goleak.Find(); code == 0 && err != nil {
			fmt.Println(err)
			return 1
		}
		return code
	}())
}

func build() error {
	dir, err := os.MkdirTemp("", "llem-docker-test-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for name, text := range map[string]string{
		"Dockerfile": "FROM scratch\nCOPY faulty /faulty\nCOPY passwd /etc/passwd\nENTRYPOINT [\"/faulty\"]\n",
		"passwd":     "root:x:0:0::/:\nmodel:x:4711:4711::/:\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	compile := exec.Command("go", "build", "-o", filepath.Join(dir, "faulty"), "./testdata/faulty")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	for _, c := range []*exec.Cmd{compile, exec.Command("docker", "build", "-q", "-t", testImage, dir)} {
		if out, err := c.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", c.Args, err, out)
		}
	}
	return nil
}

func open(t *testing.T) *daemon {
	t.Helper()
	if !haveDaemon {
		t.Skip("no Docker daemon (scripts/docker-up starts one)")
	}
	d, err := reach(t.Context(), launch.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// lock is a file that is held until the test ends, so that no llem clean of
// another test takes the container for an orphan.
func lock(t *testing.T) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// spec starts the test server with a word that says what goes wrong.
func spec(t *testing.T, word string) launch.Spec {
	id := strings.ReplaceAll(t.Name(), "/", "-")
	s := launch.Spec{
		ImageID: testImage, Port: 8000, ReadyPath: "/health", ReadyTimeout: 30 * time.Second,
		Run: id, Lock: lock(t), PID: os.Getpid(), Name: "llem-test-" + id,
	}
	if word != "" {
		s.Cmd = []string{word}
	}
	return s
}

// started is a container that the test's end removes at the latest.
func started(t *testing.T, d *daemon, s launch.Spec) (launch.Server, error) {
	t.Helper()
	got, err := d.Launch(t.Context(), s)
	if got != nil {
		t.Cleanup(func() {
			if err := got.Kill(context.WithoutCancel(t.Context())); err != nil {
				t.Error(err)
			}
			if out, _ := exec.Command("docker", "ps", "-aq", "--filter", "name="+s.Name+"$").Output(); len(out) > 0 {
				t.Errorf("container %s is left", out)
			}
		})
	}
	return got, err
}

// mainPID is a container's first process, as the host sees it.
func mainPID(t *testing.T, id string) int {
	t.Helper()
	out, err := exec.Command("docker", "inspect", "--format", "{{.State.Pid}}", id).Output()
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := c.Get(url)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestAServerIsReadyThenStopped(t *testing.T) {
	d := open(t)
	s, err := started(t, d, spec(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	info := s.Info()
	if took := info.ReadyAt.Sub(info.StartedAt); took < 250*time.Millisecond || took > 20*time.Second {
		t.Errorf("ready after %v; the server took 0.3 s", took)
	}
	if info.Route != "container_address" && info.Route != "published_port" || info.ID == "" || strings.Join(info.Command, " ") != "/faulty" {
		t.Errorf("%+v", info)
	}
	for pid, want := range map[int]bool{mainPID(t, info.ID): true, os.Getpid(): false} {
		if mine, err := s.Owns(pid); err != nil || mine != want {
			t.Errorf("process %d: the server's %v, %v; want %v", pid, mine, err, want)
		}
	}
	var log bytes.Buffer
	if err := s.Log(t.Context(), &log, time.Time{}); err != nil || !strings.Contains(log.String(), "hello from stdout") || !strings.Contains(log.String(), "hello from stderr") {
		t.Errorf("log %q, %v", log.String(), err)
	}
	begun := time.Now()
	for range 2 {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("it took %v to stop a server that ends at once", took)
	}
	<-s.Done()
	if s.Err() != nil {
		t.Errorf("a stopped server died: %v", s.Err())
	}
}

func TestContainersThatDie(t *testing.T) {
	for name, c := range map[string]struct {
		word, memory string
		code         int
		oom          bool
		log          string
	}{
		"at once":       {"exit", "", 5, false, "no weights"},
		"out of memory": {"oom", "64m", 137, true, "hello"},
	} {
		t.Run(name, func(t *testing.T) {
			d := open(t)
			s := spec(t, c.word)
			s.Name = strings.ReplaceAll(s.Name, " ", "_")
			s.Container.Memory = c.memory
			begun := time.Now()
			_, err := started(t, d, s)
			var died *launch.Exited
			if !errors.As(err, &died) || died.ExitCode != c.code || died.OOMKilled != c.oom || !strings.Contains(died.LogTail, c.log) {
				t.Errorf("error %v (%+v)", err, died)
			}
			if took := time.Since(begun); took > 20*time.Second {
				t.Errorf("it was seen after %v", took)
			}
		})
	}
}

func TestAServerThatDiesLater(t *testing.T) {
	s, err := started(t, open(t), spec(t, ""))
	if err != nil {
		t.Fatal(err)
	}
	fetch(t, s.URL()+"/die")
	select {
	case <-s.Done():
	case <-time.After(20 * time.Second):
		t.Fatal("its death was not seen")
	}
	var died *launch.Exited
	if !errors.As(s.Err(), &died) || died.ExitCode != 9 {
		t.Errorf("%v", s.Err())
	}
}

func TestAServerThatIsNeverReady(t *testing.T) {
	s := spec(t, "never")
	s.ReadyTimeout = time.Second
	_, err := started(t, open(t), s)
	var late *launch.NotReady
	if !errors.As(err, &late) || !strings.Contains(late.Last, "503") || !strings.Contains(late.LogTail, "hello") {
		t.Errorf("error %v (%+v)", err, late)
	}
}

func TestALaunchEndsWithItsContext(t *testing.T) {
	d := open(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	s, err := d.Launch(ctx, spec(t, "never"))
	if !errors.Is(err, context.DeadlineExceeded) || s == nil {
		t.Fatalf("server %v, error %v", s, err)
	}
	if err := s.Kill(t.Context()); err != nil {
		t.Error(err)
	}
	// Before the container exists: it is made, known, and removed.
	s, err = d.Launch(ctx, spec(t, ""))
	if !errors.Is(err, context.DeadlineExceeded) || s == nil {
		t.Fatalf("server %v, error %v", s, err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	if out, _ := exec.Command("docker", "ps", "-aq", "--filter", "label=io.llem.run="+t.Name()).Output(); len(out) > 0 {
		t.Errorf("container %s is left", out)
	}
}

// The graceful part ends with the deadline that Stop is given.
func TestAServerThatIgnoresItsEndIsKilled(t *testing.T) {
	s, err := started(t, open(t), spec(t, "deaf"))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	begun := time.Now()
	err = s.Stop(ctx)
	if took := time.Since(begun); took < 900*time.Millisecond || took > 8*time.Second {
		t.Errorf("stopped after %v, with 2 s given", took)
	}
	if err != nil { // a daemon that is busy has no time left to remove it
		err = s.Kill(t.Context())
	}
	if err != nil {
		t.Error(err)
	}
	if s.Err() != nil {
		t.Errorf("a stopped server died: %v", s.Err())
	}
}

func TestKillDoesNotWaitForStop(t *testing.T) {
	s, err := started(t, open(t), spec(t, "deaf"))
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	wait.Go(func() {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	begun := time.Now()
	if err := s.Kill(t.Context()); err != nil {
		t.Error(err)
	}
	wait.Wait()
	if took := time.Since(begun); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestALongLogIsWhole(t *testing.T) {
	s, err := started(t, open(t), spec(t, "talk"))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	if err := s.Log(t.Context(), &log, time.Time{}); err != nil || strings.Count(log.String(), "\n") != 2002 {
		t.Errorf("%d lines, %v", strings.Count(log.String(), "\n"), err)
	}
}

// The token is readable to the container's user, whoever that is, and stands
// nowhere else.
func TestTheTokenIsAFileOfTheContainersUser(t *testing.T) {
	const token = "hf_planted"
	for user, uid := range map[string]string{"": "0", "1234": "1234", "1234:5": "1234", "model": "4711"} {
		t.Run("user_"+strings.ReplaceAll(user, ":", "_"), func(t *testing.T) {
			d := open(t)
			d.opt.Token = token
			sp := spec(t, "")
			sp.Container.User, sp.HFTokenFile = user, "/run/secrets/llem/hf_token"
			s, err := started(t, d, sp)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := fetch(t, s.URL()+"/token"), token+" <nil> -r-------- uid "+uid; got != want {
				t.Errorf("the container sees %q, want %q", got, want)
			}
			if out, err := exec.Command("docker", "inspect", s.Info().ID).Output(); err != nil || bytes.Contains(out, []byte(token)) {
				t.Errorf("the token is in the container's configuration, or %v", err)
			}
		})
	}
	d := open(t)
	d.opt.Token = token
	sp := spec(t, "")
	sp.Container.User, sp.HFTokenFile = "nobody", "/run/secrets/llem/hf_token"
	if _, err := started(t, d, sp); err == nil || !strings.Contains(err.Error(), "engine.container.user") && !strings.Contains(err.Error(), "nobody") {
		t.Errorf("a user that the image does not know: %v", err)
	}
}

// A server's key is a file as the token is, or a variable, and in no argument or label.
func TestTheKeyIsAFileOfTheContainersUser(t *testing.T) {
	const key = "sk-planted-77"
	sp := spec(t, "")
	sp.Container.User, sp.KeyFile, sp.Key = "1234", "/run/secrets/llem/api_key", key
	sp.Env = map[string]string{"HF_TOKEN_PATH": sp.KeyFile} // which its program reads and tells
	s, err := started(t, open(t), sp)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fetch(t, s.URL()+"/token"), key+" <nil> -r-------- uid 1234"; got != want {
		t.Errorf("the container sees %q, want %q", got, want)
	}
	if out, err := exec.Command("docker", "inspect", s.Info().ID).Output(); err != nil || bytes.Contains(out, []byte(key)) {
		t.Errorf("the key is in the container's configuration, or %v", err)
	}
}

func TestOrphansAreThoseWhoseLockNobodyHolds(t *testing.T) {
	d := open(t)
	owners := map[string]launch.Owner{}
	made := map[string]string{}
	for name, owner := range map[string]launch.Owner{"living": launch.Living, "dead": launch.Dead, "unknown": launch.Unknown, "elsewhere": launch.Elsewhere} {
		sp := spec(t, "")
		sp.Run = t.Name() + name
		sp.Name = launch.ContainerName(sp.Run)
		sp.Lock += name
		owners[sp.Lock] = owner
		s, err := started(t, d, sp)
		if err != nil {
			t.Fatal(err)
		}
		made[name] = s.Info().ID
	}
	list, spared, err := d.Orphans(t.Context(), only(owners))
	if err != nil || len(list) != 1 || list[0].ID != made["dead"] || list[0].Run != t.Name()+"dead" || list[0].State != "running" {
		t.Fatalf("%+v, %v", list, err)
	}
	why := map[string]string{}
	for _, s := range spared {
		why[s.Name] = s.Why
	}
	for name, want := range map[string]string{"unknown": "docker rm -f llem-" + t.Name() + "unknown", "elsewhere": "LLEM_LOCK_DIR=", "living": "", "dead": ""} {
		if got := why[launch.ContainerName(t.Name()+name)]; (got == "") != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s is spared with %q, want %q", name, got, want)
		}
	}
	for range 2 { // removing what is gone is no error
		if err := d.Remove(t.Context(), list[0]); err != nil {
			t.Error(err)
		}
	}
}

// only has every lock held that is not of owners, as those of others' tests.
func only(owners map[string]launch.Owner) func(string) launch.Owner {
	return func(lock string) launch.Owner {
		if o, ours := owners[lock]; ours {
			return o
		}
		return launch.Living
	}
}

// Labels are handed on by an image that is made of a container. What is started of
// it is not llem's, whatever its name, and whether it runs or not.
func TestAnImageMadeOfAContainerHandsNoOwnerOn(t *testing.T) {
	d := open(t)
	sp := spec(t, "")
	sp.Name = launch.ContainerName(sp.Run)
	s, err := started(t, d, sp)
	if err != nil {
		t.Fatal(err)
	}
	cli := func(args ...string) string {
		t.Helper()
		out, err := exec.Command("docker", args...).Output()
		if err != nil {
			t.Fatalf("docker %v: %v", args, err)
		}
		return strings.TrimSpace(string(out))
	}
	image := "llem-test/" + strings.ToLower(t.Name())
	derived := image + ":derived"
	cli("commit", sp.Name, image)
	t.Cleanup(func() { cli("rmi", "--force", image, derived) })
	if err := s.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	build := exec.Command("docker", "build", "--quiet", "--tag", derived, "-")
	build.Stdin = strings.NewReader("FROM " + image + "\nENV MINE=1\n")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, args := range map[string][]string{
		"by hand":        {"create", image},
		"named":          {"create", "--name", "mine-" + sp.Run, image},
		"that runs":      {"run", "--detach", image},
		"of a built one": {"run", "--detach", derived},
		"with its name":  {"run", "--detach", "--name", sp.Name, image},
		"other labels":   {"create", "--label", labelRun + "=" + sp.Run + "-other", image},
	} {
		id := cli(args...)
		list, spared, err := d.Orphans(t.Context(), only(map[string]launch.Owner{sp.Lock: launch.Dead}))
		if err != nil || len(list) > 0 || len(spared) != 1 || !strings.Contains(spared[0].Why, "image") {
			t.Errorf("%s: %+v, spared %+v, %v", name, list, spared, err)
		}
		cli("rm", "--force", id)
	}
}

func TestResolveFindsWhatIsThere(t *testing.T) {
	d := open(t)
	got, err := d.Resolve(t.Context(), testImage, "missing", func(int64, int64) {})
	if err != nil || !strings.HasPrefix(got.ID, "sha256:") || got.Digest != "" || strings.Join(got.Entrypoint, "") != "/faulty" {
		t.Errorf("%+v, %v", got, err)
	}
	if again, err := d.Resolve(t.Context(), got.ID, "never", func(int64, int64) {}); err != nil || again.ID != got.ID {
		t.Errorf("by ID: %+v, %v", again, err)
	}
	i, err := d.Describe(t.Context())
	if err != nil || i.Version == "" || i.APIVersion == "" || i.Elsewhere != "" || i.Root == "" {
		t.Errorf("%+v, %v", i, err)
	}
}
