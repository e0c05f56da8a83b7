package main

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// refused checks an llem that ends before anything was measured: its exit
// code, what it says, and that nothing is left of it.
func (o outcome) refused(t *testing.T, code int, says ...string) {
	t.Helper()
	o.says(t, code, says...)
	if len(o.records) > 0 {
		t.Errorf("a record was left: %v", o.dirs)
	}
}

func (o outcome) says(t *testing.T, code int, says ...string) {
	t.Helper()
	if o.code != code {
		t.Errorf("exit %d, want %d", o.code, code)
	}
	for _, want := range says {
		if !strings.Contains(o.stderr, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	if t.Failed() {
		t.Logf("stderr:\n%s", o.stderr)
	}
}

func TestAFileThatMayNotBeRead(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	secret := h.config("model: reference/tiny\n")
	if err := os.Chmod(secret, 0); err != nil {
		t.Fatal(err)
	}
	c := h.asNobody("run", secret)
	c.refused(t, exitUsage, "experiment.yaml", "permission denied")
}

// asNobody runs llem as a user who may do nothing in particular; as the tests'
// own user where that is not root.
func (h *host) asNobody(args ...string) outcome {
	h.t.Helper()
	c := h.command(args...)
	if os.Geteuid() == 0 {
		for d := h.dir; d != "/tmp" && d != "/"; d = filepath.Dir(d) {
			if err := os.Chmod(d, 0o777); err != nil {
				h.t.Fatal(err)
			}
		}
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	if err := c.Start(); err != nil {
		h.t.Fatal(err)
	}
	o := c.finish()
	h.clean(c.Process.Pid)
	return o
}

func TestImagesThatCannotBeRun(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.llem("run", "--image", "llem-test/nowhere:1", "--pull", "never", "--model", "reference/tiny", "-o", h.path("out")).
		refused(t, exitUsage, "llem-test/nowhere:1", "docker pull")
	// A registry on this host that refuses connections, so that the test does
	// not depend on the network.
	h.llem("run", "--image", "127.0.0.1:9/llem-test/nowhere:1", "--model", "reference/tiny", "-o", h.path("out")).
		refused(t, exitHost, "127.0.0.1:9/llem-test/nowhere:1", "cannot be reached", "docker load")

	const foreign = "llem-test/foreign"
	loadImage(t, foreign, "s390x")
	h.llem("run", "--image", foreign, "--model", "reference/tiny", "-o", h.path("out")).
		refused(t, exitUsage, "linux/s390x", "--platform linux/")

	const nameless = "llem-test/nameless"
	loadImage(t, nameless, runtime.GOARCH)
	h.llem("run", "--image", nameless, "--model", "reference/tiny", "-o", h.path("out")).
		refused(t, exitUsage, nameless, "--engine")
}

// loadImage gives the daemon an image without a program, as docker save would
// have written it.
func loadImage(t *testing.T, name, arch string) {
	t.Helper()
	layer := archive(t, map[string]string{"empty": ""})
	config := fmt.Sprintf(`{"architecture": %q, "os": "linux", "config": {}, "rootfs": {"type": "layers", "diff_ids": ["sha256:%x"]}}`, arch, sha256.Sum256(layer))
	all := archive(t, map[string]string{
		"layer.tar": string(layer), "config.json": config,
		"manifest.json": fmt.Sprintf(`[{"Config": "config.json", "RepoTags": ["%s:latest"], "Layers": ["layer.tar"]}]`, name),
	})
	cmd := exec.Command("docker", "load")
	cmd.Stdin = bytes.NewReader(all)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	t.Cleanup(func() { _ = exec.Command("docker", "rmi", name).Run() }) // a leftover image harms nothing
}

func archive(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name]))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHostsThatAreNotReady(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.set("DOCKER_HOST", "tcp://127.0.0.1:9")
	h.llem(h.quick()...).refused(t, exitHost, "127.0.0.1:9", "see that a daemon listens there")

	h = newHost(t)
	h.asNobody(h.quick()...).refused(t, exitHost, "permission", "usermod -aG docker")
}

func TestGPUsThatCannotBeHad(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60})
	h.llem(h.quick("--gpus", "3")...).refused(t, exitUsage, "3", standin.UUID(0))
	h.llem(h.quick("--gpus", "GPU-00000000-1111")...).refused(t, exitUsage, "GPU-00000000-1111")

	h = newHost(t)
	h.llem(h.quick("--gpus", "0")...).refused(t, exitHost, "NVIDIA")
	h.llem(h.quick("--energy-backend", "nvml")...).refused(t, exitUsage, "energy.backend nvml", "NVIDIA driver")
}

func TestALockedGPUIsRefused(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60})
	first := h.start(h.quick("--gpus", "0")...)
	first.reach("launch")
	second := h.start(h.quick("--gpus", "0")...)
	o := second.finish()
	o.refused(t, exitHost, standin.UUID(0), fmt.Sprint("pid ", first.Process.Pid))
	if o := first.finish(); o.code != 0 {
		t.Errorf("the first ended with %d:\n%s", o.code, o.stderr)
	}
	h.clean(first.Process.Pid)
}

func TestABusyGPUIsAwaited(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60})
	for _, gpus := range []string{"0", "auto"} {
		h.gpus.SetProcesses(0, standin.Process{PID: os.Getpid()})
		c := h.start(h.quick("--gpus", gpus, "--wait-gpu", "-n", "1")...)
		until(t, "its word that it waits", func() bool { return strings.Contains(c.err.String(), "waiting for a GPU") })
		h.gpus.SetProcesses(0)
		o := c.finish()
		h.clean(c.Process.Pid)
		if o.code != 0 || strings.Count(o.stderr, "waiting for a GPU") != 1 {
			t.Errorf("--gpus %s: exit %d\n%s", gpus, o.code, o.stderr)
		}
		for _, r := range o.records {
			if r.WarningSeverities["gpu_not_exclusive"] != "" {
				t.Errorf("--gpus %s: %v", gpus, r.MeasurementWarnings)
			}
		}
	}
}

// A daemon that has no way to give GPUs to containers.
func TestWithoutAGPURuntime(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60})
	socket := plainDaemon(t)
	h.set("DOCKER_HOST", "unix://"+socket)
	o := h.llem(h.quick("--gpus", "0")...)
	o.says(t, exitHost, "nvidia-container-toolkit", "nvidia-ctk runtime configure")
	out, err := exec.Command("docker", "-H", "unix://"+socket, "ps", "-aq").CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("left in that daemon: %s %v", out, err)
	}
}

// plainDaemon starts a second dockerd, which finds no GPU hook on its PATH,
// and gives it the test image.
func plainDaemon(t *testing.T) (socket string) {
	t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			t.Fatal("CI must run as root, to start a second daemon")
		}
		t.Skip("only root can start a second daemon")
	}
	dir, err := os.MkdirTemp("", "llem-dockerd-") // short, for the socket's path
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "bin")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, tool := range []string{"dockerd", "containerd", "containerd-shim-runc-v2", "runc", "docker-init", "ps", "modprobe"} {
		if p, err := exec.LookPath(tool); err == nil {
			if err := os.Symlink(p, filepath.Join(path, tool)); err != nil {
				t.Fatal(err)
			}
		}
	}
	socket = filepath.Join(dir, "sock")
	var log output
	cmd := exec.Command(filepath.Join(path, "dockerd"), "--data-root", filepath.Join(dir, "data"), "--exec-root", filepath.Join(dir, "exec"),
		"--pidfile", filepath.Join(dir, "pid"), "-H", "unix://"+socket, "--bridge=none", "--iptables=false", "--ip-forward=false")
	cmd.Env, cmd.Stdout, cmd.Stderr = []string{"PATH=" + path, "HOME=" + dir}, &log, &log
	// A network of its own: --bridge=none removes the bridge that it finds.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		_ = cmd.Wait()                          // its exit code is of no interest
	})
	until(t, "the second daemon", func() bool {
		return exec.Command("docker", "-H", "unix://"+socket, "info").Run() == nil
	})
	save := exec.Command("docker", "save", image)
	load := exec.Command("docker", "-H", "unix://"+socket, "load")
	if load.Stdin, err = save.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := save.Start(); err != nil {
		t.Fatal(err)
	}
	if out, err := load.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, out, log.String())
	}
	if err := save.Wait(); err != nil {
		t.Fatal(err)
	}
	return socket
}

// small is a filesystem of its own, of size bytes.
func (h *host) small(size, options string) string {
	h.t.Helper()
	if os.Geteuid() != 0 {
		if os.Getenv("CI") == "true" {
			h.t.Fatal("CI must run as root, to mount a small filesystem")
		}
		h.t.Skip("only root can mount a small filesystem")
	}
	dir := h.path("small")
	if err := os.Mkdir(dir, 0o755); err != nil {
		h.t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size="+size+options, "llem-test", dir).CombinedOutput(); err != nil {
		h.t.Fatalf("mount: %v\n%s", err, out)
	}
	h.t.Cleanup(func() { _ = exec.Command("umount", "--lazy", dir).Run() }) // the folder goes with the test
	return dir
}

func TestPlacesWhereResultsCannotBeWritten(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	dir := h.small("1m", ",ro")
	h.llem(h.quick("-o", dir)...).refused(t, exitHost, dir, "read-only", "--output")

	h = newHost(t)
	dir = h.small("512k", "")
	h.llem(h.quick("-o", dir)...).refused(t, exitHost, dir, "free", "--output")

	h = newHost(t)
	file := h.config("model: x")
	h.llem(h.quick("-o", file)...).refused(t, exitHost, file, "--output")
}

// The disk fills while the experiment runs: what was measured is kept
// somewhere else.
func TestADiskThatFillsLosesNothing(t *testing.T) {
	t.Parallel()
	h := newHost(t)
	h.set("TMPDIR", h.path("home"))
	dir := h.small("256m", "")
	c := h.start(h.quick("-o", dir)...)
	c.reach("launch")
	hog, err := os.Create(filepath.Join(dir, "hog"))
	if err != nil {
		t.Fatal(err)
	}
	defer hog.Close()
	if _, err := io.Copy(hog, zeros{}); err == nil {
		t.Fatal("the filesystem did not fill")
	}
	o := c.finish()
	h.clean(c.Process.Pid)
	o.says(t, exitHost, "no space left", "kept in")
	found, _ := filepath.Glob(filepath.Join(h.path("home"), "llem-results-*", "*", "requests.parquet")) // the pattern is good
	if len(found) != 1 {
		t.Errorf("nothing was kept under TMPDIR")
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*", "*")); len(left) > 0 {
		t.Errorf("half a result is left: %v", left)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// Energy of a part of a GPU is not known.
func TestMIGIsRefused(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{Power: 60}, standin.GPU{Power: 60})
	h.gpus.SetMIG(0, true)
	h.llem(h.quick("--gpus", "0")...).refused(t, exitUsage, "MIG", "-mig 0")
	// A neighbour's MIG is its own affair.
	r := h.llem(h.quick("--gpus", "auto", "-n", "1")...).record(t)
	if len(r.Environment.GPUs) != 1 || r.Environment.GPUs[0].UUID != standin.UUID(1) || r.EnergyTotalJ == nil {
		t.Errorf("%+v", r.Environment.GPUs)
	}
}
