package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llenergymeasure/llem/internal/meter/standin"
)

// tuned is an experiment that sets its GPUs, of which it uses n.
func (h *host) tuned(gpus, settings string, n string) string {
	return h.config("model: reference/tiny\nengine: {image: " + image + ", args: {x-pace: 10}}\ngpus: [" + gpus + "]\nparallel: {tensor: " + n + "}\ngpu_settings: {" + settings + "}\nworkload: {prompts: 5, max_output_tokens: 100}\n")
}

// untouched checks that every GPU has the driver's own settings, and that no note
// of what to put back is left.
func (h *host) untouched() {
	h.t.Helper()
	for i := range h.gpus.GPUs() {
		if limit, mhz := h.gpus.Settings(i); limit != 400 || mhz != 0 {
			h.t.Errorf("GPU %d is left with %g W and %d MHz", i, limit, mhz)
		}
	}
	if notes, _ := filepath.Glob(filepath.Join(h.path("locks"), "settings-*")); len(notes) > 0 {
		h.t.Errorf("left behind: %v", notes)
	}
}

func (h *host) set250(i int) {
	h.t.Helper()
	if limit, mhz := h.gpus.Settings(i); limit != 250 || mhz != 1200 {
		h.t.Errorf("GPU %d has %g W and %d MHz in the window", i, limit, mhz)
	}
}

const settings250 = "power_limit_w: 250, sm_clock_mhz: 1200"

func TestGPUSettingsAreSetRecordedAndPutBack(t *testing.T) {
	t.Parallel()
	for _, ended := range []string{"done", "interrupt"} {
		h := newHost(t, standin.GPU{}, standin.GPU{})
		c := h.start("run", "--quick", "-o", h.path("out"), h.tuned("1", settings250, "1"))
		c.reach("window")
		h.set250(1)
		if limit, mhz := h.gpus.Settings(0); limit != 400 || mhz != 0 {
			t.Errorf("GPU 0, which was not asked for, has %g W and %d MHz", limit, mhz)
		}
		if ended == "interrupt" {
			if err := c.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
		}
		o := c.finish()
		h.clean(c.Process.Pid)
		h.untouched()
		r := o.record(t)
		g := r.Environment.GPUs[0]
		if g.PowerLimitW == nil || *g.PowerLimitW != 250 || *g.SMClockMHz != 1200 || *g.PowerLimitDefaultW != 400 {
			t.Errorf("%s: read back: %+v", ended, g)
		}
		s := r.Environment.GPUSettings
		if len(s) != 1 || s[0].UUID != standin.UUID(1) || *s[0].PowerLimitW != 250 || *s[0].PowerLimitBeforeW != 400 || *s[0].SMClockMHz != 1200 || !s[0].Restored {
			t.Errorf("%s: in the record: %+v", ended, s)
		}
		if !strings.Contains(o.stdout, "250 W") || !strings.Contains(o.stdout, "1200 MHz") {
			t.Errorf("%s: the table does not tell:\n%s", ended, o.stdout)
		}
	}
}

// Nothing is changed of a GPU, or all of it is put back at once.
func TestGPUSettingsThatCannotBe(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings string
		before   func(*standin.Control)
		code     int
		says     []string
	}{
		"no permission":        {"power_limit_w: 250", func(c *standin.Control) { c.Fail(0, "nvmlDeviceSetPowerManagementLimit", 4) }, exitHost, []string{"GPU 0", "250 W", "root"}},
		"the second fails":     {"sm_clock_mhz: 1200", func(c *standin.Control) { c.Fail(1, "nvmlDeviceSetGpuLockedClocks", 3) }, exitHost, []string{"GPU 1", "does not support"}},
		"too low":              {"power_limit_w: 50", nil, exitHost, []string{"50 W", "200 to 400 W"}},
		"too fast":             {"sm_clock_mhz: 5000", nil, exitHost, []string{"1410 MHz at most"}},
		"no limit to put back": {"power_limit_w: 250", func(c *standin.Control) { c.Fail(0, "nvmlDeviceGetPowerManagementLimit", 3) }, exitHost, []string{"does not tell its power limit"}},
		"shared":               {settings250, func(c *standin.Control) { c.SetProcesses(1, standin.Process{PID: os.Getpid()}) }, exitHost, []string{"others use", "llem.test"}},
	} {
		h := newHost(t, standin.GPU{}, standin.GPU{})
		if c.before != nil {
			c.before(h.gpus)
		}
		o := h.llem("run", "--quick", "-o", h.path("out"), h.tuned("0, 1", c.settings, "2"))
		t.Log(name)
		o.refused(t, c.code, c.says...)
		h.untouched()
	}
	bare := newHost(t)
	bare.llem("run", "--quick", "-o", bare.path("out"), bare.config("model: a/b\ngpus: none\ngpu_settings: {power_limit_w: 200}\n")).refused(t, exitUsage, "gpu_settings", "gpus is none")
	bare.llem("run", "--quick", "-o", bare.path("out"), "--image", image, bare.config("model: reference/tiny\ngpu_settings: {power_limit_w: 200}\n")).refused(t, exitUsage, "gpu_settings cannot be set", "no NVIDIA driver")
}

// A run that is killed leaves its GPU changed, which keeps others off it until
// llem clean has put it back.
func TestCleanPutsGPUSettingsBack(t *testing.T) {
	t.Parallel()
	h := newHost(t, standin.GPU{})
	config := h.tuned("0", settings250, "1")
	c := h.start("run", "--quick", "-o", h.path("out"), config)
	c.reach("window")
	if o := h.start("clean", "--dry-run").finish(); strings.Contains(o.stdout, "would restore") {
		t.Errorf("of a living run:\n%s", o.stdout)
	}
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // killed
	h.set250(0)
	time.Sleep(time.Second) // the daemon ends what it had begun
	h.llem("run", "--quick", "-o", h.path("out"), "--gpus", "0", "--image", image, "--model", "reference/tiny").says(t, exitHost, "GPU 0", "llem clean")
	if o := h.llem("clean", "--dry-run"); o.code != 0 || !strings.Contains(o.stdout, "would restore the settings of GPU "+standin.UUID(0)) {
		t.Errorf("dry run: exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	h.set250(0)
	h.gpus.Fail(0, "nvmlDeviceSetPowerManagementLimit", 4)
	h.llem("clean").says(t, exitFailed, "root")
	h.gpus.Fail(0, "nvmlDeviceSetPowerManagementLimit", 0)
	if o := h.llem("clean"); o.code != 0 || !strings.Contains(o.stdout, "restored GPU 0: power limit 400 W, SM clock free") {
		t.Errorf("exit %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	h.untouched()
	// A note that anybody can have put there is none.
	forged := filepath.Join(h.path("locks"), "settings-"+standin.UUID(0)+".json")
	if err := os.WriteFile(forged, []byte(`{"power_limit_before_w": 200}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Chown(forged, 65534, 65534); err != nil {
			t.Fatal(err)
		}
		if o := h.llem("clean"); o.code != 0 || strings.Contains(o.stdout, "restored") {
			t.Errorf("exit %d\n%s", o.code, o.stdout)
		}
		h.llem("run", "--quick", "-o", h.path("out"), config).says(t, exitHost, forged, "sudo rm -r")
	}
	if err := os.Remove(forged); err != nil {
		t.Fatal(err)
	}
	h.untouched()
}
