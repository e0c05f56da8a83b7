package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// host is the place of one worker: GPU, locks, cache, results, and a server.
type host struct {
	llem   string
	dir    string
	env    []string
	gpus   *standin.Control
	server *exec.Cmd
	usual  map[string]time.Duration // length of phases, by kind and name
}

// powerW is the stand-in's limit, which runs change.
const powerW = 400

// runsOfStudy is how many runs a study's plan has.
const runsOfStudy = 4

func newHost(o options, with tools, number int) (*host, error) {
	h := &host{llem: o.llem, dir: filepath.Join(o.dir, fmt.Sprintf("worker-%d", number)), usual: map[string]time.Duration{}}
	for _, d := range []string{"powercap", "locks", "cache", "config/llem", "home", "out"} {
		if err := os.MkdirAll(h.path(d), 0o777); err != nil {
			return nil, err
		}
	}
	var err error
	if h.gpus, err = standin.New(h.path("gpus"), standin.GPU{Power: 60, PowerLimit: powerW}); err != nil {
		return nil, err
	}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "LLEM_") && !strings.HasPrefix(v, "HF_") && !strings.HasPrefix(v, "CUDA_") && !strings.HasPrefix(v, "SLURM_") {
			h.env = append(h.env, v)
		}
	}
	for k, v := range map[string]string{
		"LLEM_LOCK_DIR": h.path("locks"), "LLEM_POWERCAP": h.path("powercap"), "XDG_CACHE_HOME": h.path("cache"), "XDG_CONFIG_HOME": h.path("config"),
		"HOME": h.path("home"), standin.FileEnv: h.path("gpus"), "LD_LIBRARY_PATH": with.library,
	} {
		h.env = append(h.env, k+"="+v)
	}
	var url string
	if h.server, url, err = serve(with.server); err != nil {
		return nil, err
	}
	return h, h.files(url)
}

func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

// files writes what llem is given, one file a kind.
func (h *host) files(url string) error {
	const common = `model: reference/tiny
gpus: [0]
gpu_settings: {power_limit_w: 250, sm_clock_mhz: 1200}
baseline: {duration_seconds: 1, cache_ttl_seconds: 20}
warmup: {n_warmup: 1, thermal_floor_seconds: 0.2}
output: {save_responses: true}
`
	const image = common + "engine: {image: llem/reference}\n"
	study := func(restart string) string {
		return image + "workload: {prompts: 3}\nsweep: {workload.max_output_tokens: [8, 16]}\nexecution: {cycles: 2, restart: " + restart + "}\n"
	}
	for k, text := range map[kind]string{
		single:   image + "workload: {prompts: 6, max_output_tokens: 48}\n",
		endpoint: strings.Replace(common, "gpu_settings", "# gpu_settings", 1) + "engine: {endpoint: \"" + url + "\"}\nworkload: {prompts: 6, max_output_tokens: 48}\n",
		fresh:    study("experiment"),
		keeping:  study("engine_change"),
	} {
		if err := os.WriteFile(h.config(k), []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (h *host) config(k kind) string {
	return h.path(strings.NewReplacer(" ", "-", ",", "").Replace(string(k)) + ".yaml")
}

// serve starts the reference engine as a server that no llem has started.
func serve(program string) (server *exec.Cmd, url string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, "", err
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	server = exec.Command(program, "-host", "127.0.0.1", "-port", strconv.Itoa(port), "-threads", "1")
	if err := server.Start(); err != nil {
		return nil, "", err
	}
	url = fmt.Sprintf("http://127.0.0.1:%d", port)
	for range 600 {
		resp, err := http.Get(url + "/health")
		if err == nil {
			resp.Body.Close()
			return server, url, nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return nil, "", errors.New("the reference engine does not answer")
}

func (h *host) close() {
	_ = h.server.Process.Kill()
	_ = h.server.Wait() // killed
	h.gpus.Close()
}

// keep moves what a failed case left to a folder of its own.
func (h *host) keep(c test, r *result) (string, error) {
	to := filepath.Join(filepath.Dir(h.dir), fmt.Sprintf("failed-%d", c.number))
	if err := os.RemoveAll(to); err != nil {
		return "", err
	}
	if err := os.CopyFS(to, os.DirFS(h.dir)); err != nil && !errors.Is(err, fs.ErrInvalid) {
		return to, err
	}
	said := c.String() + "\n" + strings.Join(r.faults, "\n") + "\n\n" + strings.Join(r.log, "\n")
	return to, errors.Join(os.WriteFile(filepath.Join(to, "case.txt"), []byte(said), 0o644), h.reset())
}

// reset removes results and locks, so that no case sees another's.
func (h *host) reset() error {
	var failed error
	for _, d := range []string{"out", "locks"} {
		failed = errors.Join(failed, os.RemoveAll(h.path(d)), os.Mkdir(h.path(d), 0o777))
	}
	h.gpus.Close()
	gpus, err := standin.New(h.path("gpus"), standin.GPU{Power: 60, PowerLimit: powerW})
	h.gpus, failed = gpus, errors.Join(failed, err)
	for _, name := range containers(h.path("locks")) {
		failed = errors.Join(failed, exec.Command("docker", "rm", "--force", name).Run())
	}
	return failed
}

// containers lists those that llems with this folder of locks have made.
func containers(locks string) (names []string) {
	out, err := exec.Command("docker", "ps", "--all", "--filter", "label=io.llem.run", "--format", `{{.Names}} {{.Label "io.llem.lock"}}`).Output()
	if err != nil {
		return []string{"unknown: " + err.Error()}
	}
	for line := range strings.Lines(string(out)) {
		name, lock, _ := strings.Cut(strings.TrimSpace(line), " ")
		// Docker may list one for ever whose making was cut off, and that is not there.
		if strings.HasPrefix(lock, locks+"/") && exec.Command("docker", "inspect", name).Run() == nil {
			names = append(names, name)
		}
	}
	return names
}
