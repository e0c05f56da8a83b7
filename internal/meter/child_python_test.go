//go:build linux

package meter

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/llenergymeasure/llem/internal/measure"
)

func TestZeusOfAPythonPackage(t *testing.T) {
	t.Parallel()
	path, _ := python(t, zeus(nil))
	i, err := OpenZeus(t.Context(), path, []int{3, 1}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer wantClosed(t, i)
	if v := i.Versions(); i.Name() != "zeus" || v["zeus"] != "0.16.0" || !strings.HasPrefix(v["python"], "3.") {
		t.Errorf("%s with versions %v", i.Name(), v)
	}
	if err := i.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	got, err := i.End(t.Context())
	sum := measure.Joules(24)
	if diff := cmp.Diff(measure.Reading{GPU: &sum, PerGPU: []measure.Joules{13, 11}}, got); err != nil || diff != "" {
		t.Errorf("%v, want -, got +\n%s", err, diff)
	}
}

func TestAPythonWithoutThePackage(t *testing.T) {
	t.Parallel()
	path, executable := python(t, nil)
	_, err := OpenZeus(t.Context(), path, []int{0}, quiet)
	wantError(t, err, "zeus: "+executable+" has no package zeus; "+executable+" -m pip install zeus")
	_, err = OpenCodeCarbon(t.Context(), path, "USA", nil, quiet)
	wantError(t, err, "codecarbon: "+executable+" has no package codecarbon; "+executable+" -m pip install codecarbon")
}

func TestAPythonThatIsTooOld(t *testing.T) {
	t.Parallel()
	_, executable := python(t, nil)
	path := program(t, fmt.Sprintf(`exec '%s' -c "import sys; sys.modules['importlib.metadata'] = None; exec(sys.argv[1])" "$2"`, executable))
	_, err := OpenZeus(t.Context(), path, []int{0}, quiet)
	wantError(t, err, "zeus: "+executable+" is Python 3.", "too old for zeus; name another with energy.python or LLEM_PYTHON")
}

func TestVersionsOfThePackage(t *testing.T) {
	t.Parallel()
	for v, old := range map[string]bool{
		"0.9.1": true, "0.9": true, "0": true, "unknown": true,
		"0.10.0": false, "0.16rc1": false, "1": false, "2.0.dev3+g1234": false,
	} {
		t.Run(v, func(t *testing.T) {
			files := zeus(version("zeus", v))
			delete(files, "zeus-0.16.0.dist-info/METADATA")
			path, executable := python(t, files)
			_, r, err := span(t, t.Context(), path, quiet)
			if !old {
				if err != nil || *r.GPU != 10 {
					t.Errorf("got %+v, %v; want 10 J", r, err)
				}
				return
			}
			wantError(t, err, "has zeus "+v+", which is older than 0.10; "+executable+" -m pip install zeus --upgrade")
		})
	}
	path, _ := python(t, version("codecarbon", "2.8.4"))
	_, err := OpenCodeCarbon(t.Context(), path, "USA", nil, quiet)
	wantError(t, err, "has codecarbon 2.8.4, which is older than 3.0", "-m pip install codecarbon --upgrade")
}

func TestAPackageThatFailsAtImport(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"by an exception":        {"raise RuntimeError('boom')", []string{"zeus: RuntimeError: boom; it last said: bad driver"}},
		"by a missing package":   {"import no_such_thing", []string{"zeus: ModuleNotFoundError: No module named 'no_such_thing'"}},
		"by a very long one":     {"raise RuntimeError('é' * 100_000)", []string{"zeus: RuntimeError: é"}},
		"by sys.exit of a code":  {"sys.exit(3)", []string{"zeus: its Python child ended (exit status 3); it last said: bad driver"}},
		"by sys.exit of nothing": {"sys.exit()", []string{"zeus: its Python child ended (exit status 0); it last said: bad driver"}},
		"by sys.exit of a text":  {"sys.exit('no GPU')", []string{"zeus: its Python child ended (exit status 1); it last said: bad driver / no GPU"}},
		"by os._exit":            {"os._exit(7)", []string{"zeus: its Python child ended (exit status 7); it last said: bad driver"}},
		"by an interrupt":        {"raise KeyboardInterrupt", []string{"zeus: its Python child ended (", "KeyboardInterrupt"}},
		"by a crash":             {"os.kill(os.getpid(), signal.SIGSEGV)", []string{"zeus: its Python child ended (signal: segmentation fault); it last said: bad driver"}},
		"by no class":            {"sys.modules['zeus.monitor'] = sys", []string{"zeus: ImportError: cannot import name 'ZeusMonitor'"}},
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := python(t, zeus(map[string]string{"zeus/__init__.py": "import os, signal, sys\nprint('bad driver', file=sys.stderr)\n" + c.text + "\n"}))
			_, _, err := span(t, t.Context(), path, quiet)
			wantError(t, err, c.want...)
			if n := len(err.Error()); n > 5000 {
				t.Errorf("the error has %d bytes", n)
			}
			wantGone(t, group(t, path))
		})
	}
}

// monitor is the package's one class, with lines of a method in place of its own.
func monitor(method, lines string) map[string]string {
	text := "import os, subprocess, sys, threading, time\n" + zeus(nil)["zeus/monitor.py"]
	return map[string]string{"zeus/monitor.py": strings.Replace(text, "def "+method, "def "+method+lines+"\n    def _"+method, 1)}
}

func TestAPackageThatFailsLater(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"at its opening":          {monitor("__init__", "(self, **_): raise ValueError('no such GPU')"), "zeus: ValueError: no such GPU"},
		"at the begin":            {monitor("begin_window", "(self, *_, **__): raise OSError(5, 'lost')"), "zeus: OSError: [Errno 5] lost"},
		"at the end":              {monitor("end_window", "(self, *_, **__): raise KeyError(0)"), "zeus: KeyError: 0"},
		"leaves at the begin":     {monitor("begin_window", "(self, *_, **__): print('so long'); sys.exit(9)"), "zeus: its Python child ended (exit status 9); it last said: so long"},
		"gives no dictionary":     {monitor("end_window", "(self, *_, **__): return None"), "zeus: AttributeError: "},
		"gives no number":         {monitor("end_window", "(self, *_, **__): self.gpu_energy = {0: object()}; return self"), "zeus: TypeError: Object of type object is not JSON serializable"},
		"gives what is no number": {monitor("end_window", "(self, *_, **__): self.gpu_energy = {0: float('nan')}; return self"), "zeus: ValueError: Out of range float values are not JSON compliant"},
		"gives another GPU's":     {monitor("end_window", "(self, *_, **__): self.gpu_energy = {1: 5.0}; return self"), "zeus: no energy for a GPU"},
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := python(t, zeus(c.files))
			_, r, err := span(t, t.Context(), path, quiet)
			wantError(t, err, c.want)
			if r.GPU != nil {
				t.Errorf("gave %v besides", *r.GPU)
			}
		})
	}
}

// Looking for a package imports nothing of it, which may take long or fail.
func TestFindPackageImportsNothing(t *testing.T) {
	t.Parallel()
	path, executable := python(t, zeus(map[string]string{"zeus/__init__.py": "raise RuntimeError"}))
	if v, err := FindPackage(t.Context(), path, "zeus", quiet); err != nil || v["zeus"] != "0.16.0" || v["python"] == "" {
		t.Errorf("versions %v, %v", v, err)
	}
	_, err := FindPackage(t.Context(), path, "codecarbon", quiet)
	wantError(t, err, "has no package codecarbon; "+executable+" -m pip install codecarbon")
}

// What libraries print, wherever and however, is no answer. All of it is logged.
func TestNoiseReachesTheLogAndNothingElse(t *testing.T) {
	t.Parallel()
	const noise = `
import os, subprocess, sys
def noise(when):
    print(when, "printed")
    print(when, "on stderr", file=sys.stderr)
    os.write(1, (when + " written\r\n").encode())
    os.write(1, (when + " not utf-8 \xff\n").encode("latin-1"))
    os.write(1, (when + ' {"llem": 1, "ok": {"gpu_j": [1]}}\n').encode())
    subprocess.run(["echo", when, "by another"])
    print(when, "without an end", end="")
noise("import")
`
	files := map[string]string{"zeus/__init__.py": noise, "zeus/monitor.py": `
from zeus import noise
class ZeusMonitor:
    def __init__(self, **_): noise("open")
    def begin_window(self, *_, **__): noise("begin")
    def end_window(self, *_, **__):
        noise("end")
        self.gpu_energy = {0: 10.0}
        return self
`}
	path, _ := python(t, zeus(files))
	var said spoken
	i, r, err := span(t, t.Context(), path, said.say)
	if err != nil || *r.GPU != 10 {
		t.Fatalf("got %+v, %v; want 10 J", r, err)
	}
	wantClosed(t, i)
	for _, when := range []string{"import", "open", "begin", "end"} {
		for _, how := range []string{"printed", "on stderr", "written", "not utf-8 \xff", `{"llem": 1, "ok": {"gpu_j": [1]}}`, "by another", "without an end"} {
			if !strings.Contains(said.String(), when+" "+how) {
				t.Errorf("the log has no %q", when+" "+how)
			}
		}
	}
}

func TestALineThatIsHuge(t *testing.T) {
	t.Parallel()
	const size = 3 << 20
	path, _ := python(t, zeus(map[string]string{"zeus/__init__.py": "print('x' * (3 << 20), end='')"}))
	var said spoken
	_, r, err := span(t, t.Context(), path, said.say)
	if err != nil || *r.GPU != 10 {
		t.Fatalf("got %+v, %v; want 10 J", r, err)
	}
	if n := strings.Count(said.String(), "x"); n != size {
		t.Errorf("the log has %d of %d bytes", n, size)
	}
	// Before Python, as by a script that chooses one.
	said = spoken{}
	_, r, err = span(t, t.Context(), shell(t, "head -c 3145728 /dev/zero | tr '\\0' x; "+opened+`ok '{}'; ok '{"gpu_j": [10]}'`), said.say)
	if err != nil || *r.GPU != 10 || strings.Count(said.String(), "x") != size {
		t.Errorf("got %+v, %v, %d bytes; want 10 J and %d", r, err, strings.Count(said.String(), "x"), size)
	}
	path, _ = python(t, zeus(map[string]string{"zeus/__init__.py": "import os; print('x' * (3 << 20)); os._exit(1)"}))
	_, _, err = span(t, t.Context(), path, quiet)
	wantError(t, err, "(exit status 1); it last said: xxx")
	if n := len(err.Error()); n > 5000 {
		t.Errorf("the error has %d bytes", n)
	}
}

// Questions are for the child alone, not for a package that reads stdin or a
// process that it starts.
func TestAPackageThatReadsStdin(t *testing.T) {
	t.Parallel()
	for name, line := range map[string]string{
		"itself":        "print('read', sys.stdin.read())",
		"in a process":  "print('read', subprocess.run(['cat'], stdout=subprocess.PIPE).stdout)",
		"by descriptor": "print('read', os.read(0, 1000))",
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := python(t, zeus(monitor("begin_window", "(self, *_, **__): "+line)))
			var said spoken
			if _, r, err := span(t, t.Context(), path, said.say); err != nil || *r.GPU != 10 {
				t.Errorf("got %+v, %v; want 10 J", r, err)
			}
			if strings.Contains(said.String(), "op") || !strings.Contains(said.String(), "read") {
				t.Errorf("said %q", said.String())
			}
		})
	}
}

// python -c looks into the working folder first, which is the user's: a copy of
// Zeus's repository may lie there, or a json.py.
func TestAChildDoesNotImportFromTheWorkingFolder(t *testing.T) {
	path, _ := python(t, zeus(nil))
	dir := t.TempDir()
	for _, name := range []string{"json.py", "platform.py", "re.py", "zeus.py"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("raise RuntimeError('the working folder')"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	if _, r, err := span(t, t.Context(), path, quiet); err != nil || *r.GPU != 10 {
		t.Errorf("got %+v, %v; want 10 J", r, err)
	}
}

func TestAChildKnowsNoSecrets(t *testing.T) {
	for _, name := range []string{
		"HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_TOKEN", "ZEUSD_TOKEN",
		"CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZEUSD_SOCK_PATH", "ZEUSD_HOST_PORT",
	} {
		t.Setenv(name, "hf_secret")
	}
	t.Setenv("HF_TOKEN_NOTE", "kept")
	path, _ := python(t, zeus(map[string]string{"zeus/__init__.py": "import os\nfor v in os.environ.items(): print(*v)\nprint(open('/proc/self/environ').read())"}))
	var said spoken
	if _, _, err := span(t, t.Context(), path, said.say); err != nil {
		t.Fatal(err)
	}
	if text := said.String(); strings.Contains(text, "hf_secret") || !strings.Contains(text, "HF_TOKEN_NOTE kept") || !strings.Contains(text, "PATH ") {
		t.Errorf("its environment is\n%s", text)
	}
}
